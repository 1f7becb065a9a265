"""Checks of what bounds other objects: LimitRange, ResourceQuota, PodDisruptionBudget, PriorityClass."""

from __future__ import annotations

from typing import Any, Final

from sealane.kube import quantities
from sealane.sandbox.api.causes import (
    count_or_percent,
    duplicate,
    forbidden,
    invalid,
    label_selector,
    required,
    unsupported,
)
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_TYPES: Final = frozenset({"Container", "Pod", "PersistentVolumeClaim"})
_OF_CONTAINERS: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_QUALIFIED: Final = "must be a standard resource type or fully qualified"
_COUNTED: Final = frozenset(
    {
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_MEASURED: Final = frozenset(
    {"cpu", "memory", "ephemeral-storage", "storage", "requests.cpu", "requests.memory", "requests.storage"}
    | {"requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage"}
)
_COMPUTE: Final = frozenset({"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
_SCOPES: Final[dict[str, frozenset[str]]] = {
    "BestEffort": frozenset({"pods"}),
    "NotBestEffort": _COMPUTE,
    "Terminating": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "PriorityClass": _COMPUTE | {"persistentvolumeclaims", "requests.storage"},
    "CrossNamespacePodAffinity": _COMPUTE,
}
_HIGHEST: Final = 1_000_000_000
_SYSTEM: Final = frozenset({"system-node-critical", "system-cluster-critical"})
_EVICTED: Final = ("AlwaysAllow", "IfHealthyBudget")


def limit_range(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a LimitRange."""
    seen: set[str] = set()
    for index, item in enumerate((new.get("spec") or {}).get("limits") or ()):
        place = f"spec.limits[{index}]"
        kind = str(item.get("type") or "")
        if kind not in _TYPES and "/" not in kind:
            why = "must be a standard limit type or fully qualified"
            causes.append(invalid(f"{place}.type", kind, why))
        elif kind in seen:
            causes.append(duplicate(f"{place}.type", kind))
        seen.add(kind)
        for part in ("max", "min"):
            _names(item.get(part) or {}, f"{place}.{part}", kind, causes)
        for part in ("default", "defaultRequest"):
            if kind == "Pod" and item.get(part):
                causes.append(forbidden(f"{place}.{part}", "may not be specified when `type` is 'Pod'"))
            elif kind != "Pod":
                _names(item.get(part) or {}, f"{place}.{part}", kind, causes)
        bounds = {**(item.get("min") or {}), **(item.get("max") or {})}
        if kind == "PersistentVolumeClaim" and "storage" not in bounds:
            why = "either minimum or maximum storage value is required, but neither was provided"
            causes.append(required(f"{place}.limits", why))
        _order(item, place, causes)


def _names(amounts: Obj, place: str, kind: str, causes: list[Cause]) -> None:
    for name in amounts:
        if "/" in name:
            continue
        known = _OF_CONTAINERS | {"storage"} if kind == "PersistentVolumeClaim" else _OF_CONTAINERS
        if name not in known:
            causes.append(invalid(f"{place}[{name}]", name, _QUALIFIED))
            causes.append(invalid(f"{place}[{name}]", name, "must be a standard resource for containers"))


def _order(item: Obj, place: str, causes: list[Cause]) -> None:
    """Minimum, request, default and maximum must not cross."""
    parts = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    keys = sorted({key for part in parts for key in item.get(part) or {}})
    for key in keys:
        least, most, default, request, ratio = ((item.get(part) or {}).get(key) for part in parts)
        for low, high, field, shown, why in (
            (least, most, "min", least, "min value {} is greater than max value {}"),
            (least, request, "defaultRequest", request, "min value {} is greater than default request value {}"),
            (request, most, "defaultRequest", request, "default request value {} is greater than max value {}"),
            (
                request,
                default,
                "defaultRequest",
                request,
                "default request value {} is greater than default limit value {}",
            ),
            (least, default, "default", least, "min value {} is greater than default value {}"),
            (default, most, "default", most, "default value {} is greater than max value {}"),
        ):
            if low is not None and high is not None and quantities.parse(low) > quantities.parse(high):
                causes.append(invalid(f"{place}.{field}[{key}]", shown, why.format(low, high)))
        if ratio is not None and quantities.parse(ratio) < 1:
            causes.append(invalid(f"{place}.maxLimitRequestRatio[{key}]", ratio, f"ratio {ratio} is less than 1"))


def quota(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a ResourceQuota."""
    spec = new.get("spec") or {}
    for name, amount in (spec.get("hard") or {}).items():
        place = f"spec.hard[{name}]"
        if "/" not in name and not _is_counted(name):
            causes.append(invalid(place, name, _QUALIFIED))
            causes.append(invalid(place, name, "must be a standard resource for quota"))
        value = quantities.parse(amount)
        if value < 0:
            causes.append(invalid(place, amount, "must be greater than or equal to 0"))
        if (name in _COUNTED or name.startswith("count/")) and value.denominator != 1:
            causes.append(invalid(place, amount, "must be an integer"))
    _scopes(spec, causes)
    _scope_selector(spec.get("scopeSelector"), causes)
    if old is not None and (old["spec"].get("scopes") or []) != (spec.get("scopes") or []):
        causes.append(invalid("spec.scopes", spec.get("scopes"), "field is immutable"))


def _is_counted(name: str) -> bool:
    return name in _COUNTED or name in _MEASURED or name.startswith(("requests.hugepages-", "hugepages-"))


def _scopes(spec: Obj, causes: list[Cause]) -> None:
    scopes: list[Any] = spec.get("scopes") or []
    hard = [name for name in spec.get("hard") or {} if "/" not in name]
    for scope in scopes:
        if scope not in _SCOPES:
            causes.append(invalid("spec.scopes", scopes, "unsupported scope"))
        elif any(name not in _SCOPES[scope] for name in hard if _is_counted(name)):
            causes.append(invalid("spec.scopes", scopes, "unsupported scope applied to resource"))
    if {"BestEffort", "NotBestEffort"} <= set(scopes) or {"Terminating", "NotTerminating"} <= set(scopes):
        causes.append(invalid("spec.scopes", scopes, "conflicting scopes"))


def _scope_selector(selector: Obj | None, causes: list[Cause]) -> None:
    place = "spec.scopeSelector.matchExpressions"
    for item in (selector or {}).get("matchExpressions") or ():
        operator, values = item.get("operator", ""), item.get("values")
        if item.get("scopeName") not in _SCOPES:
            causes.append(invalid(f"{place}.scopeName", item.get("scopeName"), "unsupported scope"))
        if operator in {"In", "NotIn"} and not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            causes.append(required(f"{place}.values", why))
        elif operator in {"Exists", "DoesNotExist"} and values:
            why = "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"
            causes.append(invalid(f"{place}.values", values, why))
        elif operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            causes.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))


def budget(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a PodDisruptionBudget."""
    spec = new.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        given = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        causes.append(invalid("spec", given, "minAvailable and maxUnavailable cannot be both set"))
    count_or_percent("spec.minAvailable", spec.get("minAvailable"), causes)
    count_or_percent("spec.maxUnavailable", spec.get("maxUnavailable"), causes)
    label_selector(spec.get("selector"), "spec.selector", causes)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTED:
        causes.append(unsupported("spec.unhealthyPodEvictionPolicy", policy, _EVICTED))


def priority(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a PriorityClass."""
    name, value = new["metadata"]["name"], int(new.get("value", 0))
    if name.startswith("system-"):
        if name not in _SYSTEM:
            why = (
                "priority class names with 'system-' prefix are reserved for system use only. error: "
                f"{name} is not a known system priority class"
            )
            causes.append(forbidden("metadata.name", why))
    elif value > _HIGHEST:
        causes.append(forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST}"))
    if old is not None:
        if old.get("value", 0) != value:
            causes.append(forbidden("value", "may not be changed in an update."))
        if old.get("preemptionPolicy") != new.get("preemptionPolicy"):
            causes.append(forbidden("preemptionPolicy", "may not be changed in an update."))
