"""Simulated time: fast when asked, still when told, and honest about the wall clock."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from sealane.sandbox.world.clock import SandboxClock, SteppedClock, stamp


async def test_a_fast_clock_sleeps_only_a_fraction_of_the_seconds() -> None:
    clock = SandboxClock(speed=100_000)
    begun = asyncio.get_running_loop().time()
    await clock.sleep(60)
    assert asyncio.get_running_loop().time() - begun < 1


def test_simulated_seconds_pass_faster_but_the_wall_time_stays_real() -> None:
    clock = SandboxClock(speed=1_000_000)
    first, wall = clock.monotonic(), clock.now()
    while clock.monotonic() - first < 10:
        pass
    assert clock.now() - wall < datetime.timedelta(seconds=5)


@pytest.mark.parametrize("speed", [0, -1])
def test_a_speed_that_would_stop_or_turn_time_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        SandboxClock(speed=speed)


async def test_sleepers_wake_in_the_order_of_their_deadlines_when_the_clock_is_moved() -> None:
    clock = SteppedClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 3))
        group.create_task(sleeper("early", 1))
        await clock.advance(0.5)
        assert woken == []
        await clock.advance(5)
    assert woken == [("early", 1.0), ("late", 3.0)]
    assert clock.monotonic() == 5.5


async def test_what_a_woken_sleeper_waits_for_next_is_within_the_same_step() -> None:
    clock = SteppedClock()
    laps = 0

    async def runner() -> None:
        nonlocal laps
        while laps < 10:
            await clock.sleep(1)
            laps += 1

    task = asyncio.create_task(runner())
    await clock.advance(4.5)
    assert laps == 4
    await clock.advance(10)
    await task


async def test_a_cancelled_sleeper_does_no_harm() -> None:
    clock = SteppedClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(2)
    assert task.cancelled()


def test_stamps_are_in_utc_with_whole_seconds() -> None:
    moment = datetime.datetime(2026, 5, 4, 3, 2, 1, 999, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert stamp(moment) == "2026-05-04T01:02:01Z"
    assert SteppedClock().stamp() == "2026-01-01T00:00:00Z"
    assert SteppedClock().stamp_micro() == "2026-01-01T00:00:00.000000Z"
