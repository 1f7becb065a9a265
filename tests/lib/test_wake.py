"""A sleep is noticed by either clock; a clock that somebody sets back, and ordinary delays, are none."""

from __future__ import annotations

import asyncio
import contextlib
import datetime

import pytest

from sealane.lib import wake
from sealane.lib.clock import ManualClock

Jump = tuple[float, float]


class Scripted(ManualClock):
    """Each sleep lasts as asked, and besides moves (wall, monotonic) by the next entry of a script."""

    def __init__(self, script: list[Jump]) -> None:
        super().__init__()
        self._script = iter(script)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        step = next(self._script, None)
        if step is None:
            raise asyncio.CancelledError
        wall, steady = step
        self._now += datetime.timedelta(seconds=wall)
        self._monotonic += steady


async def slept(script: list[Jump], *, failing: bool = False) -> list[float]:
    seen: list[float] = []

    async def woken(seconds: float) -> None:
        seen.append(seconds)
        if failing:
            raise RuntimeError("this one fails")

    with contextlib.suppress(asyncio.CancelledError):
        await wake.watch(Scripted(script), woken)
    return seen


@pytest.mark.parametrize(
    "jump", [(3600.0, 3600.0), (3600.0, 0.0), (0.0, 3600.0)], ids=["both clocks", "wall clock", "monotonic clock"]
)
async def test_a_sleep_is_noticed_once_whichever_clock_went_on(jump: Jump) -> None:
    assert await slept([(0.0, 0.0), jump, (0.0, 0.0)]) == [3602.0]


@pytest.mark.parametrize("jump", [(0.0, 0.0), (9.0, 9.0), (-86_400.0, 0.0)], ids=["none", "a busy loop", "set back"])
async def test_what_is_no_sleep_wakes_nobody(jump: Jump) -> None:
    assert await slept([jump, jump]) == []


async def test_every_sleep_is_noticed_also_after_a_callback_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    assert await slept([(60.0, 60.0), (0.0, 0.0), (90.0, 90.0)], failing=True) == [62.0, 92.0]
    assert "not everything could be made anew" in caplog.text


async def test_a_clock_that_is_set_back_during_a_sleep_hides_nothing() -> None:
    assert await slept([(-600.0, 60.0)]) == [62.0]
