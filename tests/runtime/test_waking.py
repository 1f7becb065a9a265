"""After a sleep every cluster's connections are dropped, and only then."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import virtual_time
from virtual_time import VirtualClock

from sealane.runtime import waking


class Line:
    def __init__(self) -> None:
        self.hung_up = 0

    async def hang_up(self) -> None:
        self.hung_up += 1


def test_a_sleep_hangs_up_every_cluster_once() -> None:
    lines = [Line(), Line()]
    fleet: Any = types.SimpleNamespace(
        clusters={str(n): types.SimpleNamespace(client=one) for n, one in enumerate(lines)}
    )

    async def main() -> list[int]:
        clock, seen = VirtualClock(), []
        async with waking.watching(fleet, clock=clock):
            for slept in (0.0, 3600.0, 0.0):
                clock.slept += slept
                await asyncio.sleep(5)
                seen.append(sum(line.hung_up for line in lines))
        return seen

    assert virtual_time.run(main()) == [0, 2, 2]
