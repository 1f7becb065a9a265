"""A container's log: lines with the moment they were written, read from the start, the tail, or as they come."""

from __future__ import annotations

import asyncio
import collections
import datetime
from collections.abc import AsyncIterator

import msgspec

_KEPT = 5_000


class Line(msgspec.Struct, frozen=True):
    """One line without its newline."""

    at: datetime.datetime
    text: str

    def encoded(self, *, timestamps: bool) -> bytes:
        """The line as the API hands it out."""
        stamp = self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ ") if timestamps else ""
        return f"{stamp}{self.text}\n".encode()


class Log:
    """Bounded; `close` ends those that follow."""

    def __init__(self) -> None:
        self._lines: collections.deque[Line] = collections.deque(maxlen=_KEPT)
        self._written = 0
        self._closed = False
        self._changed = asyncio.Event()

    def write(self, at: datetime.datetime, text: str) -> None:
        """Add a line (several, if the text holds newlines)."""
        for part in text.splitlines() or [""]:
            self._lines.append(Line(at, part))
            self._written += 1
        self._wake()

    def tail(self, lines: int) -> str:
        """The last lines as one text, as a termination message holds them (at most 2048 characters)."""
        kept = list(self._lines)[-lines:]
        return "".join(f"{line.text}\n" for line in kept)[-2048:]

    def close(self) -> None:
        """Nothing more will be written."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def read(
        self,
        *,
        follow: bool,
        tail_lines: int | None,
        timestamps: bool,
        since: datetime.datetime | None,
    ) -> AsyncIterator[bytes]:
        """The lines asked for; following, also those to come until the log is closed."""
        lines = [line for line in self._lines if since is None or line.at >= since]
        if tail_lines is not None:
            lines = lines[len(lines) - min(tail_lines, len(lines)) :]
        seen = self._written
        for line in lines:
            yield line.encoded(timestamps=timestamps)
        while follow:
            waiting = self._changed
            fresh = min(self._written - seen, len(self._lines))
            seen = self._written
            for line in list(self._lines)[len(self._lines) - fresh :]:
                yield line.encoded(timestamps=timestamps)
            if self._closed and seen == self._written:
                return
            if seen == self._written:
                await waiting.wait()
