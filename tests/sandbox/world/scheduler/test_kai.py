"""Pods handed to KAI, on an acting cluster: groups, binding, sharing, explanations, accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sealane.sandbox.world import objects

Obj = dict[str, Any]
Make = Callable[..., Obj]
RESERVATIONS = "kai-resource-reservation"


def condition(sim: Any, pod: Obj) -> Obj:
    name = pod["metadata"]["annotations"]["pod-group-name"]
    group = sim.cluster.get("podgroups", pod["metadata"]["namespace"], name)
    (found,) = group["status"]["schedulingConditions"]
    assert isinstance(found, dict)
    return found


def queue(sim: Any, name: str) -> Obj:
    found = sim.cluster.get("queues", "", name)
    assert found is not None
    return dict(found.get("status", {}))


async def test_each_pod_of_a_deployment_gets_a_group_that_names_its_origin(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=2, gpus=1, queue="a"))
    await sim.run(3)
    groups = sim.cluster.list("podgroups", "team-a")
    assert sorted(item["metadata"]["name"] for item in groups) == sorted(
        f"pg-{pod['metadata']['name']}-{pod['metadata']['uid']}" for pod in sim.pods()
    )
    for group in groups:
        assert group["metadata"]["ownerReferences"][0]["kind"] == "Pod"
        origin = yaml.safe_load(group["metadata"]["annotations"]["kai.scheduler/top-owner-metadata"])
        assert (origin["kind"], origin["name"], origin["group"]) == ("Deployment", "web", "apps")
        assert group["spec"]["priorityClassName"] == "inference"
        assert group["spec"]["queue"] == "a"


async def test_a_job_has_one_group_for_all_its_pods(sim: Any, a_pod: Make) -> None:
    template = {"metadata": {"labels": {"kai.scheduler/queue": "a"}}, "spec": a_pod("x", gpus=1, queue="a")["spec"]}
    template["spec"] |= {"restartPolicy": "Never", "command": ["sleep"]}
    template["spec"].pop("command")
    meta = {"name": "train", "namespace": "team-a", "labels": {"kai.scheduler/queue": "a"}}
    meta["annotations"] = {"kai.scheduler/batch-min-member": "2"}  # type: ignore[assignment]
    spec = {"parallelism": 2, "completions": 2, "template": template}
    sim.cluster.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    await sim.run(3)
    (group,) = sim.cluster.list("podgroups", "team-a")
    assert group["metadata"]["name"].startswith("pg-train-")
    assert group["spec"] == {
        "minMember": 2,
        "priorityClassName": "train",
        "queue": "a",
        "topologyConstraint": {},
    }
    assert all(pod["spec"].get("nodeName") for pod in sim.pods())


async def test_a_bound_pod_carries_both_conditions_and_the_events(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", gpus=1, queue="a"))
    took = await sim.until(lambda: sim.pod()["spec"].get("nodeName"), within=5, step=0.1)
    assert took < 1.5
    pod = sim.pod()
    assert pod["spec"]["nodeName"] == "gpu-a"
    assert objects.condition(pod, "PodBound")["message"] == "Pod bound successfully to node gpu-a"  # type: ignore[index]
    assert sim.reasons("x")[:2] == ["Scheduled", "Bound"]
    (request,) = sim.cluster.list("bindrequests", "team-a")
    assert request["spec"]["selectedNode"] == "gpu-a"
    assert request["status"] == {"phase": "Succeeded"}


async def test_two_parts_share_a_card_held_by_one_reservation(sim: Any, a_pod: Make) -> None:
    for name in ("x", "y"):
        sim.cluster.create("pods", a_pod(name, queue="a", notes={"gpu-fraction": "0.5"}))
    await sim.run(5)
    groups = {pod["metadata"]["labels"]["runai-gpu-group"] for pod in sim.pods()}
    assert len(groups) == 1
    (reservation,) = sim.pods(RESERVATIONS)
    assert reservation["metadata"]["labels"]["runai-gpu-group"] in groups
    index = reservation["metadata"]["annotations"]["run.ai/reserve_for_gpu_index"]
    assert index.startswith("GPU-gpu-a-")
    config = sim.pods()[0]["metadata"]["annotations"]["runai/shared-gpu-configmap"]
    assert sim.cluster.get("configmaps", "team-a", f"{config}-0")["data"]["GPU_PORTION"] == "0.50"
    assert sim.pods()[0]["metadata"]["annotations"]["received-resource-type"] == "Fraction"
    await sim.run(1)
    assert queue(sim, "a")["allocated"]["nvidia.com/gpu"] == "1"


async def test_the_reservation_goes_with_the_last_user_of_the_card(sim: Any, a_pod: Make) -> None:
    for name in ("x", "y"):
        sim.cluster.create("pods", a_pod(name, queue="a", notes={"gpu-fraction": "0.4"}))
    await sim.run(5)
    sim.cluster.delete("pods", sim.cluster.get("pods", "team-a", "x"))
    await sim.run(5)
    assert len(sim.pods(RESERVATIONS)) == 1
    sim.cluster.delete("pods", sim.cluster.get("pods", "team-a", "y"))
    await sim.until(lambda: not sim.pods(RESERVATIONS), within=10)
    assert queue(sim, "a")["allocated"] == {}


async def test_a_queue_at_its_limit_is_explained_in_all_places(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", gpus=4, queue="b"))
    await sim.run(3)
    pod = sim.pod()
    found = condition(sim, pod)
    (reason,) = found["reasons"]
    assert (found["type"], found["status"], found["reason"]) == ("UnschedulableOnNodePool", "True", "Unschedulable")
    assert found["message"] == f"OverLimit: {reason['message']}."
    details = reason["details"]["queueDetails"]
    assert details["name"] == "b"
    assert details["queueResourceLimits"]["nvidia.com/gpu"] == "3"
    assert details["podGroupRequestedResources"]["nvidia.com/gpu"] == "4"
    scheduled = objects.condition(pod, "PodScheduled")
    assert scheduled is not None
    assert scheduled["message"] == reason["message"]
    events = [item for item in sim.cluster.list("events", "team-a") if item["reason"] == "Unschedulable"]
    assert {(item["involvedObject"]["kind"], item["type"]) for item in events} == {
        ("Pod", "Warning"),
        ("PodGroup", "Normal"),
    }


async def test_the_condition_is_never_taken_back_but_the_pods_own_is_right(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", gpus=3, queue="b"))
    sim.cluster.change("queues", "", "b", lambda obj: obj["spec"]["resources"]["gpu"].update(limit=1))
    await sim.run(3)
    assert condition(sim, sim.pod())["reasons"][0]["reason"] == "OverLimit"
    sim.cluster.change("queues", "", "b", lambda obj: obj["spec"]["resources"]["gpu"].update(limit=4))
    await sim.until(lambda: sim.pod()["spec"].get("nodeName"), within=10)
    assert condition(sim, sim.pod())["reasons"][0]["reason"] == "OverLimit"
    assert objects.condition(sim.pod(), "PodScheduled")["status"] == "True"  # type: ignore[index]


async def test_a_missing_queue_leaves_no_trace_until_it_is_made(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", gpus=1, queue="ghost"))
    await sim.run(10)
    assert objects.condition(sim.pod(), "PodScheduled") is None
    (group,) = sim.cluster.list("podgroups", "team-a")
    assert "schedulingConditions" not in group.get("status", {})
    assert sim.reasons("x") == []
    made = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": "ghost"}}
    sim.cluster.create("queues", made | {"spec": {"resources": {"gpu": {"quota": -1, "limit": -1}}}})
    await sim.until(lambda: sim.pod()["spec"].get("nodeName"), within=5)


async def test_a_pod_without_a_queue_waits_in_the_default_queue_that_is_not_there(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", schedulerName="kai-scheduler"))
    await sim.run(3)
    (group,) = sim.cluster.list("podgroups", "team-a")
    assert group["spec"]["queue"] == "default-queue"


async def test_a_queue_that_nothing_used_has_no_status_and_a_parent_knows_its_children(sim: Any, a_pod: Make) -> None:
    assert queue(sim, "a") == {}
    assert queue(sim, "root") == {"childQueues": ["a", "b"]}
    sim.cluster.create("pods", a_pod("x", queue="a", cpu="500m", notes={"gpu-memory": "23000"}))
    await sim.run(5)
    status = queue(sim, "a")
    assert status["requested"] == {"cpu": "500m", "memory": "128Mi", "run.ai/gpu.memory": "23k"}
    assert status["allocated"]["nvidia.com/gpu"] == "500m"
    assert "allocatedNonPreemptible" not in status
    assert queue(sim, "root")["allocated"]["nvidia.com/gpu"] == "500m"


async def test_a_borrower_gives_back_what_another_queue_is_entitled_to(sim: Any, a_pod: Make) -> None:
    sim.cluster.change("queues", "", "b", lambda obj: obj["spec"]["resources"]["gpu"].update(limit=6))
    for number in range(6):
        sim.cluster.create("pods", a_pod(f"b-{number}", gpus=1, queue="b", namespace="team-b"))
    await sim.run(10)
    assert all(pod["spec"].get("nodeName") for pod in sim.pods("team-b"))
    sim.cluster.change("queues", "", "root", lambda obj: obj["spec"]["resources"]["gpu"].update(limit=9))
    sim.cluster.create("pods", a_pod("want", gpus=2, queue="a"))
    await sim.until(
        lambda: any(pod["metadata"]["name"] == "want" and pod["spec"].get("nodeName") for pod in sim.pods()),
        within=30,
    )
    assert len(sim.pods("team-b")) == 4
    evicted = [item for item in sim.cluster.list("events", "team-b") if item["reason"] == "Evict"]
    assert len(evicted) == 2
    assert all(item["involvedObject"]["kind"] == "PodGroup" for item in evicted)


async def test_many_that_must_wait_do_not_keep_others_from_starting(sim: Any, a_pod: Make) -> None:
    for number in range(15):
        sim.cluster.create("pods", a_pod(f"a-wait-{number:02}", gpus=4, queue="b"))
    await sim.run(3)
    sim.cluster.create("pods", a_pod("z-fits", gpus=1, queue="a"))
    await sim.until(lambda: sim.cluster.get("pods", "team-a", "z-fits")["spec"].get("nodeName"), within=3)
    written = sim.cluster.store.revision
    await sim.run(5)
    assert sim.cluster.store.revision - written < 40


@pytest.mark.parametrize("count", [12])
async def test_a_burst_never_overfills_the_cards(sim: Any, a_pod: Make, count: int) -> None:
    sim.cluster.change("queues", "", "a", lambda obj: obj["spec"]["resources"]["gpu"].update(limit=6))
    for number in range(count):
        fraction = ("0.3", "0.5", "0.7")[number % 3]
        sim.cluster.create("pods", a_pod(f"x-{number}", queue="a", notes={"gpu-fraction": fraction}))
    await sim.run(20)
    used: dict[str, float] = {}
    for pod in sim.pods():
        if pod["spec"].get("nodeName"):
            group = pod["metadata"]["labels"]["runai-gpu-group"]
            used[group] = used.get(group, 0.0) + float(pod["metadata"]["annotations"]["gpu-fraction"])
    assert used
    assert all(total <= 1.0001 for total in used.values())
    assert len(sim.pods(RESERVATIONS)) == len(used) <= 6
    assert sum(bool(pod["spec"].get("nodeName")) for pod in sim.pods()) >= count - 2
