"""Nodes stay Ready as long as their lease is renewed; a node that falls silent is tainted and loses its pods.

The kubelet's heartbeat and the node controller's judgement in one place: `down(node)` makes a node fall silent
(a fault that a person may switch on), `up(node)` brings it back. Heartbeats are slow on purpose: every write is a
watch event for every reader.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

NAMESPACE = "kube-node-lease"
PERIOD = 10.0
GRACE = 40.0
_EVICTION = 300.0
_UNREACHABLE = "node.kubernetes.io/unreachable"


class NodeController(Controller):
    """Heartbeats and taints."""

    name = "node-lifecycle"
    kinds = ("nodes",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._silent: dict[str, float] = {}

    def down(self, node: str) -> None:
        """From now on this node is not heard of."""
        self._silent.setdefault(node, self.cluster.clock.monotonic())

    def up(self, node: str) -> None:
        """The node is heard of again."""
        self._silent.pop(node, None)
        self._judge(node)

    def silent(self, node: str) -> bool:
        """Whether this node has been made to fall silent."""
        return node in self._silent

    async def run(self) -> None:
        while True:
            await self.cluster.clock.sleep(PERIOD)
            for node in self.cluster.list("nodes"):
                self._judge(node["metadata"]["name"])

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        return (objects.key(obj),) if change == "ADDED" else ()

    def reconcile(self, key: Key) -> float | None:
        self._judge(key[1])
        return None

    def _judge(self, name: str) -> None:
        since = self._silent.get(name)
        if since is None:
            self._renew(name)
            self._mark(name, heard=True)
            return
        silence = self.cluster.clock.monotonic() - since
        if silence >= GRACE:
            self._mark(name, heard=False)
        if silence >= GRACE + _EVICTION:
            for pod in self.cluster.list("pods"):
                if pod["spec"].get("nodeName") == name and objects.active(pod):
                    self.cluster.delete("pods", pod, grace_seconds=0)

    def _renew(self, name: str) -> None:
        node = self.cluster.get("nodes", "", name)
        if node is None:
            return
        now = self.cluster.clock.stamp_micro()
        lease = self.cluster.get("leases", NAMESPACE, name)
        if lease is None and self.cluster.kind("leases") is not None:
            reference = objects.owner_reference(node, api_version="v1", kind="Node", controller=False)
            meta = {"name": name, "namespace": NAMESPACE, "ownerReferences": [reference]}
            spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
            self.cluster.create("leases", body, manager="kubelet")
            return

        def change(obj: Obj) -> None:
            obj["spec"]["renewTime"] = now

        self.cluster.change("leases", NAMESPACE, name, change, manager="kubelet")

    def _mark(self, name: str, *, heard: bool) -> None:
        now = self.cluster.clock.stamp()
        node = self.cluster.get("nodes", "", name)
        if node is None:
            return
        ready = objects.condition(node, "Ready")
        wanted = "True" if heard else "Unknown"
        if ready is not None and ready["status"] == wanted:
            return

        def status(obj: Obj) -> None:
            words = (
                ("KubeletReady", "kubelet is posting ready status")
                if heard
                else ("NodeStatusUnknown", "Kubelet stopped posting node status.")
            )
            objects.set_condition(obj, "Ready", wanted, now=now, reason=words[0], message=words[1])

        def taints(obj: Obj) -> None:
            kept = [item for item in obj["spec"].get("taints") or () if item["key"] != _UNREACHABLE]
            if not heard:
                kept += [{"key": _UNREACHABLE, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
            obj["spec"]["taints"] = kept
            if not kept:
                del obj["spec"]["taints"]

        self.cluster.change("nodes", "", name, status, subresource="status")
        self.cluster.change("nodes", "", name, taints)
        if not heard:
            text = f"Node {name} status is now: NodeNotReady"
            self.cluster.event(node, "NodeNotReady", text, component="node-controller")
            self._not_ready(name, now)

    def _not_ready(self, node: str, now: str) -> None:
        def change(obj: Obj) -> None:
            objects.set_condition(obj, "Ready", "False", now=now)

        for pod in self.cluster.list("pods"):
            if pod["spec"].get("nodeName") == node:
                self.cluster.change("pods", *objects.key(pod), change, subresource="status")
