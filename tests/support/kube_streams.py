"""Scripted WebSockets and logs for `kube_server`: a test writes the server's half of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from kube_server import status

Script = Callable[[web.WebSocketResponse], Awaitable[None]]
GONE = status(404, "NotFound", 'pods "web" not found', kind="pods", name="web")
SUCCESS = b'\x03{"metadata":{},"status":"Success"}'


@dataclass
class Channels:
    """An answer that accepts a WebSocket with the first of `protocols` that the client offers and plays `script`."""

    script: Script
    protocols: Sequence[str] = ("v5.channel.k8s.io", "v4.channel.k8s.io")
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        try:
            await self.script(socket)
        finally:
            self.left.set()
        return socket


def exited(code: int) -> bytes:
    """The error channel's message for a command that ended with a code other than 0."""
    return (
        b'\x03{"metadata":{},"status":"Failure","message":"command terminated with exit code %d",'
        b'"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}' % (code, code)
    )


def failed(code: int, message: str) -> bytes:
    """The error channel's message for a command that could not be run."""
    return b'\x03{"metadata":{},"status":"Failure","message":"%s","reason":"InternalError","code":%d}' % (
        message.encode(),
        code,
    )


def at(second: float, text: str) -> bytes:
    """A line as a kubelet sends it, `second` after 10:00."""
    whole, part = divmod(round(second * 1_000_000_000), 1_000_000_000)
    return f"2026-01-01T10:{whole // 60:02}:{whole % 60:02}.{part:09}Z {text}\n".encode()
