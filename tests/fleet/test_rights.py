"""What a feed does as rights come and go: what may no longer be seen is gone at once, and never looks like "empty"."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import FakeKube, StepClock, context, settle
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.fleet import Cluster, Fleet
from sealane.fleet.access import ANSWER_KEPT, CONFIRMED_AFTER, REVIEW_EVERY
from sealane.kube import resources
from sealane.kube.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS

SOON = REVIEW_EVERY + 2 * CONFIRMED_AFTER + 2.0


def pod(name: str, namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {}}


def narrow(kube: FakeKube, *namespaces: str) -> None:
    """Rights to pods in these namespaces alone."""
    kube.denied = {("pods", ""), *(("allow", name) for name in namespaces)}


@contextlib.asynccontextmanager
async def cluster_of(kube: FakeKube, clock: StepClock, *, namespace: str = "default") -> AsyncIterator[Cluster]:
    for name in ("default", "team-a", "team-b"):
        kube.put(PODS, pod(f"pod-of-{name}", name))
    async with Fleet([context(namespace=namespace)], clock=clock, make_client=kube.client) as fleet:
        await settle()
        yield fleet.cluster("harbor-eu")


def seen(cluster: Cluster) -> list[str]:
    return [obj["metadata"]["namespace"] for obj in cluster.list(PODS)]


async def test_rights_to_the_whole_cluster_that_are_lost_take_everything_away() -> None:
    kube, clock = FakeKube(), StepClock()
    async with cluster_of(kube, clock) as cluster:
        await cluster.synced(PODS)
        await clock.advance(2)
        assert seen(cluster) == ["default", "team-a", "team-b"]
        narrow(kube)
        await clock.advance(SOON)
        assert seen(cluster) == []
        assert cluster.freshness(PODS).state == "forbidden"


async def test_what_may_still_be_seen_stays_when_rights_shrink_to_a_namespace() -> None:
    kube, clock = FakeKube(), StepClock()
    async with cluster_of(kube, clock) as cluster:
        cluster.hint("team-a")
        await cluster.synced(PODS)
        await clock.advance(2)
        narrow(kube, "team-a")
        await clock.advance(SOON)
        assert seen(cluster) == ["team-a"]
        assert cluster.freshness(PODS).state == "live"
        assert cluster.reads(PODS) == ("team-a",)
        kube.put(PODS, pod("new", "team-a"))
        kube.put(PODS, pod("new", "team-b"))
        await settle()
        assert seen(cluster) == ["team-a", "team-a"]


async def test_rights_that_grow_to_the_whole_cluster_are_used() -> None:
    kube, clock = FakeKube(), StepClock()
    narrow(kube, "default")
    async with cluster_of(kube, clock) as cluster:
        await cluster.synced(PODS)
        await clock.advance(2)
        assert seen(cluster) == ["default"]
        kube.denied = set()
        await clock.advance(ANSWER_KEPT + SOON)
        assert seen(cluster) == ["default", "team-a", "team-b"]
        assert cluster.reads(PODS) is None


async def test_a_role_given_in_a_known_namespace_shows_it_after_the_next_review() -> None:
    kube, clock = FakeKube(), StepClock()
    narrow(kube, "default")
    async with cluster_of(kube, clock) as cluster:
        cluster.hint("team-a")
        await cluster.synced(PODS)
        await clock.advance(2)
        assert seen(cluster) == ["default"]
        assert "team-a" not in cluster.namespaces() or cluster.may("list", PODS, "team-a").denied
        narrow(kube, "default", "team-a")
        await clock.advance(SOON)
        assert seen(cluster) == ["default", "team-a"]
        narrow(kube, "default")
        await clock.advance(SOON)
        assert seen(cluster) == ["default"]
        narrow(kube, "default", "team-a")
        await clock.advance(SOON)
        assert seen(cluster) == ["default", "team-a"]


async def test_a_refusal_by_the_watch_itself_forgets_before_any_review_and_comes_back_whole() -> None:
    kube, clock = FakeKube(), StepClock()
    narrow(kube, "default")
    async with cluster_of(kube, clock) as cluster:
        await cluster.synced(PODS)
        await clock.advance(6)
        narrow(kube)
        kube.cut()
        await clock.advance(1)
        assert seen(cluster) == []
        narrow(kube, "default")
        await clock.advance(3 * SOON)
        assert seen(cluster) == ["default"]
        assert cluster.freshness(PODS).state == "live"


async def test_namespaces_of_the_servers_list_are_read_where_rights_allow_it() -> None:
    kube, clock = FakeKube(), StepClock()
    for name in ("default", "team-a", "team-b"):
        kube.put(NAMESPACES, {"metadata": {"name": name}})
    narrow(kube, "team-b")
    async with cluster_of(kube, clock) as cluster:
        cluster.list(NAMESPACES)
        await cluster.synced(PODS, NAMESPACES)
        await clock.advance(SOON)
        assert seen(cluster) == ["team-b"]
        assert ("watch", "pods", "") in kube.calls


async def test_a_kind_without_namespaces_vanishes_and_comes_back_with_its_right() -> None:
    kube, clock = FakeKube(), StepClock()
    kube.put(NODES, {"metadata": {"name": "gpu-1"}})
    async with cluster_of(kube, clock) as cluster:
        await cluster.synced(NODES)
        await clock.advance(2)
        kube.denied = {("nodes", "")}
        await clock.advance(SOON)
        assert cluster.list(NODES) == []
        lost = cluster.freshness(NODES)
        assert lost.state == "forbidden"
        assert "Your role may not watch nodes in all of harbor-eu" in lost.sentence
        kube.denied = set()
        await clock.advance(SOON)
        assert [obj["metadata"]["name"] for obj in cluster.list(NODES)] == ["gpu-1"]
        assert cluster.freshness(NODES).state == "live"


async def test_what_is_known_to_be_refused_is_not_asked_for_again_and_again() -> None:
    kube, clock = FakeKube(), StepClock()
    kube.denied = {("nodes", "")}
    async with cluster_of(kube, clock) as cluster:
        cluster.list(NODES)
        await clock.advance(2)
        before = sum(call[1] == "nodes" for call in kube.calls)
        await clock.advance(120)
        assert sum(call[1] == "nodes" for call in kube.calls) == before


async def test_no_permission_in_any_namespace_is_forbidden_and_no_empty_list() -> None:
    kube, clock = FakeKube(), StepClock()
    narrow(kube)
    async with cluster_of(kube, clock) as cluster:
        await cluster.synced(PODS)
        assert cluster.list(PODS) == []
        assert cluster.freshness(PODS).state == "forbidden"


async def test_the_namespaces_that_can_be_seen_are_those_with_rights() -> None:
    kube, clock = FakeKube(), StepClock()
    kube.denied = {(kind.plural, "") for kind in resources.KNOWN} | {("allow", "team-a")}
    async with cluster_of(kube, clock) as cluster:
        cluster.hint("team-a")
        cluster.hint("typo")
        cluster.namespaces()
        await clock.advance(2)
        assert cluster.namespaces() == ("team-a",)


async def test_two_kinds_may_have_different_namespaces() -> None:
    kube, clock = FakeKube(), StepClock()
    both = {("allow", "default"), ("allow", "team-a")}
    kube.denied = {("pods", ""), ("deployments", ""), ("deployments", "team-a"), *both}
    async with cluster_of(kube, clock) as cluster:
        cluster.hint("team-a")
        await cluster.synced(PODS, DEPLOYMENTS)
        await clock.advance(SOON)
        assert cluster.reads(PODS) == ("default", "team-a")
        assert cluster.reads(DEPLOYMENTS) == ("default",)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("rights"), st.frozensets(st.sampled_from(["*", "default", "team-a", "team-b"]))),
        st.tuples(st.just("put"), st.sampled_from(["default", "team-a", "team-b"])),
        st.tuples(st.just("cut"), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 4.0, 31.0])),
    ),
    max_size=8,
)


@given(steps=STEPS)
@settings(max_examples=40)
@pytest.mark.parametrize("namespace", ["default"])
async def test_whatever_happens_the_end_is_what_rights_allow(namespace: str, steps: list[tuple[str, Any]]) -> None:
    kube, clock = FakeKube(), StepClock()
    allowed: frozenset[str] = frozenset({"*"})
    async with cluster_of(kube, clock, namespace=namespace) as cluster:
        cluster.hint("team-a")
        cluster.hint("team-b")
        cluster.list(PODS)
        for number, (step, value) in enumerate(steps):
            if step == "rights":
                allowed = value
                kube.denied = set()
                if "*" not in value:
                    narrow(kube, *value)
            elif step == "put":
                kube.put(PODS, pod(f"more-{number}", value))
            elif step == "cut":
                kube.cut()
            else:
                await clock.advance(value)
        await clock.advance(ANSWER_KEPT + 2 * SOON)
        there = [obj["metadata"]["namespace"] for obj in kube.held(PODS, "")]
        assert seen(cluster) == [name for name in sorted(there) if "*" in allowed or name in allowed]
        assert (cluster.freshness(PODS).state == "forbidden") == (not allowed)
