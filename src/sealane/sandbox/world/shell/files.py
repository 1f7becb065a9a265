"""The file system of a simulated container: a few files of an image, what its pod mounts, and what was written since.

Files are bytes or functions that give bytes when they are read, so that /proc/uptime is right each time. What is
written lives as long as the container does; mounted secrets and config maps are read-only, as on a real node.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

import msgspec

Content = bytes | Callable[[], bytes]
MOST_WRITTEN = 16 * 1024 * 1024


class FileProblem(Exception):
    """What a program says of a path that it cannot use (without the path)."""


class Entry(msgspec.Struct, frozen=True):
    """One name in a folder. `size` is bytes, which may be more than can be read (weights of a model)."""

    name: str
    folder: bool
    size: int = 0


class FileSystem:
    """`files` by absolute path, `folders` that exist though empty, `sizes` of what is only said to be there."""

    def __init__(
        self,
        files: Mapping[str, Content],
        *,
        folders: tuple[str, ...] = (),
        read_only: tuple[str, ...] = (),
        sizes: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._files: dict[str, Content] = dict(files)
        self._folders = {"/", *folders}
        self._read_only = read_only
        self._sizes = sizes
        self._written = 0

    def is_folder(self, path: str) -> bool:
        """Whether it is one."""
        if path in self._folders:
            return True
        base = path.rstrip("/") + "/"
        return any(name.startswith(base) for name in (*self._files, *self._folders, *self._sizes()))

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        return path in self._files or path in self._sizes() or self.is_folder(path)

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileProblem."""
        found = self._files.get(path)
        if found is None:
            if path in self._sizes():
                return b"# weights are simulated: the Sealane sandbox holds their size alone\n"
            raise FileProblem("Is a directory" if self.is_folder(path) else "No such file or directory")
        return found() if callable(found) else found

    def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a file. Raises FileProblem."""
        if any(path == place or path.startswith(place + "/") for place in self._read_only):
            raise FileProblem("Read-only file system")
        if self.is_folder(path):
            raise FileProblem("Is a directory")
        if not self.is_folder(posixpath.dirname(path)):
            raise FileProblem("No such file or directory")
        self._written += len(data)
        if self._written > MOST_WRITTEN:
            raise FileProblem("No space left on device")
        before = self.read(path) if append and path in self._files else b""
        self._files[path] = before + data

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it. Raises FileProblem."""
        if path in self._files:
            raise FileProblem("File exists")
        self._folders.add(path)

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all in it. Raises FileProblem."""
        if not self.exists(path):
            raise FileProblem("No such file or directory")
        if any(path == place or path.startswith(place + "/") for place in self._read_only):
            raise FileProblem("Read-only file system")
        base = path.rstrip("/") + "/"
        self._files = {name: data for name, data in self._files.items() if name != path and not name.startswith(base)}
        self._folders = {name for name in self._folders if name != path and not name.startswith(base)} | {"/"}

    def list(self, path: str) -> list[Entry]:
        """What is in a folder, by name. Raises FileProblem."""
        if not self.is_folder(path):
            raise FileProblem("Not a directory" if self.exists(path) else "No such file or directory")
        base = path.rstrip("/") + "/"
        sizes = self._sizes()
        found: dict[str, Entry] = {}
        for name in (*self._files, *sizes, *self._folders):
            if not name.startswith(base) or name == base:
                continue
            first, _, rest = name.removeprefix(base).partition("/")
            if rest or name in self._folders:
                found[first] = Entry(first, folder=True)
            elif first not in found:
                found[first] = Entry(first, folder=False, size=self.size(name))
        return [found[name] for name in sorted(found)]

    def size(self, path: str) -> int:
        """Bytes of a file, 0 of anything else."""
        if path in self._files:
            return len(self.read(path))
        return self._sizes().get(path, 0)


def resolve(cwd: str, path: str) -> str:
    """An absolute, plain path."""
    return posixpath.normpath(posixpath.join(cwd, path)).replace("//", "/")
