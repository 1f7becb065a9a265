"""The three clusters as a person first meets them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sealane.models import workload
from sealane.models.types import ModelSpec, Share
from sealane.sandbox.api.store import Store
from sealane.sandbox.world import SteppedClock, World, build, modelseeds, objects, seeds

Obj = dict[str, Any]
NAMES = ("harbor-eu", "atlas-us", "bench")


@pytest.fixture
async def world(clock: SteppedClock) -> AsyncIterator[World]:
    made = build({name: Store(now=clock.now) for name in NAMES}, clock)
    task = asyncio.create_task(made.run())
    await clock.advance(6)
    async with asyncio.timeout(5):
        await made.ready()
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def waiting(world: World, name: str) -> list[str]:
    pods = world.clusters[name].cluster.list("pods")
    return sorted(objects.labels(pod)["app.kubernetes.io/name"] for pod in pods if not objects.ready(pod))


async def test_everything_runs_but_the_job_and_the_model_that_wait_at_their_queues_limit(world: World) -> None:
    assert waiting(world, "harbor-eu") == ["depth-train", "depth-train", "qwen2-5vl-7b"]
    assert waiting(world, "atlas-us") == []
    assert waiting(world, "bench") == []
    cluster = world.clusters["harbor-eu"].cluster
    (group,) = [item for item in cluster.list("podgroups", "vision-lab") if "depth" in item["metadata"]["name"]]
    (reason,) = group["status"]["schedulingConditions"][0]["reasons"]
    assert reason["reason"] == "OverLimit"
    assert reason["message"] == (
        "vision quota has reached the allowable limit of GPUs. Limit is 8 GPUs, currently 8 GPUs allocated and "
        "workload requested 2 GPUs"
    )


async def test_the_seeded_models_answer_from_the_start(world: World, ask: Any) -> None:
    found = 0
    for name in NAMES:
        cluster = world.clusters[name].cluster
        for pod in cluster.list("pods", labels={"app.kubernetes.io/managed-by": "sealane"}):
            if not pod["spec"].get("nodeName"):
                continue
            wanted = pod["metadata"]["annotations"]["sealane.dev/model"]
            _, body = await ask(world.pods(name).proxy(pod, 11434), "GET", "/api/ps")
            assert f'"{wanted}'.encode() in body
            found += 1
    assert found == 8


async def test_a_new_model_answers_within_a_minute_at_default_speed(world: World, clock: SteppedClock) -> None:
    cluster = world.clusters["harbor-eu"].cluster
    entry = {"model": "llama3.1:8b", "namespace": "team-code", "share": "0.5", "queue": "research", "storage": "10Gi"}
    for plural, body in modelseeds.manifests(entry, kai=True):
        cluster.create(plural, body, manager="sealane")
    begun = clock.monotonic()
    while not any(
        objects.ready(pod)
        for pod in cluster.list("pods", "team-code", labels={"app.kubernetes.io/name": "llama3-1-8b"})
    ):
        await clock.advance(0.5)
        assert clock.monotonic() - begun < 55


async def test_every_node_says_that_it_is_simulated(world: World) -> None:
    for name in NAMES:
        for node in world.clusters[name].cluster.list("nodes"):
            assert node["metadata"]["labels"]["sandbox.sealane.dev/simulated"] == "true"
            assert "simulated" in node["status"]["nodeInfo"]["osImage"]


async def test_regions_gpus_and_kai_are_as_the_product_says(world: World) -> None:
    def gpus(name: str) -> int:
        nodes = world.clusters[name].cluster.list("nodes")
        return sum(int(node["status"]["allocatable"].get("nvidia.com/gpu", 0)) for node in nodes)

    assert [gpus(name) for name in NAMES] == [12, 24, 1]
    regions = [
        world.clusters[name].cluster.list("nodes")[0]["metadata"]["labels"]["topology.kubernetes.io/region"]
        for name in NAMES
    ]
    assert regions == ["europe-west3", "us-east-1", "here"]
    assert world.clusters["bench"].cluster.list("queues") == []
    config = world.clusters["harbor-eu"].cluster.get("configs", "", "kai-config")
    assert config is not None
    assert config["spec"]["admission"]["gpuSharing"] is True


async def test_a_cluster_that_has_nodes_is_not_seeded_again(world: World) -> None:
    cluster = world.clusters["bench"].cluster
    before = len(cluster.list("deployments"))
    assert seeds.plant(cluster, seeds.data("bench")) is False
    assert len(cluster.list("deployments")) == before


async def test_a_restarted_sandbox_brings_its_pods_back_to_life(world: World, clock: SteppedClock) -> None:
    first = world.clusters["bench"].cluster.store
    again = Store(now=clock.now)
    again.load(first.dump())  # type: ignore[attr-defined]
    second = build({"bench": again}, clock)
    assert second.clusters["bench"].fresh is False
    task = asyncio.create_task(second.run())
    await clock.advance(6)
    cluster = second.clusters["bench"].cluster
    assert all(objects.ready(pod) for pod in cluster.list("pods"))
    (pod,) = cluster.list("pods", labels={"app.kubernetes.io/managed-by": "sealane"})
    assert second.pods("bench").proxy(pod, 11434)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("name", NAMES)
def test_the_data_of_a_cluster_is_sound(name: str) -> None:
    plan = seeds.data(name)
    namespaces = {entry["name"] for entry in plan["namespaces"]} | {"default"}
    queues = {entry["name"] for entry in plan["queues"]}
    parents = {entry.get("parent") for entry in plan["queues"]}
    nodes = {entry["name"] for entry in plan["nodes"]}
    for entry in (*plan["models"], *plan["jobs"], *plan["deployments"]):
        assert entry["namespace"] in namespaces
        assert entry.get("node", next(iter(nodes))) in nodes
        if entry.get("queue"):
            assert entry["queue"] in queues - parents


def test_seeded_models_have_the_shape_that_sealane_itself_makes() -> None:
    entry = {
        "model": "llama3.1:8b",
        "namespace": "nlp",
        "share": "0.5",
        "queue": "q",
        "context": 8192,
        "storage": "10Gi",
    }
    spec = ModelSpec(
        model="llama3.1:8b", cluster="c", namespace="nlp", name="llama3-1-8b", share=Share(fraction=0.5), queue="q"
    )
    sizing = workload.Sizing(
        kai=True, storage="claim", storage_class="standard", volume_bytes=10 * 1024**3, cpu_millicores=1000,
        memory_bytes=1024**3,
    )  # fmt: skip
    ours = {body["kind"]: body for _, body in modelseeds.manifests(entry, kai=True)}
    theirs = {body["kind"]: body for body in workload.manifests(spec, sizing)}
    assert ours.keys() == theirs.keys()
    for kind, body in theirs.items():
        assert ours[kind]["metadata"] == body["metadata"], kind
    assert ours["Service"]["spec"] == theirs["Service"]["spec"]
    assert ours["PersistentVolumeClaim"]["spec"] == theirs["PersistentVolumeClaim"]["spec"]
    mine, other = ours["Deployment"]["spec"], theirs["Deployment"]["spec"]
    assert {key: value for key, value in mine.items() if key != "template"} == {
        key: value for key, value in other.items() if key != "template"
    }
    assert mine["template"]["metadata"] == other["template"]["metadata"]
    for field in ("initContainers", "containers"):
        (own,), (made,) = mine["template"]["spec"][field], other["template"]["spec"][field]
        assert (own["name"], own["image"], own.get("ports")) == (made["name"], made["image"], made.get("ports"))
        assert own["volumeMounts"] == made["volumeMounts"]
        known = {item["name"] for item in made["env"]}
        assert {item["name"] for item in own["env"]} <= known
