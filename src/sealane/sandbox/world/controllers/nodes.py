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
_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


class NodeController(Controller):
    """Heartbeats and taints."""

    name = "node-lifecycle"
    kinds = ("nodes",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._silent: dict[str, float] = {}
        self._patience: dict[str, float] = {}

    def down(self, node: str, *, patience: float = _EVICTION) -> None:
        """From now on this node is not heard of; its pods are given up `patience` seconds after it was noticed."""
        self._silent.setdefault(node, self.cluster.clock.monotonic())
        self._patience[node] = patience

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
        if silence >= GRACE + self._patience.get(name, _EVICTION):
            for pod in self.cluster.list("pods"):
                if pod["spec"].get("nodeName") == name and objects.active(pod) and not _stays(pod):
                    self._give_up(pod)

    def _give_up(self, pod: Obj) -> None:
        """Delete a pod of a lost node. It stays, Terminating, until its kubelet is heard of or somebody forces it."""
        text = f"Marking for deletion Pod {'/'.join(objects.key(pod))}"
        self.cluster.event(pod, "TaintManagerEviction", text, component="taint-eviction-controller")
        self.cluster.delete("pods", pod)

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
            for kind, (reason, message) in _PRESSURES.items():
                if objects.condition(obj, kind) is None:
                    continue
                if heard:
                    objects.set_condition(obj, kind, "False", now=now, reason=reason, message=message)
                else:
                    objects.set_condition(obj, kind, "Unknown", now=now, reason=words[0], message=words[1])

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
            if pod["spec"].get("nodeName") == node and pod.get("status", {}).get("phase") not in objects.FINISHED:
                self.cluster.change("pods", *objects.key(pod), change, subresource="status")
                text = "Node is not ready"
                self.cluster.event(pod, "NodeNotReady", text, type="Warning", component="node-controller")


def _stays(pod: Obj) -> bool:
    """Whether the pod tolerates a lost node for ever, as those of DaemonSets do."""
    return any(
        item.get("key") in {None, "", _UNREACHABLE}
        and item.get("effect") in {None, "", "NoExecute"}
        and item.get("operator") == "Exists"
        and item.get("tolerationSeconds") is None
        for item in pod["spec"].get("tolerations") or ()
    )
