"""Places at replicas: handed out, given back, waited for in order, never lost."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.gateway.balancer import Balancer
from sealane.gateway.errors import NoReplica, QueueFull, UnknownModel
from sealane.gateway.routes import Replica, StaticReplicas, routes_of
from sealane.gateway.routing import Slot
from sealane.gateway.settings import Settings
from sealane.lib.clock import ManualClock


def replica(number: int, *, model: str = "m:1b", uid: str = "") -> Replica:
    return Replica(cluster="c", namespace="n", pod=f"p-{number}", name="m", model=model, uid=uid)


def balancer(*replicas: Replica, **limits: Any) -> tuple[Balancer, StaticReplicas, ManualClock]:
    source, clock = StaticReplicas(dict.fromkeys(replicas)), ManualClock()  # type: ignore[misc]
    return Balancer(source, settings=Settings(**limits), clock=clock), source, clock


async def take(of: Balancer, name: str = "m:1b", tried: list[Slot] | None = None) -> Slot | None:
    return await of.acquire(of.entry(name), name=name, tried=tried or [])


def give(of: Balancer, slot: Slot | None) -> None:
    assert slot is not None
    of.release(slot, model="m:1b", seconds=0.1)


async def test_an_unknown_name_gets_the_nearest_or_what_there_is() -> None:
    of, source, _ = balancer(replica(0, model="qwen2.5-coder:7b"))
    with pytest.raises(UnknownModel, match=r"did you mean `qwen2.5-coder:7b`\?"):
        of.entry("qwen-coder:7b")
    with pytest.raises(UnknownModel, match=r"hosted are `qwen2.5-coder:7b`"):
        of.entry("zzz")
    source.replace({})
    with pytest.raises(UnknownModel, match="no model is hosted yet"):
        of.entry("zzz")


async def test_an_unknown_name_of_any_length_is_said_in_short_and_safe_to_copy() -> None:
    of, _, _ = balancer(replica(0, model="qwen2.5-coder:7b"))
    with pytest.raises(UnknownModel) as caught:
        of.entry("q" * 2_000_000)
    assert len(caught.value.sentence) < 400
    with pytest.raises(UnknownModel) as caught:
        of.entry("a; rm -rf ~")
    assert caught.value.next_steps[0].command == "sealane host 'a; rm -rf ~' --cluster CLUSTER"


async def test_a_model_without_a_copy_is_told_apart_from_an_unknown_one() -> None:
    of, source, _ = balancer()
    source.routes = routes_of([], waiting={("c", "n", "m", "m:1b"): "It is scaled to 0 copies."})
    with pytest.raises(NoReplica, match="scaled to 0") as caught:
        of.entry("m:1b")
    assert caught.value.retry_after == 5


async def test_when_every_replica_was_tried_there_is_none() -> None:
    of, _, _ = balancer(replica(0))
    slot = await take(of)
    assert slot is not None
    assert await take(of, tried=[slot]) is None


async def test_those_who_wait_are_served_in_order_and_before_newcomers() -> None:
    of, _, _ = balancer(replica(0))
    held = [await take(of) for _ in range(4)]
    served: list[int] = []

    async def wait(number: int) -> None:
        slot = await take(of)
        served.append(number)
        give(of, slot)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert of.queued() == {"m:1b": 3}
    give(of, held[0])
    newcomer = asyncio.create_task(wait(99))
    await asyncio.gather(*tasks, newcomer)
    assert served == [0, 1, 2, 99]
    assert of.queued() == {}


async def test_one_who_leaves_the_line_holds_no_place() -> None:
    of, _, _ = balancer(replica(0))
    held = [await take(of) for _ in range(4)]
    first, second = asyncio.create_task(take(of)), asyncio.create_task(take(of))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    give(of, held[0])
    assert await second is held[0]
    assert held[0].in_flight == 4


async def test_one_who_leaves_just_when_served_passes_the_place_on() -> None:
    of, _, _ = balancer(replica(0))
    held = [await take(of) for _ in range(4)]
    first, second = asyncio.create_task(take(of)), asyncio.create_task(take(of))
    await asyncio.sleep(0)
    give(of, held[0])
    first.cancel()
    assert await second is held[0]
    with pytest.raises(asyncio.CancelledError):
        await first
    assert held[0].in_flight == 4


async def test_a_full_line_says_when_to_come_back() -> None:
    of, _, _ = balancer(replica(0), queue=1)
    held = [await take(of) for _ in range(4)]
    waiting = asyncio.create_task(take(of))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="1 request already wait") as caught:
        await take(of)
    assert caught.value.retry_after == 1
    give(of, held[0])
    assert await waiting is not None


async def test_a_new_replica_serves_those_who_wait() -> None:
    of, source, _ = balancer(replica(0))
    for _ in range(4):
        await take(of)
    waiting = asyncio.create_task(take(of))
    await asyncio.sleep(0)
    source.replace({replica(0): None, replica(1): None})  # type: ignore[dict-item]
    of.tick()
    slot = await waiting
    assert slot is not None
    assert slot.replica == replica(1)


async def test_a_replica_that_stays_keeps_its_requests_in_flight_and_a_new_pod_of_its_name_does_not() -> None:
    of, source, _ = balancer(replica(0, uid="a"))
    held = await take(of)
    source.replace({replica(0, uid="a"): None, replica(1): None})  # type: ignore[dict-item]
    assert [slot.in_flight for slot in of.slots()] == [1, 0]
    source.replace({replica(0, uid="b"): None})  # type: ignore[dict-item]
    assert [slot.in_flight for slot in of.slots()] == [0]
    give(of, held)
    assert [slot.in_flight for slot in of.slots()] == [0]


async def test_failure_and_success_are_remembered() -> None:
    of, _, clock = balancer(replica(0), eject=5.0)
    slot = await take(of)
    assert slot is not None
    of.failed(slot)
    assert of.ejected() == 1
    clock.advance(5)
    assert of.ejected() == 0
    of.failed(slot)
    of.succeeded(slot, "m:1b")
    assert of.ejected() == 0
    assert slot.loaded == {"m:1b"}


@settings(max_examples=40)
@given(steps=st.lists(st.sampled_from(["ask", "give", "leave", "fail", "tick"]), max_size=60))
async def test_places_are_never_lost_and_never_given_twice(steps: list[str]) -> None:
    of, _, clock = balancer(replica(0), replica(1))
    holding: list[Slot] = []
    asking: list[asyncio.Task[Slot | None]] = []
    for step in steps:
        if step == "ask":
            asking.append(asyncio.create_task(take(of)))
        elif step == "give" and holding:
            give(of, holding.pop(0))
        elif step == "leave" and asking:
            asking.pop().cancel()
        elif step == "fail" and holding:
            of.failed(holding[0])
        elif step == "tick":
            clock.advance(3)
            of.tick()
        for _ in range(3):
            await asyncio.sleep(0)
        done = [task for task in asking if task.done()]
        asking = [task for task in asking if not task.done()]
        holding += [slot for task in done if not task.cancelled() and (slot := task.result()) is not None]
        assert sum(slot.in_flight for slot in of.slots()) == len(holding)
        assert all(slot.in_flight <= slot.limit for slot in of.slots())
        assert sum(of.queued().values()) == len(asking)
    for task in asking:
        task.cancel()


async def test_a_replica_that_is_described_anew_keeps_its_places() -> None:
    one = replica(0, uid="u")
    of, source, _ = balancer(one)
    held = await take(of)
    source.replace({msgspec.structs.replace(one, context=16_384): None})  # type: ignore[dict-item]
    of.tick()
    assert [slot.in_flight for slot in of.slots()] == [1]
    give(of, held)
    assert [(slot.in_flight, slot.replica.context) for slot in of.slots()] == [(0, 16_384)]
