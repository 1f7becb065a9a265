"""What running containers use of processor and memory, as a metrics server would have measured it. All simulated.

Ollama reports from its loaded models and the requests it works on; any other program uses a steady part of what it
asked for, somewhat different from pod to pod. Two annotations let a person play load: `sandbox.sealane.dev/uses-cpu`
on a pod is what each of its containers uses, and `sandbox.sealane.dev/load` on a workload is shared by its pods, so
that more pods are less busy: that is what an autoscaler works with.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.kubelet.kubelet import Kubelet
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.base import Use

USES_CPU: Final = "sandbox.sealane.dev/uses-cpu"
USES_MEMORY: Final = "sandbox.sealane.dev/uses-memory"
LOAD: Final = "sandbox.sealane.dev/load"
_MIB: Final = 1024**2
_IDLE_CPU: Final = 0.002
_IDLE_MEMORY: Final = 24 * _MIB
_SYSTEM_CPU: Final = 0.12  # what a node's own services use
_SYSTEM_MEMORY: Final = 900 * _MIB
_OWNERS: Final = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


class Meter:
    """Reads the kubelets of one cluster."""

    def __init__(
        self, cluster: Cluster, kubelet: Kubelet, *, silent: Callable[[str], bool] = lambda _node: False
    ) -> None:
        self._cluster = cluster
        self._kubelet = kubelet
        self._silent = silent

    def pod(self, pod: Obj) -> dict[str, Use] | None:
        """Use by container; None where nothing runs, or nothing is heard of the node."""
        run = self._kubelet.runs.get(objects.uid(pod))
        if run is None or self._silent(run.node):
            return None
        running = [item for item in run.containers if item.running]
        if not running or pod.get("status", {}).get("phase") != "Running":
            return None
        load = self._load(pod)
        found = {}
        for item in running:
            own = item.meter() if item.meter is not None else self._steady(pod, item.spec)
            found[item.name] = _bounded(self._asked_for(pod, own, load / len(running)), item.spec)
        return found

    def node(self, node: Obj) -> Use | None:
        """Use of all pods on a node and of the node itself."""
        name = node["metadata"]["name"]
        if self._silent(name):
            return None
        uses = [
            use
            for run in tuple(self._kubelet.runs.values())
            if run.node == name
            for use in (self.pod(self._cluster.get("pods", *objects.key(run.pod)) or run.pod) or {}).values()
        ]
        cpu = _SYSTEM_CPU + sum(use.cpu for use in uses)
        return Use(cpu, _SYSTEM_MEMORY + sum(use.memory for use in uses))

    def _asked_for(self, pod: Obj, own: Use, load: float) -> Use:
        notes = objects.notes(pod)
        cpu = float(objects.number(notes[USES_CPU])) if USES_CPU in notes else own.cpu
        memory = int(objects.number(notes[USES_MEMORY])) if USES_MEMORY in notes else own.memory
        return Use(cpu + load, memory)

    def _steady(self, pod: Obj, container: Obj) -> Use:
        """A part of what was asked for, by a number that stays with the pod."""
        part = zlib.crc32(f"{objects.uid(pod)}/{container['name']}".encode()) % 100 / 100
        asked = (container.get("resources") or {}).get("requests") or {}
        cpu = float(objects.number(asked.get("cpu", 0))) * (0.05 + 0.1 * part)
        memory = float(objects.number(asked.get("memory", 0))) * (0.25 + 0.25 * part)
        return Use(_IDLE_CPU * (1 + part) + cpu, int(max(memory, _IDLE_MEMORY * (1 + part))))

    def _load(self, pod: Obj) -> float:
        """The pod's part of the load that somebody put on its workload, in cores."""
        owner = self._owner(pod)
        text = objects.notes(owner).get(LOAD, "") if owner is not None else ""
        if owner is None or not text:
            return 0.0
        siblings = [
            other
            for other in self._cluster.list("pods", pod["metadata"]["namespace"])
            if objects.ready(other) and (self._owner(other) or {}).get("metadata", {}).get("uid") == objects.uid(owner)
        ]
        return float(objects.number(text)) / max(1, len(siblings)) if objects.ready(pod) else 0.0

    def _owner(self, pod: Obj) -> Obj | None:
        reference, namespace = objects.controller_of(pod), pod["metadata"]["namespace"]
        plural = _OWNERS.get(reference["kind"]) if reference is not None else None
        if reference is None or plural is None:
            return None
        owner = self._cluster.get(plural, namespace, reference["name"])
        above = objects.controller_of(owner) if owner is not None else None
        if above is not None and above["kind"] == "Deployment":
            return self._cluster.get("deployments", namespace, above["name"])
        return owner


def _bounded(use: Use, container: Obj) -> Use:
    """Nobody uses more than the limits allow."""
    limits = (container.get("resources") or {}).get("limits") or {}
    cpu = min(use.cpu, float(objects.number(limits["cpu"]))) if "cpu" in limits else use.cpu
    memory = min(Fraction(use.memory), objects.number(limits["memory"])) if "memory" in limits else use.memory
    return Use(cpu, int(memory))
