"""Waiting ends with the event or with the clock, and leaves nothing behind."""

from __future__ import annotations

import asyncio

from fake_kube import StepClock, settle

from sealane.lib import waiting


async def test_an_event_that_is_set_already_ends_it_at_once() -> None:
    event = asyncio.Event()
    event.set()
    assert await waiting.until(event, clock=StepClock(), seconds=5) is True


async def test_the_event_ends_it_before_the_clock() -> None:
    event = asyncio.Event()
    task = asyncio.ensure_future(waiting.until(event, clock=StepClock(), seconds=5))
    await settle()
    assert not task.done()
    event.set()
    assert await task is True


async def test_the_clock_ends_it_without_the_event() -> None:
    clock = StepClock()
    task = asyncio.ensure_future(waiting.until(asyncio.Event(), clock=clock, seconds=5))
    await clock.advance(6)
    assert await task is False


async def test_cancelling_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(waiting.until(asyncio.Event(), clock=StepClock(), seconds=5))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == before
