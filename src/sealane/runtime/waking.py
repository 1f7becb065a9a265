"""After a sleep every connection is made anew at once, instead of when its silence is noticed a minute later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sealane.fleet import Fleet
from sealane.lib import wake
from sealane.lib.clock import SYSTEM, Clock


@contextlib.asynccontextmanager
async def watching(fleet: Fleet, *, clock: Clock = SYSTEM) -> AsyncIterator[None]:
    """Hang up every cluster's connections after each sleep of this computer, for as long as the context is open."""

    async def hang_up(_: float) -> None:
        await asyncio.gather(*(cluster.client.hang_up() for cluster in list(fleet.clusters.values())))

    task = asyncio.create_task(wake.watch(clock, hang_up), name="notice sleep")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
