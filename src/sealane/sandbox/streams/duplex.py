"""The one shape of a two-way stream of bytes here: a WebSocket, an upgraded connection and a pod's port all have it."""

from __future__ import annotations

from typing import Protocol

PIECE = 64 * 1024


class Duplex(Protocol):
    """Bytes both ways. A read of nothing is the end; a write after the end is dropped."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...
