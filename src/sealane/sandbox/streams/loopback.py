"""A connection to an ASGI application without a socket: bytes in, bytes out, HTTP and WebSockets as over TCP.

Port-forward needs what a pod serves as a stream of bytes, and opening real ports for simulated pods would leave them
open to everybody on this computer. uvicorn's own protocols do the parsing, on a transport that is two queues.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sealane.sandbox.streams.duplex import PIECE

_MOST_WAITING = 4 * PIECE


class Loopback(asyncio.Transport):
    """See the module, and Duplex for read, write and close. Use it inside a running event loop."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        config = Config(
            app, http=HttpToolsProtocol, ws="wsproto", lifespan="off", log_config=None, log_level="critical",
            access_log=False, server_header=False, ws_ping_interval=None, ws_per_message_deflate=False,
        )  # fmt: skip
        config.load()
        self._state = ServerState()
        self._out = bytearray()
        self._changed = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._paused = False
        self._closing = False
        loop = asyncio.get_running_loop()
        self._protocol: Any = HttpToolsProtocol(config, server_state=self._state, app_state={}, _loop=loop)
        self._protocol.connection_made(self)

    async def read(self) -> bytes:
        """What the application sent."""
        while not self._out and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._out[:PIECE])
        del self._out[:PIECE]
        if self._paused and len(self._out) < PIECE:
            self._paused = False
            self._protocol.resume_writing()
        return data

    async def feed(self, data: bytes) -> None:
        """What the client sent. Waits while the application does not read."""
        await self._reading.wait()
        if not self._closing:
            self._protocol.data_received(data)

    async def hang_up(self) -> None:
        """The client is gone: end requests under way."""
        if not self._closing:
            self.close()
        for task in tuple(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)

    def write(self, data: Any) -> None:
        """See asyncio.WriteTransport."""
        if self._closing:
            return
        self._out += data
        self._changed.set()
        if len(self._out) > _MOST_WAITING and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """See asyncio.BaseTransport."""
        if not self._closing:
            self._closing = True
            self._reading.set()
            self._changed.set()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        """See asyncio.BaseTransport."""
        return self._closing

    def pause_reading(self) -> None:
        """See asyncio.ReadTransport."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """See asyncio.ReadTransport."""
        self._reading.set()

    def set_protocol(self, protocol: Any) -> None:
        """See asyncio.BaseTransport."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See asyncio.BaseTransport."""
        return {"sockname": ("127.0.0.1", 0), "peername": ("127.0.0.1", 0)}.get(name, default)
