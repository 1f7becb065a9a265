"""What a node says of itself when a card or its disk fails: allocatable, conditions, taints, and events.

The words are the kubelet's, the node controller's and, for a lost card, the kernel's own line as a node problem
detector reports it (Xid 79 is NVIDIA's number for a card that no longer answers on its bus).
"""

from __future__ import annotations

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.scheduler.cards import GPU

_PRESSURE = "node.kubernetes.io/disk-pressure"
_WORDS = {
    "True": ("KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure"),
    "False": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure"),
}


def offer(cluster: Cluster, node: str, *, less: int) -> None:
    """The node offers so many cards less than it has. Its capacity stays: that is what it was built with."""

    def change(obj: Obj) -> None:
        status = obj["status"]
        if GPU in status.get("capacity", {}):
            status["allocatable"][GPU] = str(max(0, int(status["capacity"][GPU]) - less))

    cluster.change("nodes", "", node, change, subresource="status", manager="kubelet")


def xid(cluster: Cluster, node: str) -> None:
    """The kernel's line about a card that fell off the bus, as an event of the node."""
    found = cluster.get("nodes", "", node)
    if found is not None:
        line = "NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
        cluster.event(found, "XidError", line, type="Warning", component="kernel-monitor", host=node)


def disk_pressure(cluster: Cluster, node: str, *, on: str) -> None:
    """The node's disk is full (`on` "True"), or has room again ("False")."""
    found = cluster.get("nodes", "", node)
    if found is None:
        return
    reason, message, event = _WORDS[on]
    now = cluster.clock.stamp()

    def status(obj: Obj) -> None:
        objects.set_condition(obj, "DiskPressure", on, now=now, reason=reason, message=message)

    def taints(obj: Obj) -> None:
        kept = [item for item in obj["spec"].get("taints") or () if item["key"] != _PRESSURE]
        if on == "True":
            kept.append({"key": _PRESSURE, "effect": "NoSchedule"})
        obj["spec"]["taints"] = kept
        if not kept:
            del obj["spec"]["taints"]

    cluster.change("nodes", "", node, status, subresource="status", manager="kubelet")
    cluster.change("nodes", "", node, taints)
    if on == "True":
        text = "Attempting to reclaim ephemeral-storage"
        cluster.event(found, "EvictionThresholdMet", text, type="Warning", component="kubelet", host=node)
    text = f"Node {node} status is now: {event}"
    cluster.event(found, event, text, component="kubelet", host=node)


def mend(cluster: Cluster) -> None:
    """Undo what a sandbox that was killed in the middle of a scenario left on its nodes."""
    for node in cluster.list("nodes"):
        name, status = node["metadata"]["name"], node.get("status", {})
        if status.get("allocatable", {}).get(GPU) != status.get("capacity", {}).get(GPU):
            offer(cluster, name, less=0)
        pressure = objects.condition(node, "DiskPressure")
        if pressure is not None and pressure["status"] == "True":
            disk_pressure(cluster, name, on="False")
