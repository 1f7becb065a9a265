"""Checks of HorizontalPodAutoscalers: bounds, what is scaled, what is measured, and how fast."""

from __future__ import annotations

from typing import Final

from sealane.sandbox.api.causes import at_least, forbidden, invalid, required, unsupported
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_SOURCES: Final = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "External": "external",
    "ContainerResource": "containerResource",
}
_TARGETS: Final = frozenset({"Utilization", "Value", "AverageValue"})
_LONGEST: Final = 3600
_LONGEST_PERIOD: Final = 1800


def autoscaler(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a HorizontalPodAutoscaler."""
    spec = new.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    at_least("spec.minReplicas", least, 1, causes)
    if most < 1:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    _reference(spec.get("scaleTargetRef") or {}, causes)
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(metric, f"spec.metrics[{index}]", causes)
    if least == 0 and not any(item.get("type") in {"Object", "External"} for item in spec.get("metrics") or ()):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(forbidden("spec.metrics", why))
    for way in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(way)
        if rules is not None:
            _rules(rules, f"spec.behavior.{way}", causes)


def _reference(reference: Obj, causes: list[Cause]) -> None:
    for field in ("kind", "name"):
        if not reference.get(field):
            causes.append(required(f"spec.scaleTargetRef.{field}"))
    version = str(reference.get("apiVersion") or "")
    if "/" not in version and reference.get("kind") != "ReplicationController":
        causes.append(invalid("spec.scaleTargetRef.apiVersion", version, "apiVersion must specify API group"))


def _metric(metric: Obj, place: str, causes: list[Cause]) -> None:
    kind = metric.get("type", "")
    if kind not in _SOURCES:
        causes.append(unsupported(f"{place}.type", kind, tuple(_SOURCES)))
        return
    field = _SOURCES[kind]
    source = metric.get(field)
    if not source:
        why = "must populate information for the given metric source"
        causes.append(required(f"{place}.{field}", why))
        return
    if kind in {"Resource", "ContainerResource"}:
        if not source.get("name"):
            causes.append(required(f"{place}.{field}.name", "must specify a resource name"))
        _target(source.get("target") or {}, f"{place}.{field}.target", causes)


def _target(target: Obj, place: str, causes: list[Cause]) -> None:
    kind = target.get("type", "")
    if not kind:
        causes.append(required(f"{place}.type", "must specify a metric target type"))
    elif kind not in _TARGETS:
        causes.append(invalid(f"{place}.type", kind, "must be either Utilization, Value, or AverageValue"))
    percent, amount = target.get("averageUtilization"), target.get("averageValue")
    if percent is not None and percent < 1:
        causes.append(invalid(f"{place}.averageUtilization", percent, "must be greater than 0"))
    if percent is not None and amount is not None:
        why = "may not set both a target raw value and a target utilization"
        causes.append(forbidden(f"{place}.averageValue", why))
    elif percent is None and amount is None:
        why = "must set either a target raw value or a target utilization"
        causes.append(required(f"{place}.averageUtilization", why))


def _rules(rules: Obj, place: str, causes: list[Cause]) -> None:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        causes.append(invalid(f"{place}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST:
        why = f"must be less than or equal to {_LONGEST}"
        causes.append(invalid(f"{place}.stabilizationWindowSeconds", window, why))
    select = rules.get("selectPolicy")
    if select is not None and select not in {"Max", "Min", "Disabled"}:
        causes.append(unsupported(f"{place}.selectPolicy", select, ("Disabled", "Max", "Min")))
    policies = rules.get("policies") or ()
    if not policies:
        causes.append(required(f"{place}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        _policy(policy, f"{place}.policies[{index}]", causes)


def _policy(policy: Obj, place: str, causes: list[Cause]) -> None:
    if policy.get("type") not in {"Pods", "Percent"}:
        causes.append(unsupported(f"{place}.type", policy.get("type", ""), ("Percent", "Pods")))
    if policy.get("value", 0) <= 0:
        causes.append(invalid(f"{place}.value", policy.get("value", 0), "must be greater than zero"))
    period = policy.get("periodSeconds", 0)
    if period <= 0:
        causes.append(invalid(f"{place}.periodSeconds", period, "must be greater than zero"))
    if period > _LONGEST_PERIOD:
        causes.append(invalid(f"{place}.periodSeconds", period, f"must be less than or equal to {_LONGEST_PERIOD}"))
