"""Kinds are watched from the first look on, dropped when nobody looks any more, and let go with their objects."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import weakref
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle

from sealane.fleet import Fleet
from sealane.fleet import cache as cache_module
from sealane.fleet.cache import STEP
from sealane.fleet.cluster import SWEEP_EVERY, UNUSED_AFTER
from sealane.fleet.packing import SAMPLES, Packing
from sealane.kube import resources

LONG = UNUSED_AFTER + 2 * SWEEP_EVERY


class _Spec(msgspec.Struct, weakref=True):
    spec: dict[str, str]


def pod(name: str, *, namespace: str = "default") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": "gpu-1"}}


@contextlib.asynccontextmanager
async def fleet_of(clock: StepClock, kube: FakeKube) -> AsyncIterator[Fleet]:
    async with Fleet([context("a")], clock=clock, make_client=kube.client) as fleet:
        await settle()
        yield fleet


def lists(kube: FakeKube, plural: str) -> int:
    return sum(call[:2] == ("list", plural) for call in kube.calls)


async def test_a_kind_that_nobody_looks_at_is_dropped_and_its_watch_ended() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.NODES)
        assert cluster.watched == {resources.NODES}
        await settle()
        assert len(kube._watchers) == 1
        await clock.advance(LONG)
        assert cluster.watched == frozenset()
        assert len(kube._watchers) == 0


async def test_a_dropped_kind_is_really_let_go() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.PODS, pod("p"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        assert cluster.get(resources.PODS, "default", "p") is not None
        cache = cluster._feeds[resources.PODS].cache
        decoded = weakref.ref(cache.views(_Spec)[0])
        memo = cache._memo
        await clock.advance(LONG)
        assert decoded() is None
        assert len(cache) == len(memo) == 0
        held = weakref.ref(cache)
        del cache
        gc.collect()
        assert held() is None


async def test_the_next_look_reads_anew_and_says_so() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.PODS, pod("p"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        before = cluster.revision(resources.PODS)
        await clock.advance(LONG)
        assert cluster.list(resources.PODS) == []
        assert cluster.freshness(resources.PODS).state == "loading"
        assert cluster.revision(resources.PODS) > before
        await cluster.synced(resources.PODS)
        assert len(cluster.list(resources.PODS)) == 1
        assert lists(kube, "pods") == 2


async def test_looking_now_and_then_keeps_a_kind() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, kube) as fleet:
        for _ in range(5):
            fleet.cluster("a").headers(resources.PODS)
            await clock.advance(UNUSED_AFTER - 1)
        assert lists(kube, "pods") == 1


async def test_a_listener_that_lives_on_a_kind_keeps_it_through_quiet_times() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        subscription = fleet.subscribe(kinds=[resources.PODS])
        await cluster.synced(resources.PODS, resources.NODES)
        await clock.advance(LONG)
        assert cluster.watched == {resources.PODS}
        subscription.close()
        await clock.advance(LONG)
        assert cluster.watched == frozenset()


async def test_a_listener_that_did_not_say_what_it_lives_on_is_told_of_the_end() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, kube) as fleet:
        await fleet.cluster("a").synced(resources.PODS)
        subscription = fleet.subscribe()
        await clock.advance(10)
        await anext(subscription)
        waiting = asyncio.ensure_future(anext(subscription))
        await clock.advance(LONG)
        assert ("a", resources.PODS) in set(await waiting)


async def test_the_list_of_namespaces_stays_while_it_tells_others_where_to_look() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        subscription = fleet.subscribe(kinds=[resources.PODS])
        await cluster.synced(resources.PODS, resources.NAMESPACES)
        await clock.advance(LONG)
        assert cluster.watched == {resources.PODS, resources.NAMESPACES}
        subscription.close()


async def test_a_kind_of_an_unreachable_cluster_is_dropped_too() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.down = refused("a")
    async with fleet_of(clock, kube) as fleet:
        fleet.cluster("a").list(resources.PODS)
        await clock.advance(LONG)
        assert fleet.cluster("a").watched == frozenset()


async def test_a_namespace_that_may_no_longer_be_read_leaves_nothing_behind() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.PODS, pod("mine"))
    kube.put(resources.PODS, pod("theirs", namespace="secret"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        assert len(cluster.list(resources.PODS)) == 2
        kube.denied = {("pods", ""), ("allow", "default")}
        kube.cut()
        await clock.advance(60)
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["mine"]
        assert len(cluster._feeds[resources.PODS].cache._index) == 0


async def test_others_have_their_turns_while_many_objects_are_taken() -> None:
    clock, kube = StepClock(), FakeKube()
    for number in range(20 * STEP):
        kube.put(resources.PODS, pod(f"p{number:05}"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        seen: list[int] = []
        cluster.headers(resources.PODS)
        while len(seen) < 500 and cluster.freshness(resources.PODS).state == "loading":
            seen.append(len(cluster.headers(resources.PODS)))
            await asyncio.sleep(0)
        assert len(cluster.headers(resources.PODS)) == 20 * STEP
        grown = [after - before for before, after in itertools.pairwise(seen)]
        assert max(grown) <= STEP


async def test_many_objects_are_packed_and_read_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "Packing", lambda: Packing(above=2 * SAMPLES))
    clock, kube = StepClock(), FakeKube()
    for number in range(2 * SAMPLES + 10):
        kube.put(resources.PODS, pod(f"p{number:05}"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        cache = cluster._feeds[resources.PODS].cache
        await next(task for task in asyncio.all_tasks() if task.get_name() == "packing of pods")
        assert all(entry.raw[:1] == b"(" for entry in cache._entries.values())
        found = cluster.get(resources.PODS, "default", "p00007")
        assert found is not None
        assert found["spec"] == {"nodeName": "gpu-1"}
        kube.put(resources.PODS, pod("later"))
        await settle()
        assert cluster.get(resources.PODS, "default", "later") is not None


async def test_a_late_view_is_loading_until_it_has_seen_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "AT_ONCE", 1)
    clock, kube = StepClock(), FakeKube()
    for number in range(5):
        kube.put(resources.PODS, pod(f"p{number}"))
    async with fleet_of(clock, kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        assert len(cluster.views(resources.PODS, _Spec)) == 1
        assert cluster.freshness(resources.PODS).state == "loading"
        await cluster.synced(resources.PODS)
        assert cluster.freshness(resources.PODS).state == "live"
        assert len(cluster.views(resources.PODS, _Spec)) == 5
