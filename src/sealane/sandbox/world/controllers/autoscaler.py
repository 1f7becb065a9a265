"""HorizontalPodAutoscaler: follows what pods use with the number of pods, with the real controller's arithmetic.

Every fifteen (simulated) seconds: use against what the pods ask for, a tolerance of a tenth, then stabilisation and
rate policies of `spec.behavior`, then the bounds. What was found is said as the real one says it: three conditions,
current metrics, and an event for every change, because people read there why nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.controllers import autoscaling
from sealane.sandbox.world.controllers.autoscaling import Measured, NoFigure
from sealane.sandbox.world.controllers.replicaset import matching
from sealane.sandbox.world.metering import Meter
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT: Final = "horizontal-pod-autoscaler"
_PERIOD: Final = 15.0
_TARGETS: Final = {
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
}
Words = tuple[str, str, str]


class AutoscalerController(Controller):
    """Keyed by autoscaler; looks again every period."""

    name = "horizontal-pod-autoscaler"
    kinds = ("horizontalpodautoscalers",)

    def __init__(self, cluster: Cluster, meter: Meter) -> None:
        super().__init__(cluster)
        self._meter = meter
        self._histories: dict[str, autoscaling.History] = {}
        self._due: dict[str, float] = {}

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if change == "DELETED":
            self._histories.pop(objects.uid(obj), None)
            self._due.pop(objects.uid(obj), None)
            return ()
        return (objects.key(obj),)

    def reconcile(self, key: Key) -> float | None:
        hpa = self.cluster.get("horizontalpodautoscalers", key[0], key[1])
        if hpa is None or objects.deleting(hpa):
            return None
        now, uid = self.cluster.clock.monotonic(), objects.uid(hpa)
        seen = hpa.get("status", {}).get("observedGeneration") == hpa["metadata"].get("generation", 1)
        left = self._due.get(uid, 0.0) - now
        if seen and left > 0:
            return left
        self._due[uid] = now + _PERIOD
        self._follow(hpa)
        return _PERIOD

    def _follow(self, hpa: Obj) -> None:
        reference = hpa["spec"]["scaleTargetRef"]
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        plural = _TARGETS.get((group, reference["kind"]))
        namespace = hpa["metadata"]["namespace"]
        target = None if plural is None else self.cluster.get(plural, namespace, reference["name"])
        if plural is None or target is None:
            self._no_target(hpa, f'{plural or reference["kind"].lower()}.{group} "{reference["name"]}" not found')
            return
        current = int(target["spec"].get("replicas", 1))
        conditions: dict[str, Words] = {
            "AbleToScale": (
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            )
        }
        if current == 0 and int(hpa["spec"].get("minReplicas", 1)) != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            conditions["ScalingActive"] = ("False", "ScalingDisabled", text)
            self._write(hpa, conditions, current, 0, [])
            return
        least, most = int(hpa["spec"].get("minReplicas", 1)), int(hpa["spec"]["maxReplicas"])
        if current > most or current < least:
            reason = "Current number of replicas " + (
                "above Spec.MaxReplicas" if current > most else "below Spec.MinReplicas"
            )
            self._rescale(hpa, plural, target, min(max(current, least), most), reason, conditions, [])
            return
        self._measure(hpa, plural, target, conditions)

    def _measure(self, hpa: Obj, plural: str, target: Obj, conditions: dict[str, Words]) -> None:
        current = int(target["spec"].get("replicas", 1))
        pods = matching(self.cluster.list("pods", hpa["metadata"]["namespace"]), target["spec"].get("selector") or {})
        found: list[Measured] = []
        failures: list[NoFigure] = []
        for metric in hpa["spec"].get("metrics") or ():
            try:
                found.append(autoscaling.measured(metric, pods, current, self._meter.pod))
            except NoFigure as failure:
                failures.append(failure)
                self.cluster.event(hpa, failure.reason, str(failure), type="Warning", component=COMPONENT)
        best = max(found, key=lambda item: item.replicas, default=None)
        if best is None or (failures and best.replicas < current):
            self._no_figure(hpa, failures, conditions, current, len(hpa["spec"].get("metrics") or ()))
            return
        text = f"the HPA was able to successfully calculate a replica count from {best.title}"
        conditions["ScalingActive"] = ("True", "ValidMetricFound", text)
        history = self._histories.setdefault(objects.uid(hpa), autoscaling.History())
        now = self.cluster.clock.monotonic()
        decision = autoscaling.decide(hpa["spec"], history, current=current, wanted=best.replicas, now=now)
        conditions["AbleToScale"] = ("True", *decision.able)
        conditions["ScalingLimited"] = decision.limited
        reason = "All metrics below target"
        if decision.replicas > current:
            reason = f"{best.title} above target"
        statuses = [item.status for item in found]
        if decision.replicas == current:
            self._write(hpa, conditions, current, decision.replicas, statuses)
            return
        history.changed(now, decision.replicas - current)
        self._rescale(hpa, plural, target, decision.replicas, reason, conditions, statuses)

    def _rescale(
        self, hpa: Obj, plural: str, target: Obj, wanted: int, reason: str, conditions: dict[str, Words],
        statuses: list[Obj],
    ) -> None:  # fmt: skip
        def change(obj: Obj) -> None:
            obj["spec"]["replicas"] = wanted

        current = int(target["spec"].get("replicas", 1))
        self.cluster.change(plural, *objects.key(target), change)
        text = f"the HPA controller was able to update the target scale to {wanted}"
        conditions["AbleToScale"] = ("True", "SucceededRescale", text)
        self.cluster.event(hpa, "SuccessfulRescale", f"New size: {wanted}; reason: {reason}", component=COMPONENT)
        self._write(hpa, conditions, current, wanted, statuses, rescaled=True)

    def _no_target(self, hpa: Obj, problem: str) -> None:
        self.cluster.event(hpa, "FailedGetScale", problem, type="Warning", component=COMPONENT)
        text = f"the HPA controller was unable to get the target's current scale: {problem}"
        self._write(hpa, {"AbleToScale": ("False", "FailedGetScale", text)}, 0, 0, [])

    def _no_figure(
        self, hpa: Obj, failures: list[NoFigure], conditions: dict[str, Words], current: int, metrics: int
    ) -> None:
        first = failures[0]
        text = f"the HPA was unable to compute the replica count: {first}"
        conditions["ScalingActive"] = ("False", first.reason, text)
        said = (
            f"invalid metrics ({len(failures)} invalid out of {metrics}), first error is: "
            f"failed to get {first.resource} resource metric value: {first}"
        )
        self.cluster.event(hpa, "FailedComputeMetricsReplicas", said, type="Warning", component=COMPONENT)
        self._write(hpa, conditions, current, 0, [])

    def _write(
        self, hpa: Obj, conditions: dict[str, Words], current: int, desired: int, statuses: list[Obj],
        *, rescaled: bool = False,
    ) -> None:  # fmt: skip
        now = self.cluster.clock.stamp()

        def change(obj: Obj) -> None:
            status = obj.setdefault("status", {})
            status["observedGeneration"] = obj["metadata"].get("generation", 1)
            status["currentReplicas"], status["desiredReplicas"] = current, desired
            if rescaled:
                status["lastScaleTime"] = now
            if statuses:
                status["currentMetrics"] = statuses
            else:
                status.pop("currentMetrics", None)
            for kind, (state, reason, message) in conditions.items():
                objects.set_condition(obj, kind, state, now=now, reason=reason, message=message)

        self.cluster.change("horizontalpodautoscalers", *objects.key(hpa), change, subresource="status")
