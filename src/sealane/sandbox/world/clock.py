"""The sandbox's own time.

Simulated work (pulling an image, loading a model, writing tokens) is told in simulated seconds; `speed` says how many
of them pass in one real second, so that a demonstration is believable at 1 and a test is over at once at 1000.
Wall time stays real: the timestamps in objects must not run ahead of the clock on the reader's wall.
`SteppedClock` moves only when told, for tests; nothing else in the sandbox reads time.
"""

from __future__ import annotations

import asyncio
import datetime
import heapq
import itertools
import time


class SandboxClock:
    """Real wall time, simulated durations. `speed` is simulated seconds per real second (> 0)."""

    def __init__(self, *, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"The speed of the sandbox must be above 0, not {speed:g}.")
        self.speed = speed

    def now(self) -> datetime.datetime:
        """Wall time, aware, in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Simulated seconds since some start; never steps back."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` simulated seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    def stamp(self) -> str:
        """`now` as Kubernetes writes most timestamps: RFC 3339, whole seconds, Z."""
        return stamp(self.now())

    def stamp_micro(self) -> str:
        """`now` as leases and event times carry it: RFC 3339 with microseconds."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class SteppedClock(SandboxClock):
    """Stands still until `advance`; sleepers wake in the order of their deadlines."""

    def __init__(self, start: datetime.datetime | None = None) -> None:
        super().__init__(speed=1.0)
        self._start = start or datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime.datetime:
        return self._start + datetime.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time forward, letting everything that is due run in between."""
        target = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, deadline)
            if not future.done():
                future.set_result(None)
                await settle()
        self._elapsed = target
        await settle()


async def settle(rounds: int = 30) -> None:
    """Let every task that can run do so; `rounds` bounds the chain of wake-ups that is followed."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def stamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as `metadata.creationTimestamp` has it."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
