"""Port-forward as kubelets serve it: two SPDY streams a connection, one for its bytes and one for what went wrong.

The same code serves kubectl's tunnel through a WebSocket and a plain upgrade to SPDY. A connection that nobody answers
is told so on its error stream and both streams are reset; the others go on.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from sealane.sandbox.streams.duplex import Duplex
from sealane.sandbox.streams.loopback import Loopback
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data, Frame, RstStream, SpdyError, Status, SynStream

Dial = Callable[[int], Loopback]
_WAITING = 64


class Refused(Exception):
    """Nothing listens there; the text is what the runtime says."""


@dataclasses.dataclass
class _Pair:
    """The two streams of one connection; `queue` holds what came for it (b"" is the end)."""

    port: int
    data: int = 0
    error: int = 0
    queue: asyncio.Queue[bytes] = dataclasses.field(default_factory=lambda: asyncio.Queue(_WAITING))
    task: asyncio.Task[None] | None = None

    @property
    def whole(self) -> bool:
        return bool(self.data and self.error)


class Forwarder:
    """One connection of a client, with all that it forwards. `dial` opens a port of the pod or raises Refused."""

    def __init__(self, duplex: Duplex, dial: Dial) -> None:
        self._duplex = duplex
        self._dial = dial
        self._session = Session(server=True)
        self._pairs: dict[str, _Pair] = {}
        self._by_data: dict[int, _Pair] = {}
        self._writing = asyncio.Lock()

    async def serve(self) -> None:
        """Until the client goes away or speaks no SPDY; then all its connections end."""
        try:
            async with asyncio.TaskGroup() as group:
                while await self._turn(group):
                    continue
                for pair in self._by_data.values():
                    _end(pair)
        finally:
            await self._duplex.close()

    async def _turn(self, group: asyncio.TaskGroup) -> bool:
        """Take in what comes next; False at the end."""
        data = await self._duplex.read()
        try:
            events = self._session.receive(data)
        except SpdyError:
            data, events = b"", []
        for event in events:
            await self._take(event, group)
        await self._flush()
        return bool(data)

    async def _take(self, event: Frame, group: asyncio.TaskGroup) -> None:
        if isinstance(event, SynStream):
            pair = self._opened(event)
            if pair is not None and pair.whole:
                self._by_data[pair.data] = pair
                pair.task = group.create_task(self._connect(pair), name=f"port-forward {pair.port}")
            return
        found = self._by_data.get(event.stream) if isinstance(event, (Data, RstStream)) else None
        if found is None and isinstance(event, RstStream):  # half of a pair that will never be whole
            halves = self._pairs.items()
            self._pairs = {key: pair for key, pair in halves if event.stream not in (pair.data, pair.error)}
        if found is not None and isinstance(event, RstStream):
            _end(found)
        elif found is not None and isinstance(event, Data):
            if event.data:
                await found.queue.put(event.data)
            if event.fin:
                await found.queue.put(b"")

    def _opened(self, event: SynStream) -> _Pair | None:
        port, kind = event.header("port"), event.header("streamtype")
        number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        if not 0 < number < 65_536 or kind not in {"data", "error"}:
            self._session.reset(event.stream, Status.REFUSED_STREAM)
            return None
        self._session.reply(event.stream)
        older = event.stream if kind == "error" else event.stream - 2  # clients of old give no id
        identity = event.header("requestid") or str(older)
        pair = self._pairs.setdefault(identity, _Pair(number))
        if kind == "data":
            pair.data = event.stream
        else:
            pair.error = event.stream
        if pair.whole:
            del self._pairs[identity]
        return pair

    async def _connect(self, pair: _Pair) -> None:
        try:
            connection = self._dial(pair.port)
        except Refused as error:
            self._session.send(pair.error, str(error).encode())
            self._session.reset(pair.data)
            self._session.reset(pair.error)
            self._by_data.pop(pair.data, None)
            await self._flush()
            return
        sending = asyncio.create_task(_carry(pair, connection), name=f"to port {pair.port}")
        try:
            while data := await connection.read():
                self._session.send(pair.data, data)
                await self._flush()
            self._session.send(pair.data, b"", fin=True)
            self._session.send(pair.error, b"", fin=True)
            await self._flush()
        finally:
            self._by_data.pop(pair.data, None)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            while not pair.queue.empty():  # whoever waits for room in it serves the other connections too
                pair.queue.get_nowait()
            await connection.hang_up()

    async def _flush(self) -> None:
        async with self._writing:
            data = self._session.outgoing()
            if data:
                await self._duplex.write(data)


async def _carry(pair: _Pair, connection: Loopback) -> None:
    """Bytes of the client to the port, until it has no more to send and the answer is under way."""
    while data := await pair.queue.get():
        await connection.feed(data)
    connection.close()


def _end(pair: _Pair) -> None:
    if pair.task is not None:
        pair.task.cancel()
