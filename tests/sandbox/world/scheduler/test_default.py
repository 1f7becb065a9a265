"""Plain pods: bound where there is room, and told in the scheduler's sentence where there is none."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

from sealane.sandbox.world import objects
from sealane.sandbox.world.scheduler import default as subject

Obj = dict[str, Any]
Make = Callable[..., Obj]


async def test_a_pod_without_gpus_avoids_the_nodes_that_have_some(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x"))
    await sim.run(1)
    assert sim.pod()["spec"]["nodeName"] == "plain"
    assert sim.reasons("x")[0] == "Scheduled"


async def test_a_pod_that_fits_nowhere_says_why_and_is_bound_when_room_is_made(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("big", gpus=4))
    sim.cluster.create("pods", a_pod("more", gpus=4))
    await sim.run(2)
    waiting = next(pod for pod in sim.pods() if not pod["spec"].get("nodeName"))
    condition = objects.condition(waiting, "PodScheduled")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == (
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: "
        "3 No preemption victims found for incoming pod."
    )
    assert sim.reasons(waiting["metadata"]["name"]) == ["FailedScheduling"]
    sim.cluster.delete("pods", next(pod for pod in sim.pods() if pod["spec"].get("nodeName")))
    name = waiting["metadata"]["name"]
    await sim.until(lambda: sim.cluster.get("pods", "team-a", name)["spec"].get("nodeName"), within=20)


async def test_a_pod_with_a_gate_or_another_scheduler_is_left_alone(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("gated", schedulingGates=[{"name": "wait"}]))
    sim.cluster.create("pods", a_pod("other", schedulerName="nobody"))
    await sim.run(3)
    assert not any(pod["spec"].get("nodeName") for pod in sim.pods())


async def test_a_missing_claim_is_named(sim: Any, a_pod: Make) -> None:
    volume = [{"name": "d", "persistentVolumeClaim": {"claimName": "ghost"}}]
    sim.cluster.create("pods", a_pod("x", volumes=volume))
    await sim.run(1)
    condition = objects.condition(sim.pod(), "PodScheduled")
    assert condition is not None
    assert condition["message"] == '0/3 nodes are available: persistentvolumeclaim "ghost" not found.'


def test_the_sentence_sorts_its_reasons_and_counts_who_could_be_preempted() -> None:
    why = collections.Counter({"node(s) were unschedulable": 2, "Insufficient cpu": 1})
    assert subject.sentence(why, 3) == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: 0/3 nodes are "
        "available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )
    assert subject.sentence(why, 0) == "no nodes available to schedule pods"
