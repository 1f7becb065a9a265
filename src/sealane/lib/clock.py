"""Time comes from here and nowhere else, so that a test can hold it still.

`Clock` is a protocol with three readings; `SYSTEM` is the real one. Code that waits takes a clock as an argument.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """What code may ask of time."""

    def now(self) -> datetime.datetime:
        """Wall time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some start, those in which the machine was suspended included; never steps back."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux `time.monotonic` stands still while the machine is suspended: an hour-old list would seem seconds old."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_STEADY)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM: Clock = SystemClock()


class ManualClock:
    """A clock that moves when told: for tests and replays. `sleep` advances it and yields once."""

    def __init__(self, start: datetime.datetime | None = None) -> None:
        self._now = start or datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        self._monotonic = 1_000.0

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self._now += datetime.timedelta(seconds=seconds)
        self._monotonic += seconds

    def set_wall(self, seconds: float) -> None:
        """Put the wall clock alone on by so much, or back."""
        self._now += datetime.timedelta(seconds=seconds)

    def now(self) -> datetime.datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)
