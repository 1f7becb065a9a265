"""Noticing that this computer slept, was suspended, or stood still: connections from before are dead without a word.

TCP says nothing about it for minutes, and timers do not run while a laptop's lid is closed, so a console would call
itself live with the data of yesterday. A task looks at both clocks every other second. If more time passed than it
waited, on either, something stood still: the machine (both clocks or the wall clock go on, depending on the system), a
virtual machine (its wall clock is set right afterwards), or this process. A wall clock that was set back is no sleep.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Awaitable, Callable

from sealane.lib.clock import Clock
from sealane.lib.text import duration

_log = logging.getLogger(__name__)
EVERY = 2.0
"""Seconds between looks."""
JUMP = 10.0
"""Seconds more than expected that count as sleep; an event loop that is busy for so long needs the same remedy."""


async def watch(clock: Clock, on_wake: Callable[[float], Awaitable[None]]) -> None:
    """Call `on_wake` with the seconds that were slept, after each sleep, for ever. What it raises is logged."""
    while True:
        wall, steady = clock.now(), clock.monotonic()
        await clock.sleep(EVERY)
        passed = max((clock.now() - wall) / datetime.timedelta(seconds=1), clock.monotonic() - steady)
        if passed - EVERY <= JUMP:
            continue
        _log.info("this computer stood still for %s; connections are made anew", duration(passed))
        try:
            await on_wake(passed)
        except Exception:  # noqa: BLE001 - a task's border: the next sleep must be noticed too
            _log.exception("not everything could be made anew after a sleep")
