"""Clusters that come and go while the fleet runs: others are not disturbed, and nobody who looks falls over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle
from hypothesis import given
from hypothesis import strategies as st

from sealane.fleet import ClusterUnavailable, Fleet, UnknownCluster
from sealane.kube import errors, resources
from sealane.kube.config import Context, Credentials


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {}}


class World:
    """A fleet whose clusters are made from a context's name; `made` has every client."""

    def __init__(self) -> None:
        self.clock = StepClock()
        self.kubes: dict[str, FakeKube] = {}
        self.made: list[Any] = []
        self.fleet: Fleet

    def client(self, of: Context) -> Any:
        client = self.kubes.setdefault(of.name, FakeKube()).client(of)
        self.made.append(client)
        return client


@contextlib.asynccontextmanager
async def world(*names: str) -> AsyncIterator[World]:
    made = World()
    async with Fleet([context(name) for name in names], clock=made.clock, make_client=made.client) as fleet:
        made.fleet = fleet
        await settle()
        yield made


def tasks_of(name: str) -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().endswith(f" {name}"))


async def test_a_cluster_that_stays_keeps_its_cache_and_its_watch() -> None:
    async with world("a", "b") as w:
        w.kubes["a"].put(resources.PODS, pod("p"))
        kept = w.fleet.cluster("a")
        await kept.synced(resources.PODS)
        await settle()
        asked = len(w.kubes["a"].calls)
        done = await w.fleet.replace([context("a"), context("c")])
        await settle()
        assert (done.new, done.left) == (("c",), ("b",))
        assert w.fleet.cluster("a") is kept
        assert len(kept.list(resources.PODS)) == 1
        assert kept.freshness(resources.PODS).state == "live"
        assert len(w.kubes["a"].calls) == asked, "nothing was asked again"
        w.kubes["a"].put(resources.PODS, pod("q"))
        await settle()
        assert len(kept.list(resources.PODS)) == 2


async def test_a_cluster_that_comes_connects_and_is_listed_in_the_order_of_the_contexts() -> None:
    async with world("a") as w:
        await w.fleet.replace([context("b"), context("a")])
        assert list(w.fleet.clusters) == ["b", "a"]
        assert w.fleet.cluster("b").state.state == "connecting"
        await settle()
        assert w.fleet.cluster("b").state.state == "live"


async def test_a_cluster_that_goes_leaves_no_task_and_no_connection() -> None:
    async with world("a", "b") as w:
        left = w.fleet.cluster("b")
        await left.synced(resources.PODS)
        assert tasks_of("b")
        await w.fleet.replace([context("a")])
        assert tasks_of("b") == []
        assert next(client for client in w.made if client.context.name == "b").closed
        with pytest.raises(UnknownCluster):
            w.fleet.cluster("b")


async def test_who_still_holds_a_cluster_that_went_reads_why_and_starts_nothing() -> None:
    async with world("a", "b") as w:
        left = w.fleet.cluster("b")
        await w.fleet.replace([context("a")])
        assert "b is no longer followed" in left.state.sentence
        assert not left.list(resources.NODES)
        with pytest.raises(ClusterUnavailable, match="no longer followed"):
            await left.synced(resources.PODS)
        await settle()
        assert tasks_of("b") == []


async def test_another_person_or_server_under_the_same_name_is_another_cluster() -> None:
    async with world("a") as w:
        w.kubes["a"].put(resources.PODS, pod("secret"))
        before = w.fleet.cluster("a")
        await before.synced(resources.PODS)
        other = msgspec.structs.replace(context("a"), user="bob", credentials=Credentials(token="bob"))
        done = await w.fleet.replace([other])
        now = w.fleet.cluster("a")
        assert now is not before
        assert (done.new, done.left) == (("a",), ("a",))
        assert not now.list(resources.PODS), "what one person could read is not shown to the next"


async def test_renewed_credentials_of_the_same_person_are_taken_over_without_losing_anything() -> None:
    async with world("a") as w:
        kept = w.fleet.cluster("a")
        await kept.synced(resources.PODS)
        renewed = msgspec.structs.replace(context("a"), namespace="team-b")
        done = await w.fleet.replace([renewed])
        assert (done.new, done.left) == ((), ())
        assert w.fleet.cluster("a") is kept
        assert kept.client.context.namespace == "team-b"
        assert "team-b" in kept.hints
        assert kept.freshness(resources.PODS).state == "live"


async def test_a_context_that_is_repaired_is_connected() -> None:
    broken = Context(name="a", server="", problem=errors.ConfigError("the user is not defined."))
    made = World()
    made.kubes["a"] = FakeKube()
    made.kubes["a"].down = refused("a")
    async with Fleet([broken], clock=made.clock, make_client=made.client) as fleet:
        await settle()
        made.kubes["a"].down = None
        await fleet.replace([context("a")])
        await settle()
        assert fleet.cluster("a").state.state == "live"


async def test_everybody_who_listens_is_told_to_read_everything() -> None:
    async with world("a") as w:
        subscription = w.fleet.subscribe()
        await anext(subscription)
        await w.fleet.replace([context("a"), context("b")])
        waiting = asyncio.ensure_future(anext(subscription))
        await w.clock.advance(1)
        assert (await waiting).everything


async def test_a_walk_through_the_clusters_is_not_disturbed() -> None:
    async with world("a", "b", "c") as w:
        seen = []
        for name in w.fleet.clusters:
            seen.append(name)
            await w.fleet.replace([context("c")])
        assert seen == ["a", "b", "c"]


async def test_two_changes_at_once_come_one_after_the_other() -> None:
    async with world("a") as w:
        await asyncio.gather(
            w.fleet.replace([context("a"), context("b")]),
            w.fleet.replace([context("c")]),
        )
        assert list(w.fleet.clusters) == ["c"]
        assert tasks_of("b") == tasks_of("a") == []


async def test_leaving_the_fleet_ends_the_clusters_that_came_late() -> None:
    async with world("a") as w:
        await w.fleet.replace([context("a"), context("b")])
        w.fleet.cluster("b").list(resources.PODS)
        await settle()
    assert tasks_of("b") == []
    assert all(client.closed for client in w.made)


@given(steps=st.lists(st.lists(st.sampled_from("abcd"), unique=True), max_size=6))
def test_whatever_comes_and_goes_the_fleet_is_what_was_said_last(steps: list[list[str]]) -> None:
    async def run() -> None:
        async with world("a", "b") as w:
            for step in steps:
                same = {name: w.fleet.clusters[name] for name in step if name in w.fleet.clusters}
                await w.fleet.replace([context(name) for name in step])
                assert list(w.fleet.clusters) == step
                assert all(w.fleet.clusters[name] is cluster for name, cluster in same.items())
            await settle()
            now = set(w.fleet.clusters)
            assert {client.context.name for client in w.made if not client.closed} == now
            assert {name for name in "abcd" if tasks_of(name)} == now

    asyncio.run(run())
