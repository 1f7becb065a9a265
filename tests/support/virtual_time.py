"""Hours in milliseconds: an event loop whose time jumps to the next thing that is due.

Code under test uses asyncio's own timers and `lib.clock` as it always does; nothing waits on real time, and a run with
the same inputs is the same run.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which nobody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self._virtual = max(self._virtual, loop._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class VirtualClock:
    """`lib.clock.Clock` on that loop. `slept` is time in which the machine was suspended: timers did not run, but both
    readings went on. `wall` is how far somebody has set the wall clock."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.wall = 0.0

    def now(self) -> datetime.datetime:
        since = datetime.timedelta(seconds=self.monotonic() + self.wall)
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + since

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.slept

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
