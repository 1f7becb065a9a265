"""Nodes renew their lease; a silent one is tainted, and its pods are given up in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world import objects

Obj = dict[str, Any]
Make = Callable[..., Obj]


def state(sim: Any, node: str) -> str:
    found = objects.condition(sim.cluster.get("nodes", "", node), "Ready")
    assert found is not None
    return str(found["status"])


async def test_leases_are_renewed_while_nodes_are_heard_of(sim: Any) -> None:
    first = sim.cluster.get("leases", "kube-node-lease", "gpu-a")["spec"]["renewTime"]
    await sim.run(25)
    assert sim.cluster.get("leases", "kube-node-lease", "gpu-a")["spec"]["renewTime"] > first
    assert state(sim, "gpu-a") == "True"


async def test_a_silent_node_becomes_unknown_and_is_tainted(sim: Any) -> None:
    sim.world.nodes.down("gpu-a")
    await sim.run(30)
    assert state(sim, "gpu-a") == "True"
    await sim.run(30)
    assert state(sim, "gpu-a") == "Unknown"
    taints = sim.cluster.get("nodes", "", "gpu-a")["spec"]["taints"]
    assert {(item["key"], item["effect"]) for item in taints} == {
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    }
    sim.world.nodes.up("gpu-a")
    assert state(sim, "gpu-a") == "True"
    assert "taints" not in sim.cluster.get("nodes", "", "gpu-a")["spec"]


async def test_pods_of_a_lost_node_are_not_ready_and_are_replaced_elsewhere(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await sim.run(15)
    lost = sim.pod()["spec"]["nodeName"]
    sim.world.nodes.down(lost)
    await sim.run(60)
    assert not objects.ready(sim.pod())
    await sim.run(320)
    (pod,) = [pod for pod in sim.pods() if objects.ready(pod)]
    assert pod["spec"]["nodeName"] != lost
