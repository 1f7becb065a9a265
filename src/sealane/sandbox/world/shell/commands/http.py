"""curl and wget, to what listens on localhost of the pod. Anywhere else there is no network, and that is said."""

from __future__ import annotations

import re
import urllib.parse

import msgspec

from sealane.sandbox.world.shell import client
from sealane.sandbox.world.shell.calls import Call, Program

_LOCAL = {"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1"}  # noqa: S104 - names that are asked for
_COULD_NOT_CONNECT = 7
_VALUES = frozenset(("-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "-o", "--output", "-m", "-O"))


class Asked(msgspec.Struct):
    """What a command line asks for."""

    url: str = ""
    method: str = ""
    body: str | None = None
    output: str = ""
    headers: dict[str, str] = {}
    flags: str = ""


async def curl(call: Call) -> int:
    """curl [-X METHOD] [-d DATA] [-H HEADER] [-i] [-s] [-f] [-o FILE] URL"""
    asked = _read(call.arguments)
    if not asked.url:
        await call.complain("curl: try 'curl --help' for more information")
        return 2
    parts, port = _address(asked.url)
    host = parts.hostname or ""
    app = call.machine.dial(port) if host in _LOCAL else None
    if app is None:
        why = "Connection refused" if host in _LOCAL else "the Sealane sandbox simulates no network beyond the pod"
        if "s" not in asked.flags or "S" in asked.flags:
            await call.complain(f"curl: ({_COULD_NOT_CONNECT}) Failed to connect to {host} port {port}: {why}")
        return _COULD_NOT_CONNECT
    if asked.body is not None and asked.body.startswith("@"):
        data = call.machine.files.read(call.path(asked.body[1:])) if asked.body != "@-" else await call.input.all()
    else:
        data = (asked.body or "").encode()
    method = asked.method or ("HEAD" if "I" in asked.flags else "POST" if asked.body is not None else "GET")
    headers = {"host": f"{host}:{port}", "user-agent": "curl/8", "content-length": str(len(data))} | asked.headers
    if asked.body is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with client.request(app, method, target, body=data, headers=headers) as answer:
        return await _show(call, asked, answer)


async def wget(call: Call) -> int:
    """wget [-q] [-O -] URL"""
    url = next((word for word in call.plain if "/" in word or ":" in word), "")
    call.arguments = ["-sS", "-f", url]
    return 1 if await curl(call) else 0


async def _show(call: Call, asked: Asked, answer: client.Response) -> int:
    if "f" in asked.flags and answer.status >= 400:
        await call.complain(f"curl: (22) The requested URL returned error: {answer.status}")
        return 22
    if asked.flags and set("iI") & set(asked.flags):
        await call.say(f"HTTP/1.1 {answer.status}")
        for name, value in answer.headers:
            await call.say(f"{name}: {value}")
        await call.say("")
    if asked.output:
        body = await answer.all()
        if call.path(asked.output) != "/dev/null":
            call.machine.files.write(call.path(asked.output), body)
        return 0
    async for chunk in answer.body:
        await call.write(chunk)
    return 0


def _read(words: list[str]) -> Asked:
    asked, rest = Asked(), list(words)
    while rest:
        word = rest.pop(0)
        value = rest.pop(0) if word in _VALUES and rest else ""
        match word:
            case "-X" | "--request":
                asked.method = value
            case "-d" | "--data" | "--data-raw":
                asked.body = value
            case "-o" | "--output" | "-O":
                asked.output = "" if value == "-" else value
            case "-H" | "--header":
                name, _, text = value.partition(":")
                asked.headers[name.strip().lower()] = text.strip()
            case "--fail":
                asked.flags += "f"
            case "--silent":
                asked.flags += "s"
            case _ if word.startswith("-"):
                asked.flags += word.lstrip("-") if not word.startswith("--") else ""
            case _:
                asked.url = word
    return asked


def _address(url: str) -> tuple[urllib.parse.SplitResult, int]:
    parts = urllib.parse.urlsplit(url if re.match(r"\w+://", url) else f"http://{url}")
    try:
        return parts, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return parts, 0


PROGRAMS: dict[str, Program] = {"curl": curl, "wget": wget}
