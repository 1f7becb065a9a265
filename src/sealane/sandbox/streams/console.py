"""What a process in a container sees of whoever called it: input, two outputs, and perhaps a terminal with a size.

Both ways in (WebSocket channels and SPDY streams) feed one of these, so that programs know neither. Input waits in a
short queue: a client that sends faster than the program reads is held back on its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from sealane.sandbox.streams import outcome
from sealane.sandbox.streams.duplex import PIECE

Process = Callable[["Console"], Awaitable[int]]
_WAITING = 64


class Wanted(msgspec.Struct, frozen=True):
    """Which streams a client asked for. `command` is empty when it attaches."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    command: tuple[str, ...] = ()


class Send(Protocol):
    """Sends bytes of a stream (`stdout`, `stderr`) to the client."""

    async def __call__(self, stream: str, data: bytes) -> None: ...


class Console:
    """See the module. `size` is (columns, rows) of the terminal, once it is known."""

    def __init__(self, wanted: Wanted, send: Send) -> None:
        self.tty = wanted.tty
        self.size: tuple[int, int] | None = None
        self._wanted = wanted
        self._send = send
        self._input: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._ended = not wanted.stdin

    @property
    def has_input(self) -> bool:
        """Whether the client sends any."""
        return self._wanted.stdin

    async def read(self) -> bytes:
        """Some bytes of the input; b"" at its end, from then on always."""
        if self._ended and self._input.empty():
            return b""
        data = await self._input.get()
        if not data:
            self._ended = True
        return data

    async def out(self, data: bytes) -> None:
        """Write to the output."""
        if self._wanted.stdout:
            await self._write("stdout", data)

    async def err(self, data: bytes) -> None:
        """Write to the error output, which a terminal shows as any other."""
        if self.tty:
            await self.out(data)
        elif self._wanted.stderr:
            await self._write("stderr", data)

    async def feed(self, data: bytes) -> None:
        """Input came. Waits while the program does not read."""
        if data and not self._ended:
            await self._input.put(data)

    async def end_input(self) -> None:
        """No more input comes."""
        if not self._ended:
            await self._input.put(b"")

    def resize(self, message: bytes) -> None:
        """The terminal's size, as clients send it: `{"Width": 80, "Height": 24}`."""
        with contextlib.suppress(msgspec.MsgspecError):
            found = msgspec.json.decode(message, type=dict[str, int])
            self.size = (found.get("Width", 80), found.get("Height", 24))

    async def _write(self, stream: str, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            await self._send(stream, data[at : at + PIECE])


async def run(process: Process, console: Console, wanted: Wanted, *, translated: bool) -> bytes:
    """Run a process to its end; the Status that says how it ended."""
    try:
        code = await process(console)
    except outcome.CannotStart as error:
        return outcome.not_started(str(error), translated=translated)
    return outcome.exited(code, wanted.command, translated=translated) if code else outcome.success()


async def first_of(work: Callable[[], Awaitable[Any]], until: Callable[[], Awaitable[Any]]) -> Any:
    """What `work` says, or None when `until` ended before it. Whatever is left is cancelled; errors are raised."""
    working, waiting = asyncio.ensure_future(work()), asyncio.ensure_future(until())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        waiting.result()
        return None
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
