"""A terminal's line discipline, and the plainer inputs: a shell in a pod echoes what is typed, for kubectl does not.

One task reads the console; it fills a buffer, except that ctrl-C ends the program that runs. Lines are edited with
backspace, ctrl-U and ctrl-W; ctrl-D on an empty line is the end.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable

from sealane.sandbox.streams.console import Console

_INTERRUPT, _END, _KILL_LINE, _KILL_WORD = "\x03", "\x04", "\x15", "\x17"
_ERASE = ("\x7f", "\b")
LONGEST_LINE = 16 * 1024


class Interrupted(Exception):
    """ctrl-C while a line was typed."""


class Terminal:
    """See the module. `pump` reads until the client ends its input; `interrupt` is set while a program runs."""

    is_terminal = True

    def __init__(self, console: Console) -> None:
        self.interrupt: Callable[[], None] | None = None
        self._console = console
        self._typed: list[str] = []
        self._changed = asyncio.Event()
        self._ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def pump(self) -> None:
        """Carry what is typed into the buffer."""
        while data := await self._console.read():
            for sign in self._decoder.decode(data):
                if sign == _INTERRUPT and self.interrupt is not None:
                    self._typed.clear()
                    await self._console.out(b"^C\r\n")
                    self.interrupt()
                elif len(self._typed) < LONGEST_LINE:
                    self._typed.append(sign)
            self._changed.set()
        self._ended = True
        self._changed.set()

    async def line(self, prompt: str = "") -> str | None:
        """See Input. Raises Interrupted."""
        await self._echo(prompt)
        line: list[str] = []
        while True:
            sign = await self._sign()
            if sign is None or (sign == _END and not line):
                return "".join(line) if line else None
            if sign in "\r\n":
                await self._echo("\r\n")
                return "".join(line)
            if sign == _INTERRUPT:
                await self._echo("^C\r\n")
                raise Interrupted
            await self._edit(line, sign)

    async def all(self) -> bytes:
        """See Input."""
        lines: list[str] = []
        while (line := await self.line()) is not None:
            lines.append(line + "\n")
        return "".join(lines).encode()

    async def _edit(self, line: list[str], sign: str) -> None:
        if sign in _ERASE:
            if line:
                line.pop()
                await self._echo("\b \b")
        elif sign in (_KILL_LINE, _KILL_WORD):
            begins = 0 if sign == _KILL_LINE else "".join(line).rstrip().rfind(" ") + 1
            kept = line[:begins]
            await self._echo("\b \b" * (len(line) - len(kept)))
            line[:] = kept
        elif sign == "\x1b":
            await self._skip_sequence()
        elif sign.isprintable():
            line.append(sign)
            await self._echo(sign)

    async def _skip_sequence(self) -> None:
        """Arrow keys and the like: nothing here remembers lines."""
        if await self._sign() == "[":
            while (sign := await self._sign()) is not None and not sign.isalpha() and sign != "~":
                continue

    async def _sign(self) -> str | None:
        while not self._typed:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._typed.pop(0)

    async def _echo(self, text: str) -> None:
        if text:
            await self._console.out(text.encode())


class Plain:
    """Input that nobody types: bytes as they come."""

    is_terminal = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = b""

    async def line(self, prompt: str = "") -> str | None:
        """See Input."""
        del prompt
        while b"\n" not in self._rest:
            data = await self._console.read()
            if not data:
                rest, self._rest = self._rest, b""
                return rest.decode("utf-8", "replace") if rest else None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def all(self) -> bytes:
        """See Input."""
        parts, self._rest = [self._rest], b""
        while data := await self._console.read():
            parts.append(data)
        return b"".join(parts)


class Given:
    """Input that is there already: of a pipe or a file."""

    is_terminal = False

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def line(self, prompt: str = "") -> str | None:
        """See Input."""
        del prompt
        if not self._data:
            return None
        line, _, self._data = self._data.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def all(self) -> bytes:
        """See Input."""
        data, self._data = self._data, b""
        return data
