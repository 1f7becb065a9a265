"""A WebSocket of an ASGI server as messages, and as one stream of bytes for what is tunnelled through it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WebSocket:
    """One connection that the server has not accepted yet. `offered` are the subprotocols of the client, in order."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.offered: tuple[str, ...] = tuple(scope.get("subprotocols") or ())
        self._receive = receive
        self._send = send
        self._open = False

    async def accept(self, subprotocol: str) -> None:
        """Say yes, with a subprotocol ("": none)."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol or None})
        self._open = True

    async def receive(self) -> bytes | str | None:
        """The next message; None when the client is gone."""
        while self._open:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._open = False
            elif message["type"] == "websocket.receive":
                found = message.get("bytes")
                return found if found is not None else str(message.get("text") or "")
        return None

    async def send(self, data: bytes | str) -> None:
        """Send a message; dropped when the client is gone."""
        if self._open:
            await self._send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})

    async def read(self) -> bytes:
        """See Duplex: the bytes of the next message that has any."""
        while (message := await self.receive()) is not None:
            data = message.encode() if isinstance(message, str) else message
            if data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """See Duplex."""
        if data:
            await self.send(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye; nothing when that was done."""
        if self._open:
            self._open = False
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
