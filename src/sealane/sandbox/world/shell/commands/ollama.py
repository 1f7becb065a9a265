"""The `ollama` program: a client of the pod's simulated server, through the same API as the real one."""

from __future__ import annotations

import datetime
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sealane.sandbox.world.shell import client
from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.terminal import Interrupted

_PORT = 11434
_USAGE = "Usage:\n  ollama [list|ps|show|run|pull|rm|stop|--version]   (simulated by the Sealane sandbox)"


class Problem(Exception):
    """What the server answered instead."""


async def main(call: Call) -> int:
    """ollama COMMAND"""
    words = call.plain
    if "version" in call.options or "v" in call.options:
        words = ["version"]
    command = _COMMANDS.get(words[0]) if words else None
    if command is None:
        await call.say(_USAGE)
        return 0 if not words or words[0] == "help" else 1
    try:
        return await command(call, words[1:])
    except Problem as problem:
        return await call.complain(f"Error: {problem}")


async def list_(call: Call, _words: list[str]) -> int:
    """ollama list"""
    models = (await _ask(call, "GET", "/api/tags"))["models"]
    rows = [(m["name"], m["digest"][:12], _size(m["size"]), _ago(call, m["modified_at"])) for m in models]
    await _table(call, ("NAME", "ID", "SIZE", "MODIFIED"), rows)
    return 0


async def ps(call: Call, _words: list[str]) -> int:
    """ollama ps"""
    rows = []
    for model in (await _ask(call, "GET", "/api/ps"))["models"]:
        part = model["size_vram"] * 100 // max(1, model["size"])
        where = "100% CPU" if not part else "100% GPU" if part >= 100 else f"{100 - part}%/{part}% CPU/GPU"
        rows.append(
            (model["name"], model["digest"][:12], _size(model["size"]), where, str(model["context_length"]),
             _until(call, model["expires_at"]))
        )  # fmt: skip
    await _table(call, ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"), rows)
    return 0


async def show(call: Call, words: list[str]) -> int:
    """ollama show MODEL"""
    found = await _ask(call, "POST", "/api/show", {"model": _one(words)})
    details, info = found["details"], found["model_info"]
    family = info.get("general.architecture", details["family"])
    await call.say("  Model")
    for name, value in (
        ("architecture", family),
        ("parameters", details["parameter_size"]),
        ("context length", info.get(f"{family}.context_length", "")),
        ("quantization", details["quantization_level"]),
    ):
        await call.say(f"    {name:<20}{value}")
    await call.say("\n  Capabilities")
    for name in found.get("capabilities", ()):
        await call.say(f"    {name}")
    return 0


async def pull(call: Call, words: list[str]) -> int:
    """ollama pull MODEL"""
    shown = ""
    async for line in _lines(call, "/api/pull", {"model": _one(words)}):
        total, done = line.get("total"), line.get("completed", 0)
        text = line["status"] + (f": {done * 100 // total // 10 * 10}%" if total else "")
        if text != shown:
            shown = text
            await call.write_error(f"{text}\n".encode())
    return 0


async def run(call: Call, words: list[str]) -> int:
    """ollama run MODEL [PROMPT]"""
    model, prompt = _one(words), " ".join(words[1:])
    if not prompt and not call.input.is_terminal:
        prompt = (await call.input.all()).decode("utf-8", "replace").strip()
    tags = (await _ask(call, "GET", "/api/tags"))["models"]
    if model not in {name for item in tags for name in (item["name"], item["name"].removesuffix(":latest"))}:
        await pull(call, [model])
    if prompt:
        return await _generate(call, model, prompt)
    while True:
        try:
            line = await call.input.line(">>> ")
        except Interrupted:
            await call.say("Use Ctrl + d or /bye to exit.")
            continue
        if line is None or line.strip() == "/bye":
            return 0
        if line.strip():
            await _generate(call, model, line.strip())


async def remove(call: Call, words: list[str]) -> int:
    """ollama rm MODEL"""
    await _ask(call, "DELETE", "/api/delete", {"model": _one(words)})
    await call.say(f"deleted '{words[0]}'")
    return 0


async def stop(call: Call, words: list[str]) -> int:
    """ollama stop MODEL"""
    await _ask(call, "POST", "/api/generate", {"model": _one(words), "keep_alive": 0})
    return 0


async def version(call: Call, _words: list[str]) -> int:
    """ollama --version"""
    await call.say(f"ollama version is {(await _ask(call, 'GET', '/api/version'))['version']}")
    return 0


async def serve(call: Call, _words: list[str]) -> int:
    """ollama serve"""
    if call.machine.dial(_PORT) is not None:
        raise Problem(f"listen tcp 127.0.0.1:{_PORT}: bind: address already in use")
    raise Problem("the Sealane sandbox runs a server as a container's main program only")


async def _generate(call: Call, model: str, prompt: str) -> int:
    async for line in _lines(call, "/api/generate", {"model": model, "prompt": prompt}):
        await call.write(str(line.get("response", "")).encode())
    await call.say("\n")
    return 0


async def _ask(call: Call, method: str, path: str, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    async with client.request(_server(call), method, path, body=data) as answer:
        content = await answer.all()
    if answer.status >= 400:
        raise Problem(_said(content))
    try:
        return json.loads(content) if content else {}
    except ValueError:
        return {}


async def _lines(call: Call, path: str, body: Any) -> Any:
    """The pieces of a streamed answer. Raises Problem."""
    async with client.request(_server(call), "POST", path, body=json.dumps(body).encode()) as answer:
        if answer.status >= 400:
            raise Problem(_said(await answer.all()))
        rest = b""
        async for chunk in answer.body:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                piece = json.loads(line) if line else {}
                if "error" in piece:
                    raise Problem(str(piece["error"]))
                if piece:
                    yield piece


def _server(call: Call) -> Any:
    app = call.machine.dial(_PORT)
    if app is None:
        raise Problem("could not connect to ollama server, run 'ollama serve' to start it")
    return app


def _said(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content.decode("utf-8", "replace")


def _one(words: list[str]) -> str:
    if not words:
        raise Problem("accepts at least 1 arg, received 0")
    return words[0]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _ago(call: Call, stamp: str) -> str:
    return f"{_spoken(call.machine.clock.now() - _moment(stamp))} ago"


def _until(call: Call, stamp: str) -> str:
    left = _moment(stamp) - call.machine.clock.now()
    return "Forever" if left.days > 3650 else f"{_spoken(left)} from now"


def _moment(stamp: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(stamp)


def _spoken(length: datetime.timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    for name, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"


async def _table(call: Call, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[at]) for row in (head, *rows)) + 4 for at in range(len(head))]
    for row in (head, *rows):
        await call.say("".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


_COMMANDS: dict[str, Callable[[Call, list[str]], Awaitable[int]]] = {
    "list": list_, "ls": list_, "ps": ps, "show": show, "pull": pull, "run": run, "rm": remove, "stop": stop,
    "version": version, "serve": serve,
}  # fmt: skip
PROGRAMS: dict[str, Program] = {"ollama": main}
