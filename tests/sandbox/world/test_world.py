"""A model's life on the simulated cluster: pull, load, answer, replace, fail, end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world import modelseeds, objects
from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.world import World

Obj = dict[str, Any]
Make = Callable[..., Obj]


def host(sim: Any, model: str, **entry: Any) -> None:
    entry = {"model": model, "namespace": "team-a", "share": "0.5", "queue": "a", "name": "m", **entry}
    for plural, body in modelseeds.manifests(entry, kai=True):
        sim.cluster.create(plural, body, manager="sealane")


async def ready(sim: Any, within: float = 60) -> float:
    took: float = await sim.until(lambda: len(sim.pods()) == 1 and objects.ready(sim.pod()), within=within)
    return took


def init_state(sim: Any) -> Obj:
    """The state of the pull, {} while there is none."""
    entries = (sim.pods() or [{}])[0].get("status", {}).get("initContainerStatuses") or [{"state": {}}]
    found: Obj = entries[0]["state"]
    return found


async def test_the_pull_can_be_followed_through_the_pods_own_api(sim: Any) -> None:
    host(sim, "qwen2.5-coder:7b", storage="9Gi")
    await sim.until(lambda: "running" in init_state(sim), within=20)
    await sim.run(8)
    app = sim.world.backend.proxy(sim.pod(), 11434)
    status, raw = await sim.ask(app, "POST", "/api/pull", {"model": "qwen2.5-coder:7b"})
    lines = [json.loads(line) for line in raw.splitlines()]
    assert status == 200
    assert lines[1]["completed"] > 1e9
    assert lines[-1] == {"status": "success"}
    await ready(sim)
    status, raw = await sim.ask(
        sim.world.backend.proxy(sim.pod(), 11434),
        "POST",
        "/api/generate",
        {"model": "qwen2.5-coder:7b", "keep_alive": -1},
    )
    assert json.loads(raw)["done_reason"] == "load"


async def test_kept_weights_survive_the_pod_and_scratch_ones_do_not(sim: Any) -> None:
    host(sim, "qwen2.5-coder:7b", storage="9Gi")
    first = await ready(sim)
    sim.cluster.delete("pods", sim.pod())
    await sim.run(8)
    second = await ready(sim)
    assert second + 8 < first - 5
    sim.cluster.change("deployments", "team-a", "m", lambda obj: obj["spec"].update(replicas=0))
    await sim.until(lambda: not sim.pods(), within=30)
    sim.cluster.delete("persistentvolumeclaims", sim.cluster.get("persistentvolumeclaims", "team-a", "m-weights"))
    await sim.run(2)
    for plural, body in modelseeds.manifests(
        {
            "model": "qwen2.5-coder:7b",
            "namespace": "team-a",
            "queue": "a",
            "share": "0.5",
            "name": "m",
            "storage": "9Gi",
        },
        kai=True,
    ):
        if plural == "persistentvolumeclaims":
            sim.cluster.create(plural, body)
    sim.cluster.change("deployments", "team-a", "m", lambda obj: obj["spec"].update(replicas=1))
    assert await ready(sim) > 15


async def test_a_model_that_does_not_exist_ends_in_a_crash_loop_with_ollamas_words(sim: Any) -> None:
    host(sim, "nosuch-model:7b")
    await sim.until(
        lambda: init_state(sim).get("waiting", {}).get("reason") == "CrashLoopBackOff",
        within=60,
    )
    entry = sim.pod()["status"]["initContainerStatuses"][0]
    message = entry["lastState"]["terminated"]["message"]
    assert message.endswith("Error: pull model manifest: file does not exist\n")
    assert entry["lastState"]["terminated"]["exitCode"] == 1
    assert sim.pod()["status"]["phase"] == "Pending"
    log = [
        line
        async for line in sim.world.backend.logs(
            sim.pod(),
            container="pull",
            follow=False,
            tail_lines=1,
            previous=False,
            timestamps=False,
            since_seconds=None,
        )
    ]
    assert log == [b"Error: pull model manifest: file does not exist\n"]


async def test_a_share_that_is_too_small_fails_when_the_model_is_loaded(sim: Any) -> None:
    host(sim, "qwen2.5-coder:14b", share="0.1")
    await ready(sim)
    app = sim.world.backend.proxy(sim.pod(), 11434)
    status, raw = await sim.ask(app, "POST", "/api/generate", {"model": "qwen2.5-coder:14b", "keep_alive": -1})
    assert status == 500
    assert "cudaMalloc failed: out of memory" in json.loads(raw)["error"]


async def test_a_pod_whose_memory_limit_is_hopeless_is_killed_and_restarted(sim: Any) -> None:
    host(sim, "qwen2.5-coder:7b", share="0")

    def limit(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}

    sim.cluster.change("deployments", "team-a", "m", limit)
    await ready(sim, within=90)
    app = sim.world.backend.proxy(sim.pod(), 11434)
    status, _ = await sim.ask(app, "POST", "/api/generate", {"model": "qwen2.5-coder:7b"})
    assert status == 500
    await sim.run(2)
    entry = sim.pod()["status"]["containerStatuses"][0]
    ended = entry["lastState"].get("terminated") or entry["state"].get("terminated")
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


async def test_a_stream_breaks_off_when_its_pod_is_deleted(sim: Any) -> None:
    host(sim, "qwen2.5-coder:0.5b")
    await ready(sim)
    app = sim.world.backend.proxy(sim.pod(), 11434)
    body = {"model": "qwen2.5-coder:0.5b", "prompt": "x" * 500}
    await sim.ask(app, "POST", "/api/generate", {"model": body["model"], "keep_alive": -1})
    streaming = sim.begin(app, "POST", "/api/generate", body)
    await sim.run(0.3)
    uid = sim.pod()["metadata"]["uid"]
    sim.cluster.delete("pods", sim.pod(), grace_seconds=0)
    await sim.run(0.1)
    with pytest.raises(ConnectionResetError):
        await streaming
    assert uid not in sim.world.kubelet.runs
    await ready(sim)
    assert sim.pod()["metadata"]["uid"] != uid


async def test_an_answer_that_had_not_begun_becomes_an_unreachable_service(sim: Any) -> None:
    host(sim, "qwen2.5-coder:7b")
    await ready(sim)
    app = sim.world.backend.proxy(sim.pod(), 11434)
    waiting = sim.begin(app, "POST", "/api/generate", {"model": "qwen2.5-coder:7b", "prompt": "x"})
    await sim.run(1)
    sim.cluster.delete("pods", sim.pod(), grace_seconds=0)
    await sim.run(0.1)
    status, raw = await waiting
    assert status == 503
    assert json.loads(raw)["message"] == "error trying to reach service: EOF"


async def test_two_copies_that_share_a_kept_volume_run_on_one_node(sim: Any) -> None:
    host(sim, "qwen2.5-coder:0.5b", storage="9Gi", copies=2, share="0.9")
    term = {
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "m"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    rule = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    sim.cluster.change("deployments", "team-a", "m", lambda obj: obj["spec"]["template"]["spec"].update(affinity=rule))
    await sim.until(lambda: sum(objects.ready(pod) for pod in sim.pods()) == 2, within=90)
    assert len({pod["spec"]["nodeName"] for pod in sim.pods()}) == 1


async def test_the_api_side_asks_for_admission_by_cluster(sim: Any, a_pod: Make) -> None:
    world = World({"test": sim.world})
    pod = a_pod("x", gpus=1, queue="a", notes={"gpu-fraction": "0.5"})
    with pytest.raises(AdmissionDenied):
        world.admit("test", "CREATE", "pods", pod)
    assert world.pods("test") is sim.world.backend


async def test_nothing_is_left_running_when_the_world_ends(still: Any, clock: Any) -> None:
    task = asyncio.create_task(still.run())
    await clock.advance(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = [item for item in asyncio.all_tasks() if item is not asyncio.current_task()]
    assert left == []
