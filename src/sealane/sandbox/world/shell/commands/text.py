"""Programs about text: echo, printf, head, tail, grep, wc, sort, and the like."""

from __future__ import annotations

import codecs
import re

from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.files import FileProblem


async def echo(call: Call) -> int:
    """echo [-n] [-e] WORDS"""
    words, end, escapes = list(call.arguments), "\n", False
    while words and re.fullmatch(r"-[ne]+", words[0]):
        flags = words.pop(0)
        end = "" if "n" in flags else end
        escapes = escapes or "e" in flags
    line = " ".join(words)
    await call.write(((_escaped(line) if escapes else line) + end).encode())
    return 0


async def printf(call: Call) -> int:
    """printf FORMAT [WORDS], %s and %d alone."""
    if not call.arguments:
        return await call.complain("printf: usage: printf format [arguments]")
    words = iter(call.arguments[1:])
    line = re.sub(r"%[sd]", lambda _: next(words, ""), call.arguments[0]).replace("%%", "%")
    await call.write(_escaped(line).encode())
    return 0


async def cat(call: Call) -> int:
    """cat [FILES]"""
    code = 0
    for name in call.plain or ["-"]:
        try:
            data = await call.input.all() if name == "-" else call.machine.files.read(call.path(name))
            await call.write(data)
        except FileProblem as problem:
            code = await call.complain(f"cat: {name}: {problem}")
    return code


async def head(call: Call) -> int:
    """head [-n N] [FILE]"""
    return await _part(call, "head")


async def tail(call: Call) -> int:
    """tail [-n N] [FILE]"""
    return await _part(call, "tail")


async def grep(call: Call) -> int:
    """grep [-i] [-v] [-c] PATTERN [FILES]"""
    words = call.plain
    if not words:
        await call.complain("Usage: grep [OPTION]... PATTERNS [FILE]...")
        return 2
    try:
        pattern = re.compile(words[0], re.IGNORECASE if "i" in call.options else 0)
    except re.error as error:
        await call.complain(f"grep: {error}")
        return 2
    data = await _content(call, words[1:], "grep")
    if data is None:
        return 2
    wanted = "v" not in call.options
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if bool(pattern.search(line)) is wanted]
    if "c" in call.options:
        await call.say(str(len(lines)))
    elif lines and "q" not in call.options:
        await call.write(("\n".join(lines) + "\n").encode())
    return 0 if lines else 1


async def wc(call: Call) -> int:
    """wc [-l] [-w] [-c] [FILE]"""
    data = await _content(call, call.plain, "wc")
    if data is None:
        return 1
    counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    shown = [counts[key] for key in "lwc" if not call.options or key in call.options]
    await call.say(" ".join(f"{count}" for count in shown) + "".join(f" {name}" for name in call.plain[:1]))
    return 0


async def sort(call: Call) -> int:
    """sort [-r] [-u] [FILE]"""
    data = await _content(call, call.plain, "sort")
    if data is None:
        return 2
    lines = data.decode("utf-8", "replace").splitlines()
    lines = sorted(set(lines) if "u" in call.options else lines, reverse="r" in call.options)
    await call.write("".join(f"{line}\n" for line in lines).encode())
    return 0


async def _part(call: Call, name: str) -> int:
    count, words = 10, list(call.arguments)
    files: list[str] = []
    while words:
        word = words.pop(0)
        found = re.fullmatch(r"-n?(\d+)", word)
        if found:
            count = int(found.group(1))
        elif word == "-n" and words and words[0].isdigit():
            count = int(words.pop(0))
        elif not word.startswith("-"):
            files.append(word)
    data = await _content(call, files, name)
    if data is None:
        return 1
    lines = data.splitlines(keepends=True)
    kept = lines[:count] if name == "head" else lines[max(0, len(lines) - count) :]
    await call.write(b"".join(kept))
    return 0


async def _content(call: Call, names: list[str], program: str) -> bytes | None:
    """The files' content one after another, else the input's; None after a complaint."""
    parts: list[bytes] = []
    for name in names:
        try:
            parts.append(call.machine.files.read(call.path(name)))
        except FileProblem as problem:
            await call.complain(f"{program}: {name}: {problem}")
            return None
    return b"".join(parts) if names else await call.input.all()


def _escaped(text: str) -> str:
    return codecs.decode(re.sub(r"[^\x00-\x7f]", lambda found: ascii(found.group())[1:-1], text), "unicode_escape")


PROGRAMS: dict[str, Program] = {
    "echo": echo,
    "printf": printf,
    "cat": cat,
    "head": head,
    "tail": tail,
    "grep": grep,
    "wc": wc,
    "sort": sort,
}
