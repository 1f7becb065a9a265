"""Subscriptions merge changes, stay bounded, and end when closed."""

from __future__ import annotations

import pytest
from fake_kube import StepClock

from sealane.fleet.subscriptions import Batch, Hub, Subscription, touches
from sealane.kube import resources


async def test_the_first_batch_is_everything() -> None:
    subscription: Subscription[str] = Subscription(StepClock())
    first = await anext(subscription)
    assert first.everything
    assert "anything" in first


async def test_a_burst_is_one_batch_without_repeats() -> None:
    clock = StepClock()
    subscription: Subscription[str] = Subscription(clock, pace=0.0)
    await anext(subscription)
    for change in ["a", "b", "a"]:
        subscription.put(change)
    batch = await anext(subscription)
    assert set(batch) == {"a", "b"}
    assert not batch.everything
    assert "c" not in batch


async def test_more_changes_than_the_limit_become_everything() -> None:
    subscription: Subscription[int] = Subscription(StepClock(), limit=3, pace=0.0)
    await anext(subscription)
    for change in range(10):
        subscription.put(change)
    batch = await anext(subscription)
    assert batch.everything
    assert batch.changes == frozenset()


async def test_closing_ends_the_iteration_and_is_forgotten_by_the_hub() -> None:
    hub: Hub[str] = Hub(StepClock())
    subscription = hub.subscribe()
    await anext(subscription)
    subscription.close()
    hub.publish("a")
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_a_hub_tells_everybody() -> None:
    hub: Hub[str] = Hub(StepClock())
    one, two = hub.subscribe(), hub.subscribe()
    hub.publish("a")
    assert (await anext(one)).everything
    assert (await anext(two)).everything
    hub.close()
    assert one.closed
    assert two.closed


def test_touches_looks_at_kinds_and_takes_everything_for_all() -> None:
    batch = Batch(frozenset({("harbor-eu", resources.PODS), ("harbor-eu", None)}))
    assert touches(batch, resources.PODS)
    assert not touches(batch, resources.NODES)
    assert touches(Batch(frozenset(), everything=True), resources.NODES)
