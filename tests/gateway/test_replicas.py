"""Replicas follow the fleet: ready pods with Sealane's labels, by address inside the cluster, else by proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle

from sealane.fleet import Fleet
from sealane.gateway import upstream
from sealane.gateway.pod_proxy import PodProxy
from sealane.gateway.replicas import FleetReplicas
from sealane.kube import config, resources

LABELS = {"app.kubernetes.io/managed-by": "sealane", "app.kubernetes.io/name": "tiny"}
TAG = {"sealane.dev/model": "tiny:1b"}


def pod(
    name: str = "tiny-a", *, ready: bool = True, annotations: dict[str, str] | None = None, **meta: Any
) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 11500}]
    env = [{"name": "OLLAMA_CONTEXT_LENGTH", "value": "8192"}, {"name": "OLLAMA_NUM_PARALLEL", "value": "4"}]
    return {
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "labels": LABELS,
            "annotations": TAG if annotations is None else annotations,
            **meta,
        },
        "spec": {"containers": [{"name": "ollama", "env": env, "ports": ports}]},
        "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def deployment(*, replicas: int = 1, ready: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": "tiny", "namespace": "team-a", "labels": LABELS, "annotations": TAG},
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": ready},
    }


@contextlib.asynccontextmanager
async def following(clock: StepClock, **kubes: FakeKube) -> AsyncIterator[FleetReplicas]:
    contexts = [context(name) for name in kubes]
    async with Fleet(contexts, clock=clock, make_client=lambda of: kubes[of.name].client(of)) as fleet:
        source = FleetReplicas(fleet)
        task = asyncio.create_task(source.run())
        await clock.advance(1)
        yield source
        task.cancel()
        await settle()


def names(source: FleetReplicas, model: str = "tiny:1b") -> list[str]:
    entry = source.routes.by_name.get(model)
    return [replica.id for replica in entry.replicas] if entry else []


async def test_a_ready_pod_is_served_with_what_was_deployed() -> None:
    kube = FakeKube()
    kube.put(resources.PODS, pod())
    async with following(StepClock(), harbor=kube) as source:
        (replica,) = source.routes.by_name["tiny:1b"].replicas
        assert replica.id == "harbor/team-a/tiny-a"
        assert (replica.name, replica.context, replica.parallel) == ("tiny", 8192, 4)
        assert replica.uid
        assert "harbor/team-a/tiny" in source.routes.by_name
        assert source.ready


@pytest.mark.parametrize(
    "unfit",
    [
        pod(ready=False),
        pod(deletionTimestamp="2026-01-01T00:00:00Z"),
        pod(annotations={}),
        pod(labels={"app.kubernetes.io/name": "tiny"}),
    ],
    ids=["not ready", "being deleted", "no model", "not ours"],
)
async def test_other_pods_are_not_served(unfit: dict[str, Any]) -> None:
    kube = FakeKube()
    kube.put(resources.PODS, unfit)
    async with following(StepClock(), harbor=kube) as source:
        assert names(source) == []


async def test_a_pod_without_the_annotation_takes_the_model_of_its_deployment() -> None:
    kube = FakeKube()
    kube.put(resources.PODS, pod(annotations={}))
    kube.put(resources.DEPLOYMENTS, deployment(ready=1))
    async with following(StepClock(), harbor=kube) as source:
        assert names(source) == ["harbor/team-a/tiny-a"]


async def test_replicas_come_and_go_with_their_pods() -> None:
    clock, kube = StepClock(), FakeKube()
    async with following(clock, harbor=kube) as source:
        assert names(source) == []
        kube.put(resources.PODS, pod("tiny-a"))
        kube.put(resources.PODS, pod("tiny-b"))
        await clock.advance(1)
        assert names(source) == ["harbor/team-a/tiny-a", "harbor/team-a/tiny-b"]
        kube.put(resources.PODS, pod("tiny-a", deletionTimestamp="2026-01-01T00:00:00Z"))
        await clock.advance(1)
        assert names(source) == ["harbor/team-a/tiny-b"]
        kube.drop(resources.PODS, "team-a", "tiny-b")
        await clock.advance(1)
        assert names(source) == []


async def test_copies_in_several_clusters_serve_one_model() -> None:
    harbor, atlas = FakeKube(), FakeKube()
    harbor.put(resources.PODS, pod())
    atlas.put(resources.PODS, pod())
    async with following(StepClock(), harbor=harbor, atlas=atlas) as source:
        assert names(source) == ["harbor/team-a/tiny-a", "atlas/team-a/tiny-a"]
        assert names(source, "atlas/team-a/tiny") == ["atlas/team-a/tiny-a"]


async def test_a_cluster_that_cannot_be_reached_takes_nothing_else_down_and_says_why() -> None:
    harbor, atlas = FakeKube(), FakeKube()
    harbor.put(resources.PODS, pod())
    atlas.down = refused("atlas")
    async with following(StepClock(), harbor=harbor, atlas=atlas) as source:
        assert names(source) == ["harbor/team-a/tiny-a"]
        assert source.ready


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (deployment(replicas=0), "scaled to 0 copies"),
        (deployment(replicas=2), "0 of 2 copies of team-a/tiny in harbor"),
    ],
)
async def test_a_model_without_a_ready_copy_says_why(made: dict[str, Any], part: str) -> None:
    kube = FakeKube()
    kube.put(resources.DEPLOYMENTS, made)
    async with following(StepClock(), harbor=kube) as source:
        entry = source.routes.by_name["tiny:1b"]
        assert entry.replicas == ()
        assert part in entry.waiting


async def test_changes_that_do_not_matter_leave_the_routes_as_they_are() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.PODS, pod())
    async with following(clock, harbor=kube) as source:
        before = source.routes
        kube.put(resources.PODS, pod())
        await clock.advance(1)
        assert source.routes is before


async def test_from_outside_a_pod_is_reached_through_the_api_server() -> None:
    kube = FakeKube()
    kube.put(resources.PODS, pod())
    async with following(StepClock(), harbor=kube) as source:
        way = source.reach(source.routes.by_name["tiny:1b"].replicas[0])
        assert isinstance(way, PodProxy)
        assert way._port == 11500


async def test_inside_its_cluster_a_pod_is_reached_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def inside() -> config.Context:
        return config.Context(name="in-cluster", server=context("harbor").server)

    monkeypatch.setattr(config, "in_cluster", inside)
    harbor, atlas = FakeKube(), FakeKube()
    harbor.put(resources.PODS, pod())
    atlas.put(resources.PODS, pod())
    async with following(StepClock(), harbor=harbor, atlas=atlas) as source:
        here, there = source.routes.by_name["tiny:1b"].replicas
        way = source.reach(here)
        assert isinstance(way, upstream.Direct)
        assert way._base == "http://10.0.0.7:11500"
        assert isinstance(source.reach(there), PodProxy)


async def test_it_is_not_ready_before_any_cluster_has_answered() -> None:
    async with Fleet([context("a")], clock=StepClock(), make_client=FakeKube().client) as fleet:
        assert not FleetReplicas(fleet).ready


async def test_a_gateway_that_has_no_cluster_at_all_is_ready() -> None:
    async with Fleet([], clock=StepClock(), make_client=FakeKube().client) as fleet:
        assert FleetReplicas(fleet).ready


async def test_a_pod_whose_model_can_be_no_name_is_not_served() -> None:
    kube = FakeKube()
    kube.put(resources.PODS, pod(annotations={"sealane.dev/model": "m\r\nSet-Cookie: a=b"}))
    async with following(StepClock(), harbor=kube) as source:
        assert source.routes.models == ()


async def test_replicas_come_and_go_with_their_clusters() -> None:
    clock, kubes = StepClock(), {"a": FakeKube(), "b": FakeKube()}
    for kube in kubes.values():
        kube.put(resources.PODS, pod())
    async with Fleet([context("a")], clock=clock, make_client=lambda of: kubes[of.name].client(of)) as fleet:
        source = FleetReplicas(fleet)
        task = asyncio.create_task(source.run())
        for names in (["a", "b"], ["b"], ["a"]):
            await fleet.replace([context(name) for name in names])
            await clock.advance(1)
            assert sorted(replica.cluster for replica in source.routes.by_name["tiny:1b"].replicas) == names
        await fleet.replace([])
        await clock.advance(1)
        assert not source.routes.models
        task.cancel()
        await settle()


async def test_the_way_to_a_pod_of_a_cluster_that_left_is_an_error_that_tries_another_copy() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.PODS, pod())
    async with Fleet([context("a")], clock=clock, make_client=kube.client) as fleet:
        source = FleetReplicas(fleet)
        task = asyncio.create_task(source.run())
        await clock.advance(1)
        (replica,) = source.routes.by_name["tiny:1b"].replicas
        way = source.reach(replica)
        await fleet.replace([])
        with pytest.raises(upstream.Unreached, match="no cluster named a"):
            await way.open("POST", "/api/chat", b"{}")
        assert isinstance(source.reach(replica), PodProxy)
        task.cancel()
        await settle()


@pytest.mark.parametrize("odd", ["²", "9" * 5_000, "-1", "1e9", "", "٣"])
async def test_a_number_that_is_none_is_not_taken_and_takes_nobody_out_of_the_routes(odd: str) -> None:
    kube = FakeKube()
    env = [{"name": "OLLAMA_CONTEXT_LENGTH", "value": odd}, {"name": "OLLAMA_NUM_PARALLEL", "value": odd}]
    strange = pod("strange")
    strange["spec"]["containers"][0]["env"] = env
    kube.put(resources.PODS, strange)
    kube.put(resources.PODS, pod())
    async with following(StepClock(), harbor=kube) as source:
        by_pod = {replica.pod: replica for replica in source.routes.by_name["tiny:1b"].replicas}
        assert by_pod["tiny-a"].context == 8192
        assert (by_pod["strange"].context, by_pod["strange"].parallel) == (0, 1)
