"""Waiting for what comes first: something happened, or enough time passed. Time is the clock's, so tests own it."""

from __future__ import annotations

import asyncio

from sealane.lib.clock import Clock


async def until(event: asyncio.Event, *, clock: Clock, seconds: float) -> bool:
    """Return when `event` is set (True) or after `seconds` (False). The event is left as it is."""
    if event.is_set():
        return True
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    woken = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({sleeping, woken}, return_when=asyncio.FIRST_COMPLETED)
        return event.is_set()
    finally:
        sleeping.cancel()
        woken.cancel()
        await asyncio.gather(sleeping, woken, return_exceptions=True)
