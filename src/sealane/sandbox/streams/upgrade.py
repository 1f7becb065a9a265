"""A connection that a client upgrades to SPDY: the bytes after `101 Switching Protocols`, in both directions.

The listener offers it to applications as an extension of the scope (`EXTENSION`): a function that answers 101 and
gives the stream.
"""

from __future__ import annotations

import asyncio
from typing import Final

EXTENSION: Final = "sealane.upgrade"
_MOST_WAITING: Final = 1024 * 1024


class Upgraded:
    """See Duplex. `transport` is the connection's own; the listener calls `feed`, `writable` and `lost`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._in = bytearray()
        self._changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._lost = False

    async def read(self) -> bytes:
        """What the client sent."""
        while not self._in and not self._lost:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._in)
        self._in.clear()
        if not self._lost:
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send, when the connection takes it."""
        await self._may_write.wait()
        if not self._lost:
            self._transport.write(data)

    async def close(self) -> None:
        """End the connection once all is sent."""
        self._transport.close()

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        self._in += data
        self._changed.set()
        if len(self._in) > _MOST_WAITING:
            self._transport.pause_reading()

    def writable(self, *, now: bool) -> None:
        """Whether the connection takes more."""
        if now:
            self._may_write.set()
        else:
            self._may_write.clear()

    def lost(self) -> None:
        """The connection is gone."""
        self._lost = True
        self._changed.set()
        self._may_write.set()
