"""Exec and attach over a plain upgrade to SPDY: what kubectl falls back to where a WebSocket was refused.

It is refused for people with `create` but without `get` on pods/exec, and by older clients it is all that is spoken.
The client opens a stream for each thing it wants and says in a header which it is; the Status comes on `error`.
"""

from __future__ import annotations

from typing import Final

from sealane.sandbox.streams import console
from sealane.sandbox.streams.console import Console, Process, Wanted
from sealane.sandbox.streams.duplex import Duplex
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data, Frame, GoAway, RstStream, SpdyError, Status, SynStream

VERSION: Final = "v4.channel.k8s.io"


class Remote:
    """One process and its client."""

    def __init__(self, duplex: Duplex, process: Process, wanted: Wanted) -> None:
        self._duplex = duplex
        self._process = process
        self._wanted = wanted
        self._session = Session(server=True)
        self._streams: dict[str, int] = {}
        self._console = Console(wanted, self._send)

    async def serve(self) -> None:
        """From the first stream to the end: the process has ended, or the client is gone (which ends the process)."""
        try:
            if await self._all_open():
                status = await console.first_of(self._run, self._feed)
                await self._end(status)
        finally:
            await self._duplex.close()

    async def _run(self) -> bytes:
        return await console.run(self._process, self._console, self._wanted, translated=False)

    async def _all_open(self) -> bool:
        """Wait for every stream that was asked for; False when the client went away before."""
        names = {name for name in ("stdin", "stdout", "stderr") if getattr(self._wanted, name)}
        names = (names - {"stderr"} | {"resize"} if self._wanted.tty else names) | {"error"}
        while names - set(self._streams):
            if not await self._turn():
                return False
        return True

    async def _feed(self) -> None:
        while await self._turn():
            continue

    async def _turn(self) -> bool:
        """Take in what comes next; False at the end."""
        data = await self._duplex.read()
        try:
            events = self._session.receive(data)
        except SpdyError:
            data, events = b"", []
        going = bool(data)
        for event in events:
            going = await self._take(event) and going
        await self._flush()
        return going

    async def _take(self, event: Frame) -> bool:
        if isinstance(event, SynStream):
            name = event.header("streamtype")
            if name in self._streams or name not in {"stdin", "stdout", "stderr", "error", "resize"}:
                self._session.reset(event.stream, Status.REFUSED_STREAM)
            else:
                self._session.reply(event.stream)
                self._streams[name] = event.stream
        elif isinstance(event, Data) and event.stream == self._streams.get("resize"):
            self._console.resize(event.data)
        elif isinstance(event, Data) and event.stream == self._streams.get("stdin"):
            await self._console.feed(event.data)
            if event.fin:
                await self._console.end_input()
        return not isinstance(event, GoAway) and not (
            isinstance(event, RstStream) and event.stream == self._streams.get("stdout")
        )

    async def _send(self, stream: str, data: bytes) -> None:
        self._session.send(self._streams[stream], data)
        await self._flush()

    async def _end(self, status: bytes | None) -> None:
        for name in ("stdout", "stderr"):
            if name in self._streams:
                self._session.send(self._streams[name], b"", fin=True)
        if status is not None:
            self._session.send(self._streams["error"], status, fin=True)
        self._session.go_away()
        await self._flush()

    async def _flush(self) -> None:
        data = self._session.outgoing()
        if data:
            await self._duplex.write(data)
