"""tar, as much of it as `kubectl cp` asks for: `tar cf - PATH` to read, `tar xmf - -C FOLDER` to write."""

from __future__ import annotations

import io
import posixpath
import tarfile

from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.files import FileProblem, resolve


async def tar(call: Call) -> int:
    """tar c|x f - [-C FOLDER] [PATHS]"""
    words = list(call.arguments)
    mode = words.pop(0).lstrip("-") if words else ""
    folder, paths = call.state.cwd, []
    while words:
        word = words.pop(0)
        if word == "-C" and words:
            folder = call.path(words.pop(0))
        elif word != "-" and not word.startswith("--"):
            paths.append(word)
    try:
        if "c" in mode:
            await call.write(_packed(call, folder, paths))
            return 0
        if "x" in mode:
            _unpack(call, folder, await call.input.all())
            return 0
    except (FileProblem, tarfile.TarError) as problem:
        await call.complain(f"tar: {problem}")
        return 2
    await call.complain("tar: You must specify one of the '-Acdtrux' options")
    return 2


def _packed(call: Call, folder: str, paths: list[str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path in paths:
            place = resolve(folder, path)
            if not call.machine.files.exists(place):
                raise FileProblem(f"{path}: Cannot stat: No such file or directory")
            _add(call, archive, place, path.lstrip("/") or ".")
    return held.getvalue()


def _add(call: Call, archive: tarfile.TarFile, place: str, name: str) -> None:
    info = tarfile.TarInfo(name)
    if call.machine.files.is_folder(place):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        for entry in call.machine.files.list(place):
            _add(call, archive, posixpath.join(place, entry.name), posixpath.join(name, entry.name))
        return
    data = call.machine.files.read(place)
    info.size, info.mode = len(data), 0o644
    archive.addfile(info, io.BytesIO(data))


def _unpack(call: Call, folder: str, data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
        for member in archive:
            place = resolve(folder, member.name.lstrip("/"))
            if member.isdir():
                call.machine.files.make_folder(place)
            elif member.isfile():
                content = archive.extractfile(member)
                call.machine.files.write(place, content.read() if content is not None else b"")


PROGRAMS: dict[str, Program] = {"tar": tar}
