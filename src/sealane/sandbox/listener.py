"""One TLS port on loopback that serves one ASGI application, and that can be taken down and put up again.

uvicorn's HTTP protocol does the parsing; its server loop is left out, for it wakes ten times a second, and three
clusters shall cost nothing while nobody asks. The client certificate's subject is put where the application finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState

from sealane.sandbox.api.users import PEER
from sealane.sandbox.streams.upgrade import EXTENSION, Upgraded

_KEEP_ALIVE_SECONDS = 90
_HEAD_BYTES = 1024 * 1024  # as a real API server takes
_MESSAGE_BYTES = 4 * 1024 * 1024  # of one WebSocket message


class PortTaken(Exception):
    """Somebody else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} of this computer is in use by another program.")
        self.port = port


class Listener:
    """See the module. `port` 0 takes a free one at the first start and keeps it."""

    def __init__(self, app: Any, *, tls: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._config = Config(
            app, http=Protocol, ws=WebSockets, lifespan="off", log_config=None, log_level="critical",
            access_log=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS, server_header=False, date_header=False,
            ws_max_size=_MESSAGE_BYTES, ws_ping_interval=None, ws_per_message_deflate=False,
        )  # fmt: skip
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._comeback: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return Protocol(config=self._config, server_state=self._state, app_state={}, _loop=loop)

        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host, self.port))
        except OSError as error:
            listening.close()
            raise PortTaken(self.port) from error
        self.port = listening.getsockname()[1]
        self._server = await loop.create_server(protocol, sock=listening, ssl=self._tls, backlog=512)

    async def stop(self) -> None:
        """Stop listening and break every connection at once."""
        if self._comeback is not None and self._comeback is not asyncio.current_task():
            self._comeback.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        tasks = tuple(task for task in self._state.tasks if task is not asyncio.current_task())
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*tasks, return_exceptions=True)

    async def down(self, seconds: float) -> None:
        """Be unreachable for a while, beginning after the answer to who asked for it."""
        if self._comeback is None or self._comeback.done():
            self._comeback = asyncio.create_task(self._down(seconds), name="listener down")

    async def _down(self, seconds: float) -> None:
        await asyncio.sleep(0.05)
        await self.stop()
        await asyncio.sleep(seconds)
        await self.start()


class Protocol(HttpToolsProtocol):
    """uvicorn's, which also tells the application whose certificate the client showed, and upgrades to SPDY.

    It holds no head without end either: what comes without completing a head or a part of a body is counted.
    """

    _pending = 0
    _upgraded: Upgraded | None = None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._upgraded is not None:
            self._upgraded.feed(data)
            return
        self._pending += len(data)
        before = self._pending
        super().data_received(data)
        if self._pending == before and before > _HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._pending = 0
        if self._get_upgrade() == b"spdy/3.1":
            _extensions(self.scope)[EXTENSION] = self._upgrade
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._pending = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """A request begins: put the peer's subject into its scope."""
        super().on_message_begin()
        peer = _peer_of(self.transport)
        if peer:
            _extensions(self.scope)[PEER] = peer

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        if self._upgraded is not None:
            self._upgraded.lost()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        if self._upgraded is not None:
            self._upgraded.writable(now=False)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        if self._upgraded is not None:
            self._upgraded.writable(now=True)

    def _upgrade(self, version: str) -> Upgraded:
        """Answer 101 in place of a response; from here on the connection is the application's."""
        self.cycle.disconnected = True  # there is no HTTP answer to wait for
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Connection: Upgrade",
            "Upgrade: SPDY/3.1",
            f"X-Stream-Protocol-Version: {version}",
        )
        self._unset_keepalive_if_required()
        self.transport.write("\r\n".join((*lines, "", "")).encode())
        self._upgraded = Upgraded(self.transport)
        return self._upgraded

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not a WebSocket is the application's to refuse."""


class WebSockets(WSProtocol):
    """uvicorn's, which also tells the application whose certificate the client showed."""

    def handle_connect(self, event: Any) -> None:
        """The handshake: put the peer's subject into the scope before the application sees it."""
        super().handle_connect(event)
        peer = _peer_of(self.transport)
        if peer:
            _extensions(self.scope)[PEER] = peer


def _extensions(scope: Any) -> dict[str, Any]:
    """The scope's extensions, to be added to."""
    found: dict[str, Any] = scope.setdefault("extensions", {})
    return found


def _peer_of(transport: asyncio.Transport) -> dict[str, Any] | None:
    """What the application finds of the client's certificate."""
    secure = transport.get_extra_info("ssl_object")
    peer = secure.getpeercert() if secure is not None else None
    return {"subject": peer.get("subject")} if peer else None
