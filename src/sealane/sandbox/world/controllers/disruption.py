"""PodDisruptionBudgets: how many of the chosen pods may be missing now, as evictions and `kubectl drain` read it.

The wanted number comes from the budget and from what its pods' controllers want (so that a percentage means the same
while pods are missing), the healthy number from readiness. Evictions write themselves down in `disruptedPods`, so that
two of them in a row cannot both use the last disruption before this controller has looked again.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.controllers.replicaset import matching
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT = "controllermanager"
_FORGET = datetime.timedelta(minutes=2)
_SCALABLE = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "Deployment": "deployments"}


class DisruptionController(Controller):
    """Keyed by budget; a pod leads to all budgets of its namespace."""

    name = "disruption"
    kinds = ("poddisruptionbudgets", "pods")

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "poddisruptionbudgets":
            return (objects.key(obj),)
        namespace = obj["metadata"].get("namespace", "")
        return [objects.key(item) for item in self.cluster.list("poddisruptionbudgets", namespace)]

    def reconcile(self, key: Key) -> float | None:
        budget = self.cluster.get("poddisruptionbudgets", key[0], key[1])
        if budget is None or objects.deleting(budget):
            return None
        selector = budget["spec"].get("selector")
        found = [] if selector is None else matching(self.cluster.list("pods", key[0]), selector)
        pods = [pod for pod in found if pod.get("status", {}).get("phase") not in objects.FINISHED]
        if not pods:
            self.cluster.event(budget, "NoPods", "No matching pods found", component=COMPONENT)
        expected, desired, problem = self._wanted(budget, pods)
        if problem:
            text = f"Failed to calculate the number of expected pods: {problem}"
            self.cluster.event(budget, "CalculateExpectedPodCountFailed", text, type="Warning", component=COMPONENT)
        disrupted = self._disrupted(budget, pods)
        healthy = sum(objects.ready(pod) and pod["metadata"]["name"] not in disrupted for pod in pods)
        allowed = max(0, healthy - desired) if expected > 0 and not problem else 0
        counts = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
        }
        self._write(budget, counts, disrupted, problem)
        return _FORGET.total_seconds() if disrupted else None

    def _wanted(self, budget: Obj, pods: list[Obj]) -> tuple[int, int, str]:
        """`(expected, desired, problem)`: pods that there should be, pods that must be healthy."""
        spec = budget["spec"]
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most is None and not isinstance(least, str):
            return len(pods), int(least or 0), ""
        try:
            expected = self._expected(pods)
        except LookupError as problem:
            return 0, 0, str(problem.args[0])
        if most is not None:
            return expected, max(0, expected - _part(most, expected)), ""
        return expected, _part(least or 0, expected), ""

    def _expected(self, pods: list[Obj]) -> int:
        """The replicas that the pods' controllers want. Raises LookupError for a pod without a scalable one."""
        owners: dict[str, int] = {}
        for pod in pods:
            reference = objects.controller_of(pod)
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            if reference is None:
                raise LookupError(f"found no controllers for pod {_quoted(name)}")
            plural = _SCALABLE.get(reference["kind"])
            if plural is None:
                raise LookupError(
                    f"{reference['kind'].lower()}s.{_group(reference)} does not implement the scale subresource"
                )
            owner = self.cluster.get(plural, namespace, reference["name"])
            if owner is None:
                continue
            above = objects.controller_of(owner)
            if above is not None and above["kind"] == "Deployment":
                owner = self.cluster.get("deployments", namespace, above["name"]) or owner
            owners[objects.uid(owner)] = int(owner["spec"].get("replicas", 1))
        return sum(owners.values())

    def _disrupted(self, budget: Obj, pods: list[Obj]) -> dict[str, str]:
        """Pods that an eviction has begun to end and that are still there, not longer than two minutes."""
        now = self.cluster.clock.now()
        names = {pod["metadata"]["name"] for pod in pods if not objects.deleting(pod)}
        kept = {}
        for name, since in (budget.get("status", {}).get("disruptedPods") or {}).items():
            begun = datetime.datetime.fromisoformat(since)
            if name in names and now - begun < _FORGET:
                kept[name] = since
        return kept

    def _write(self, budget: Obj, counts: dict[str, int], disrupted: dict[str, str], problem: str) -> None:
        now = self.cluster.clock.stamp()
        enough = counts["disruptionsAllowed"] > 0
        reason = "SyncFailed" if problem else "SufficientPods" if enough else "InsufficientPods"

        def change(obj: Obj) -> None:
            status = obj.setdefault("status", {})
            generation = obj["metadata"].get("generation", 1)
            status.update(counts, observedGeneration=generation)
            if disrupted:
                status["disruptedPods"] = disrupted
            else:
                status.pop("disruptedPods", None)
            state = "True" if enough else "False"
            objects.set_condition(obj, "DisruptionAllowed", state, now=now, reason=reason, message=problem)
            for item in status["conditions"]:
                item["observedGeneration"] = generation

        self.cluster.change("poddisruptionbudgets", *objects.key(budget), change, subresource="status")


def _quoted(name: str) -> str:
    """A name as Go quotes it."""
    return f'"{name}"'


def _group(reference: Obj) -> str:
    group, _, _version = str(reference["apiVersion"]).rpartition("/")
    return group


def _part(value: int | str, whole: int) -> int:
    """A number, or a percentage of `whole` rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * whole / 100)
    return int(value)
