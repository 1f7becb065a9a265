"""Serving an ASGI application that can be replaced while its socket stays open.

Switching clusters builds new applications; the sockets, and with them the addresses that people have open, stay.
uvicorn's own lifespan and signal handling are off: `up` owns both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sealane.runtime import httplimits

STOP_LIMIT = 1
KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, or they would send into one that closes."""


class Swap:
    """An ASGI application that hands every request to the one that is set now."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def set(self, app: ASGIApp | None) -> None:
        """Requests from now on go to `app`, or are told to wait a second; those under way stay with the former one."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is not None:
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"Sealane is opening its clusters; try again in a second.\n"})
        return None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, sock: socket.socket, *, name: str) -> AsyncIterator[None]:
    """Serve `app` on a listening socket for as long as the context is open; ends within about a second."""
    config = uvicorn.Config(
        app,
        http=httplimits.Protocol,
        proxy_headers=False,  # nobody stands before us who could be believed about addresses
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=STOP_LIMIT,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
        date_header=False,
        ws="none",
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]), name=f"serve {name}")
    try:
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task
