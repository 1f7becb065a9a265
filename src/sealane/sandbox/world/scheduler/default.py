"""The default scheduler, as far as plain pods need it: filter, prefer the emptiest node, bind, or say why not.

The refusal is the real sentence: `0/4 nodes are available: 1 Insufficient nvidia.com/gpu, …`. Pods that wait for a
volume's first consumer are bound like any other; the volume controller then follows.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from fractions import Fraction

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import binding, fitting

NAME = "default-scheduler"


class DefaultScheduler(Controller):
    """One key: the whole queue of pods is looked at whenever something may have changed."""

    name = NAME
    kinds = ("pods", "nodes", "persistentvolumeclaims")
    pace = 0.1
    warm_pace = 0.02

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        return (("all",),)

    def reconcile(self, key: Key) -> float | None:
        pods = self.cluster.list("pods")
        nodes = [node for node in self.cluster.list("nodes") if fitting.ready(node)]
        waiting = [pod for pod in pods if binding.waiting(pod, NAME)]
        for pod in sorted(waiting, key=lambda pod: -int(pod["spec"].get("priority", 0))):
            self._place(pod, nodes, self.cluster.list("pods"))
        return None

    def _place(self, pod: Obj, nodes: list[Obj], pods: list[Obj]) -> None:
        missing = self._missing_claim(pod)
        if missing:
            self._refuse(pod, f"0/{len(nodes)} nodes are available: {missing}.")
            return
        why: collections.Counter[str] = collections.Counter()
        fits: list[tuple[Fraction, str]] = []
        for node in nodes:
            space = fitting.room(node, pods)
            problem = fitting.refusal(pod, node, space, pods=pods, nodes=nodes)
            if problem:
                why[problem] += 1
            else:
                fits.append((_fullness(node, space, pod), space.node))
        if not fits:
            self._refuse(pod, sentence(why, len(nodes)))
            return
        node_name = min(fits)[1]
        binding.bind(self.cluster, pod, node_name, manager=NAME)
        namespace, name = objects.key(pod)
        text = f"Successfully assigned {namespace}/{name} to {node_name}"
        self.cluster.event(pod, "Scheduled", text, component=NAME)

    def _missing_claim(self, pod: Obj) -> str:
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and self.cluster.get("persistentvolumeclaims", namespace, claim) is None:
                return f'persistentvolumeclaim "{claim}" not found'
        return ""

    def _refuse(self, pod: Obj, text: str) -> None:
        known = objects.condition(pod, "PodScheduled")
        if known is None or known.get("message") != text:
            binding.refuse(self.cluster, pod, text, manager=NAME)
            self.cluster.event(pod, "FailedScheduling", text, type="Warning", component=NAME)


def sentence(why: collections.Counter[str], nodes: int) -> str:
    """The scheduler's own summary of why no node would do."""
    if not nodes:
        return "no nodes available to schedule pods"
    reasons = ", ".join(sorted(f"{count} {text}" for text, count in why.items()))
    helpful = sum(count for text, count in why.items() if text.startswith(("Insufficient", "Too many")))
    parts = []
    if helpful:
        parts.append(f"{helpful} No preemption victims found for incoming pod")
    if nodes - helpful:
        parts.append(f"{nodes - helpful} Preemption is not helpful for scheduling")
    return f"0/{nodes} nodes are available: {reasons}. preemption: 0/{nodes} nodes are available: {', '.join(parts)}."


def _fullness(node: Obj, space: fitting.Room, pod: Obj) -> Fraction:
    """How full the node is (0–1, CPU and memory); a node with GPUs counts as full for pods that want none."""
    capacity = node["status"]["allocatable"]
    share = sum(
        (1 - space.free.get(name, Fraction(0)) / (objects.number(capacity.get(name, 1)) or 1))
        for name in ("cpu", "memory")
    )
    wants_gpu = objects.requests(pod).get(fitting.GPU, 0)
    return Fraction(share) / 2 + (10 if fitting.GPU in capacity and not wants_gpu else 0)
