"""What binding a pod writes, for both schedulers: nodeName and the PodScheduled condition."""

from __future__ import annotations

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj


def bind(cluster: Cluster, pod: Obj, node: str, *, manager: str, message: str = "") -> None:
    """Give the pod its node. `message` adds KAI's PodBound condition."""
    now = cluster.clock.stamp()

    def spec(obj: Obj) -> None:
        obj["spec"]["nodeName"] = node

    def status(obj: Obj) -> None:
        obj.setdefault("status", {}).setdefault("phase", "Pending")
        objects.set_condition(obj, "PodScheduled", "True", now=now)
        if message:
            objects.set_condition(obj, "PodBound", "True", now=now, reason="Bound", message=message)

    cluster.change("pods", *objects.key(pod), spec, manager=manager)
    cluster.change("pods", *objects.key(pod), status, manager=manager, subresource="status")


def refuse(cluster: Cluster, pod: Obj, message: str, *, manager: str) -> None:
    """Write that the pod cannot be scheduled now, and why."""
    now = cluster.clock.stamp()

    def status(obj: Obj) -> None:
        obj.setdefault("status", {}).setdefault("phase", "Pending")
        objects.set_condition(obj, "PodScheduled", "False", now=now, reason="Unschedulable", message=message)

    cluster.change("pods", *objects.key(pod), status, manager=manager, subresource="status")


def waiting(pod: Obj, scheduler: str) -> bool:
    """Whether this scheduler should look at the pod: unbound, not going away, not gated, its own."""
    spec = pod["spec"]
    return (
        spec.get("schedulerName", "default-scheduler") == scheduler
        and not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and not objects.deleting(pod)
        and pod.get("status", {}).get("phase", "Pending") == "Pending"
    )
