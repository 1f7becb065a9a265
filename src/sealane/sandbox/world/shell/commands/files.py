"""Programs about files: ls, cd, pwd, mkdir, rm, touch, test, du."""

from __future__ import annotations

import posixpath

from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.files import Entry, FileProblem


async def ls(call: Call) -> int:
    """ls [-l] [-a] [-h] [PATHS]"""
    code = 0
    places = call.plain or ["."]
    for name in places:
        path = call.path(name)
        try:
            folder = call.machine.files.is_folder(path)
            if not folder and not call.machine.files.exists(path):
                raise FileProblem("No such file or directory")
            found = call.machine.files.list(path) if folder else [Entry(name, False, call.machine.files.size(path))]
        except FileProblem as problem:
            await call.complain(f"ls: cannot access '{name}': {problem}")
            code = 2
            continue
        if len(places) > 1 and folder:
            await call.say(f"{name}:")
        await _show(call, [entry for entry in found if "a" in call.options or not entry.name.startswith(".")])
    return code


async def cd(call: Call) -> int:
    """cd [FOLDER]"""
    target = call.path(call.plain[0] if call.plain else call.variables.get("HOME", "/root"))
    if not call.machine.files.is_folder(target):
        problem = "Not a directory" if call.machine.files.exists(target) else "No such file or directory"
        await call.complain(f"sh: 1: cd: can't cd to {call.plain[0] if call.plain else target}: {problem}")
        return 2
    call.state.cwd = target
    return 0


async def pwd(call: Call) -> int:
    """pwd"""
    await call.say(call.state.cwd)
    return 0


async def mkdir(call: Call) -> int:
    """mkdir [-p] FOLDERS"""
    code = 0
    for name in call.plain:
        path = call.path(name)
        try:
            if "p" not in call.options and call.machine.files.exists(path):
                raise FileProblem("File exists")
            if "p" not in call.options and not call.machine.files.is_folder(posixpath.dirname(path)):
                raise FileProblem("No such file or directory")
            call.machine.files.make_folder(path)
        except FileProblem as problem:
            code = await call.complain(f"mkdir: cannot create directory '{name}': {problem}")
    return code


async def rm(call: Call) -> int:
    """rm [-r] [-f] PATHS"""
    code = 0
    for name in call.plain:
        path = call.path(name)
        try:
            if call.machine.files.is_folder(path) and not call.options & {"r", "R"}:
                raise FileProblem("Is a directory")
            call.machine.files.remove(path)
        except FileProblem as problem:
            if "f" not in call.options:
                code = await call.complain(f"rm: cannot remove '{name}': {problem}")
    return code


async def touch(call: Call) -> int:
    """touch FILES"""
    code = 0
    for name in call.plain:
        try:
            call.machine.files.write(call.path(name), b"", append=True)
        except FileProblem as problem:
            code = await call.complain(f"touch: cannot touch '{name}': {problem}")
    return code


async def test(call: Call) -> int:
    """test -e|-f|-d PATH, -n|-z TEXT, A = B, A != B; also as [ … ]"""
    words = [word for word in call.arguments if word != "]"]
    match words:
        case ["-e" | "-f" | "-d" as what, path]:
            files, place = call.machine.files, call.path(path)
            good = files.exists(place) if what == "-e" else files.is_folder(place) == (what == "-d")
            return 0 if good and files.exists(place) else 1
        case ["-n", text]:
            return 0 if text else 1
        case ["-z", text]:
            return 1 if text else 0
        case [left, "=" | "==" | "!=" as sign, right]:
            return 0 if (left == right) == (sign != "!=") else 1
        case [text]:
            return 0 if text else 1
    return 1


async def _show(call: Call, entries: list[Entry]) -> None:
    if "l" not in call.options:
        names = [entry.name for entry in entries]
        if names:
            await call.say("  ".join(names) if call.size() else "\n".join(names))
        return
    day = call.machine.clock.now().strftime("%b %e %H:%M")
    owner = call.machine.user[1] or str(call.machine.user[0])
    for entry in entries:
        mode = "drwxr-xr-x" if entry.folder else "-rw-r--r--"
        size = human(entry.size) if "h" in call.options else str(entry.size)
        await call.say(f"{mode} 1 {owner} {owner} {size:>12} {day} {entry.name}")


def human(size: float) -> str:
    """`4.4G`, as coreutils shorten bytes."""
    for unit in ("", "K", "M", "G", "T"):
        if size < 1024 or unit == "T":
            return f"{size:.0f}{unit}" if unit == "" or size >= 10 else f"{size:.1f}{unit}"
        size /= 1024
    return ""


PROGRAMS: dict[str, Program] = {
    "ls": ls, "cd": cd, "pwd": pwd, "mkdir": mkdir, "rm": rm, "touch": touch, "test": test, "[": test,
}  # fmt: skip
