"""Requests of simulated programs to what listens in their own pod: straight to the ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from sealane.sandbox.world.programs.messages import ASGIApp, Message


class Response(msgspec.Struct, frozen=True):
    """The head of an answer, and its body as it comes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]

    async def all(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.body])


@contextlib.asynccontextmanager
async def request(
    app: ASGIApp, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Response]:
    """Ask; leaving the block hangs up."""
    messages: asyncio.Queue[Message | None] = asyncio.Queue()
    asked = False
    gone = asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.put_nowait(message)

    async def run() -> None:
        try:
            await app(_scope(method, target, headers or {}), receive, send)
        finally:
            messages.put_nowait(None)

    task = asyncio.create_task(run(), name=f"{method} {target} within a pod")
    try:
        yield await _begun(messages)
    finally:
        gone.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _begun(messages: asyncio.Queue[Message | None]) -> Response:
    start = await messages.get()
    if start is None:
        raise ConnectionResetError("the server closed the connection")

    async def body() -> AsyncIterator[bytes]:
        while (message := await messages.get()) is not None:
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    found = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Response(int(start["status"]), found, body())


def _scope(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": urllib.parse.unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 0), "client": ("127.0.0.1", 0),
    }  # fmt: skip
