"""What was fetched, as it was fetched: pages of compressed lines and one state, in a folder for each repository.

Raw answers are kept so that a changed definition needs no new download. A page is written first and counted by the
state after it, each whole or not at all, so a fetch that dies anywhere goes on where it was; a page that no state
counts is written over. A folder is named after the repository and belongs to its numeric id: a repository that was
renamed keeps its folder, and another one that took over a name does not inherit it.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sealane.health import errors

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.\.?\Z)[A-Za-z0-9._-]{1,100}\Z")
STATE = "state.json"


class RepoFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the forge says of the repository itself. Times in seconds; totals None where they are not said."""

    repository: str
    id: int
    url: str
    archived: bool = False
    archived_at: int | None = None
    fork: bool = False
    mirror_of: str = ""
    private: bool = False
    empty: bool = False
    has_issues: bool = True
    issues: int | None = None
    pulls: int | None = None


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A fetch that goes on. It brings what changed since `since` (None: everything); `cursors` say how far each list
    is, `done` which lists are at their end."""

    mode: str
    started: int
    since: int | None = None
    cursors: dict[str, str] = {}
    done: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a repository is fetched. `taken_at` is the begin of the last fetch that came to its end; `full` the modes
    in which everything was fetched once; `marks` and `etags` what the next fetch starts from; `git_at` the begin of the
    last whole fetch of the history from `git_url`."""

    facts: RepoFacts
    api: str = ""
    taken_at: int | None = None
    running: Pass | None = None
    full: tuple[str, ...] = ()
    pages: int = 0
    marks: dict[str, str] = {}
    etags: dict[str, tuple[str, str]] = {}
    left_out: dict[str, int] = {}
    also: tuple[str, ...] = ()
    git_url: str = ""
    git_at: int = 0


class Record(msgspec.Struct, frozen=True):
    """One line of a page: the shape's name, and the value as the forge gave it."""

    shape: str
    value: msgspec.Raw


class Store:
    """One repository's folder."""

    def __init__(self, folder: Path, state: State) -> None:
        self.folder = folder
        self.state = state

    def keep(self, state: State, records: Iterable[tuple[str, Any]] = ()) -> None:
        """Add a page of (shape, value), if there is any, and take the new state: both or neither."""
        lines = msgspec.json.Encoder().encode_lines([{"shape": shape, "value": value} for shape, value in records])
        if lines:
            number = self.state.pages + 1
            write(self._page(number), gzip.compress(lines, 6, mtime=0))
            state = msgspec.structs.replace(state, pages=number)
        write(self.folder / STATE, msgspec.json.encode(state))
        self.state = state

    def records(self) -> Iterator[Record]:
        """Every line in the order of its fetching. Raises SourceBroken with the file."""
        decoder = msgspec.json.Decoder(Record)
        for number in range(1, self.state.pages + 1):
            path = self._page(number)
            try:
                content = gzip.decompress(path.read_bytes())
                yield from (decoder.decode(line) for line in content.splitlines() if line)
            except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
                raise errors.SourceBroken(
                    f"{path} is missing or damaged; remove its folder and fetch {self.state.facts.repository} again."
                ) from error

    def _page(self, number: int) -> Path:
        return self.folder / f"{number:06d}.ndjson.gz"


def slug(repository: str) -> str:
    """The folder's name for `owner/name`: in lower case, because forges do not tell cases apart."""
    if not NAME.match(repository):
        raise errors.SourceBroken(f"{repository[:120]!r} is no name of a repository.")
    return repository.lower().replace("/", "__")


def find(root: Path, repository: str) -> Store | None:
    """What was fetched of `owner/name`, also under a name that it had before; None where nothing was."""
    if not NAME.match(repository):
        return None
    direct = _opened(root / slug(repository))
    if direct is not None:
        return direct
    wanted = repository.lower()
    return next((store for store in every(root) if wanted in store.state.also), None)


def every(root: Path) -> Iterator[Store]:
    """Every repository of which something was fetched, in the order of names."""
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        store = _opened(folder)
        if store is not None and folder.name == slug(store.state.facts.repository):
            yield store


def claim(root: Path, facts: RepoFacts, *, api: str, asked: str) -> Store:
    """The folder for a repository, new or known by its id; a name that it had before leads to it too."""
    target = root / slug(facts.repository)
    if facts.id:
        _take_name(root, target, facts, api=api)
    store = _opened(target)
    if store is None:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = Store(target, State(facts=facts, api=api))
    old = store.state
    names = {*old.also, old.facts.repository.lower(), asked.lower()} - {facts.repository.lower()}
    merged = facts if facts.id else old.facts
    store.keep(msgspec.structs.replace(old, facts=merged, api=api or old.api, also=tuple(sorted(names))))
    return store


def _take_name(root: Path, target: Path, facts: RepoFacts, *, api: str) -> None:
    """Put the folder of this id under its name; whatever stood there under another id is set aside, not lost."""
    held = _opened(target)
    if held is not None and not _same(held.state, facts, api=api):
        target.rename(_free(root, f"{target.name}.{held.state.facts.id}"))
        held = None
    if held is None and root.is_dir():
        for folder in sorted(root.iterdir()):
            store = _opened(folder)
            if store is not None and store.state.facts.id and _same(store.state, facts, api=api):
                folder.rename(target)
                return


def _same(state: State, facts: RepoFacts, *, api: str) -> bool:
    return state.facts.id in {0, facts.id} and state.api in {"", api}


def _free(root: Path, name: str) -> Path:
    tries = (root / (name if not number else f"{name}.{number}") for number in range(10_000))
    return next(path for path in tries if not path.exists())


def _opened(folder: Path) -> Store | None:
    try:
        return Store(folder, msgspec.json.decode((folder / STATE).read_bytes(), type=State))
    except (OSError, msgspec.DecodeError):
        return None


@contextmanager
def only_one(root: Path, repository: str) -> Iterator[None]:
    """Nobody else fetches this repository meanwhile. Raises FetchBusy."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / f".{slug(repository)}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.FetchBusy(f"{repository} is being fetched by another process.") from error
        yield


def write(path: Path, content: bytes) -> None:
    """Write a file that only its user may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
