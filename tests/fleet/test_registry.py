"""The fleet with clusters that live in memory: connecting, losing, coming back, limited rights, leaving."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import FakeKube, StepClock, context, forbidden, refused, settle

from sealane.fleet import ClusterUnavailable, Fleet, UnknownCluster, touches
from sealane.kube import errors, resources


def pod(name: str, *, namespace: str = "default") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {}}


@contextlib.asynccontextmanager
async def fleet_of(clock: StepClock | None = None, **kubes: FakeKube) -> AsyncIterator[Fleet]:
    contexts = [context(name) for name in kubes]
    clock = clock or StepClock()
    async with Fleet(contexts, clock=clock, make_client=lambda of: kubes[of.name].client(of)) as fleet:
        await settle()
        yield fleet


async def test_entering_waits_for_nobody() -> None:
    kube = FakeKube()
    async with Fleet([context("a")], clock=StepClock(), make_client=kube.client) as fleet:
        assert fleet.cluster("a").state.state == "connecting"


async def test_a_cluster_that_answers_is_live_with_its_version() -> None:
    async with fleet_of(a=FakeKube()) as fleet:
        assert fleet.cluster("a").state.state == "live"
        assert fleet.cluster("a").version == "v1.34.1"


async def test_one_unreachable_cluster_is_listed_with_its_cause_and_blocks_nothing() -> None:
    down, fine = FakeKube(), FakeKube()
    down.down = refused("a")
    fine.put(resources.PODS, pod("p"))
    async with fleet_of(a=down, b=fine) as fleet:
        await fleet.cluster("b").synced(resources.PODS)
        assert len(fleet.cluster("b").list(resources.PODS)) == 1
        assert fleet.cluster("a").state.state == "unreachable"
        assert "the connection is refused" in fleet.cluster("a").state.sentence
        assert list(fleet.clusters) == ["a", "b"]


async def test_an_unreachable_cluster_is_tried_again_and_comes_back() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.down = refused("a")
    async with fleet_of(clock, a=kube) as fleet:
        await clock.advance(5)
        assert fleet.cluster("a").state.state == "unreachable"
        kube.down = None
        await clock.advance(31)
        assert fleet.cluster("a").state.state == "live"


async def test_an_unknown_cluster_gets_the_nearest_names() -> None:
    async with fleet_of(harbor=FakeKube()) as fleet:
        with pytest.raises(UnknownCluster, match="Did you mean harbor"):
            fleet.cluster("habor")


async def test_a_kind_is_watched_only_once_somebody_asks_for_it() -> None:
    kube = FakeKube()
    async with fleet_of(a=kube) as fleet:
        assert [call for call in kube.calls if call[0] == "list"] == []
        fleet.cluster("a").list(resources.NODES)
        await settle()
        assert [call[1] for call in kube.calls if call[0] == "list"] == ["nodes"]


async def test_changes_arrive_and_are_told_in_one_batch() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        subscription = fleet.subscribe()
        await anext(subscription)
        kube.put(resources.PODS, pod("p"))
        kube.put(resources.PODS, pod("q"))
        waiting = asyncio.ensure_future(anext(subscription))
        await clock.advance(1)
        batch = await waiting
        assert set(batch) == {("a", resources.PODS)}
        assert touches(batch, resources.PODS)
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["p", "q"]
        kube.drop(resources.PODS, "default", "p")
        await settle()
        assert cluster.get(resources.PODS, "default", "p") is None


async def test_freshness_goes_from_loading_to_live_to_reconnecting_and_back() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, a=kube) as fleet:
        cluster = fleet.cluster("a")
        assert cluster.freshness(resources.PODS).state == "loading"
        await cluster.synced(resources.PODS)
        assert cluster.freshness(resources.PODS).state == "live"
        kube.down = refused("a")
        kube.cut()
        await clock.advance(3)
        lost = cluster.freshness(resources.PODS)
        assert lost.state == "reconnecting"
        assert lost.age > 0
        assert fleet.cluster("a").state.state == "reconnecting"
        kube.down = None
        kube.put(resources.PODS, pod("late"))
        await clock.advance(40)
        assert cluster.freshness(resources.PODS).state == "live"
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["late"]


async def test_a_kind_that_is_not_served_settles_at_once_and_is_gone() -> None:
    async with fleet_of(a=FakeKube(kai=False)) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.QUEUES)
        assert cluster.serves(resources.QUEUES) is False
        assert cluster.freshness(resources.QUEUES).state == "gone"


async def test_a_kind_that_is_installed_later_is_found() -> None:
    clock, kube = StepClock(), FakeKube(kai=False)
    async with fleet_of(clock, a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.QUEUES)
        kube.served = list(resources.KNOWN)
        kube.put(resources.QUEUES, {"metadata": {"name": "vision"}})
        await clock.advance(100)
        assert [queue["metadata"]["name"] for queue in cluster.list(resources.QUEUES)] == ["vision"]
        assert cluster.freshness(resources.QUEUES).state == "live"


async def test_without_cluster_wide_rights_the_known_namespaces_are_watched() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.denied = {("pods", ""), ("allow", "default"), ("allow", "team-a")}
    kube.put(resources.PODS, pod("mine"))
    kube.put(resources.PODS, pod("asked", namespace="team-a"))
    kube.put(resources.PODS, pod("hidden", namespace="secret"))
    async with fleet_of(clock, a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["mine"]
        cluster.list(resources.PODS, namespace="team-a")
        await settle()
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["mine", "asked"]
        assert cluster.freshness(resources.PODS).state == "live"


async def test_a_cluster_scoped_kind_without_rights_is_forbidden_not_empty() -> None:
    kube = FakeKube()
    kube.denied = {("nodes", "")}
    async with fleet_of(a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.NODES)
        assert cluster.list(resources.NODES) == []
        assert cluster.freshness(resources.NODES).state == "forbidden"


async def test_waiting_for_a_dead_cluster_ends_with_its_cause() -> None:
    kube = FakeKube()
    kube.down = refused("a")
    async with fleet_of(a=kube) as fleet:
        with pytest.raises(ClusterUnavailable, match="connection is refused"):
            await fleet.cluster("a").synced(resources.PODS, timeout=0.01)


async def test_a_cluster_known_to_be_dead_is_not_waited_for_and_its_way_out_is_kept() -> None:
    kube = FakeKube()
    kube.down = refused("a")
    async with fleet_of(a=kube) as fleet:
        with pytest.raises(ClusterUnavailable) as caught:
            await fleet.cluster("a").synced(resources.PODS, timeout=3600)
        assert caught.value.sentence == kube.down.sentence
        assert caught.value.next_steps[: len(kube.down.next_steps)] == kube.down.next_steps


async def test_a_hinted_namespace_is_waited_for_where_the_cluster_may_not_be_read() -> None:
    kube = FakeKube()
    kube.denied = {("pods", ""), ("allow", "team-a")}
    kube.put(resources.PODS, pod("mine", namespace="team-a"))
    async with fleet_of(a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS)
        assert cluster.list(resources.PODS) == []
        assert cluster.freshness(resources.PODS).state == "forbidden"
        cluster.hint("team-a")
        await cluster.synced(resources.PODS)
        assert [obj["metadata"]["name"] for obj in cluster.list(resources.PODS)] == ["mine"]
        assert cluster.hints == {"default", "team-a"}


async def test_namespaces_known_by_name_are_bounded() -> None:
    kube = FakeKube()
    async with fleet_of(a=kube) as fleet:
        cluster = fleet.cluster("a")
        for number in range(300):
            assert cluster.get(resources.PODS, f"mistyped-{number}", "p") is None
        assert len(cluster.hints) == 100
        assert "default" in cluster.hints


async def test_a_server_that_hides_its_version_may_still_be_read() -> None:
    kube = FakeKube()
    kube.put(resources.PODS, pod("p"))
    async with Fleet([context("a")], clock=StepClock(), make_client=kube.client) as fleet:
        client = fleet.cluster("a").client

        async def hidden(**_: bool) -> str:
            raise forbidden("no version for you")

        client.version = hidden  # type: ignore[method-assign]
        fleet.cluster("a").freshness(resources.QUEUES)  # asked for before the server was
        await settle()
        await fleet.cluster("a").synced(resources.PODS, resources.QUEUES, timeout=0.5)
        assert fleet.cluster("a").state.state == "forbidden"
        assert len(fleet.cluster("a").list(resources.PODS)) == 1


async def test_bad_credentials_are_told_apart_from_a_dead_network() -> None:
    kube = FakeKube()
    kube.down = errors.Unauthorized(401, "Unauthorized", "token expired")
    async with fleet_of(a=kube) as fleet:
        assert fleet.cluster("a").state.state == "unauthorized"


async def test_a_fault_of_ours_in_one_probe_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    broken, fine = FakeKube(), FakeKube()
    broken.down = ZeroDivisionError("ours")
    async with fleet_of(a=broken, b=fine) as fleet:
        assert fleet.cluster("a").state.state == "unreachable"
        assert fleet.cluster("b").state.state == "live"
    assert "the probe of a failed" in caplog.text


async def test_state_changes_are_told() -> None:
    clock, kube = StepClock(), FakeKube()
    async with fleet_of(clock, a=kube) as fleet:
        subscription = fleet.subscribe()
        await anext(subscription)
        kube.down = forbidden()
        waiting = asyncio.ensure_future(anext(subscription))
        await clock.advance(25)
        assert ("a", None) in await waiting


async def test_leaving_ends_every_task_and_closes_every_client() -> None:
    kube = FakeKube()
    before = asyncio.all_tasks()
    async with fleet_of(a=kube) as fleet:
        cluster = fleet.cluster("a")
        await cluster.synced(resources.PODS, resources.NODES)
        subscription = fleet.subscribe()
    assert asyncio.all_tasks() == before
    assert cluster.client.closed  # type: ignore[attr-defined]
    assert subscription.closed


async def test_leaving_by_cancellation_ends_every_task_too() -> None:
    before = asyncio.all_tasks()

    async def live() -> None:
        async with fleet_of(a=FakeKube()):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(live())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
