"""Time that can be held still."""

import asyncio
import datetime

from sealane.lib.clock import SYSTEM, ManualClock


def test_the_system_clock_is_aware_and_never_steps_back():
    assert SYSTEM.now().tzinfo is datetime.UTC
    first = SYSTEM.monotonic()
    assert SYSTEM.monotonic() >= first


async def test_the_system_clock_lets_others_work_while_it_sleeps():
    worked = asyncio.Event()
    asyncio.get_running_loop().call_soon(worked.set)
    await SYSTEM.sleep(0)
    assert worked.is_set()


async def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock()
    before, mark = clock.now(), clock.monotonic()
    clock.advance(5)
    await clock.sleep(2.5)
    assert (clock.now() - before).total_seconds() == 7.5
    assert clock.monotonic() - mark == 7.5


def test_a_manual_clock_can_start_at_any_time():
    start = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    assert ManualClock(start).now() == start
