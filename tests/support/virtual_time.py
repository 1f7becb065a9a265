"""Hours in milliseconds: an event loop whose time jumps to the next thing that is due.

Code under test uses asyncio's own timers and `lib.clock` as it always does; nothing waits on real time, and a run with
the same inputs is the same run.
"""

from __future__ import annotations

import asyncio
import datetime
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Nowhere(selectors.SelectSelector):
    """Nothing comes from outside, so the system is not asked: half of a virtual hour's real time went there."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which nobody waits, and to which no socket and no thread can speak."""

    def __init__(self) -> None:
        super().__init__(_Nowhere())
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready:
            if not loop._scheduled:
                raise RuntimeError("everybody waits for something that nobody will do")
            self._virtual = max(self._virtual, loop._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class VirtualClock:
    """`lib.clock.Clock` on that loop. `slept` is time in which the machine was suspended: timers did not run, but both
    readings went on. `wall` is how far somebody has set the wall clock."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.wall = 0.0
        self.jumped = asyncio.Event()

    def suspend(self, seconds: float) -> None:
        """The machine stood still for so long."""
        self.slept += seconds
        self.jumped.set()

    def set_wall(self, seconds: float) -> None:
        """Somebody put the wall clock on by so much (or back)."""
        self.wall += seconds
        self.jumped.set()

    def now(self) -> datetime.datetime:
        since = datetime.timedelta(seconds=self.monotonic() + self.wall)
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + since

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.slept

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class EventfulClock:
    """That clock for somebody who looks at it every few seconds for ever (`lib.wake`).

    Looks between which nothing can have happened are left out, and time does not seem to have passed in them. What is
    seen, and when, stays the same.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._left_out = 0.0

    def now(self) -> datetime.datetime:
        return self._clock.now() - datetime.timedelta(seconds=self._left_out)

    def monotonic(self) -> float:
        return self._clock.monotonic() - self._left_out

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._clock.jumped.wait()
        self._clock.jumped.clear()
        since = loop.time() - began
        self._left_out += since // seconds * seconds
        await asyncio.sleep(seconds - since % seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
