"""ResourceQuotas: what an object counts, by the quota's own names, which objects a quota is about, and what exceeds it.

Admission asks before an object is stored, the quota controller afterwards; both count here. Texts are the API server's.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from sealane.kube import quantities
from sealane.sandbox.api.strategies import quality_of_service
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj

_ZERO: Final = Fraction(0)
_BY_NAME: Final = frozenset(
    {"services", "secrets", "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas"}
)
_OF_SERVICES: Final = frozenset({"services.nodeports", "services.loadbalancers"})
_STORAGE: Final = ".storageclass.storage.k8s.io/"
_MEASURED: Final = frozenset({"cpu", "memory", "ephemeral-storage"})


def usage_of(plural: str, obj: Obj, *, group: str = "") -> dict[str, Fraction]:
    """What one object counts."""
    one = Fraction(1)
    counted = {f"count/{plural}.{group}" if group else f"count/{plural}": one}
    if plural == "pods":
        return _of_pod(obj, counted)
    if not group and plural in _BY_NAME:
        counted[plural] = one
    if plural == "services":
        kind, ports = obj.get("spec", {}).get("type"), len(obj.get("spec", {}).get("ports") or ())
        counted["services.nodeports"] = Fraction(ports if kind in {"NodePort", "LoadBalancer"} else 0)
        counted["services.loadbalancers"] = one if kind == "LoadBalancer" else _ZERO
    if plural == "persistentvolumeclaims":
        _add_storage(obj, counted)
    return counted


def _of_pod(pod: Obj, counted: dict[str, Fraction]) -> dict[str, Fraction]:
    if pod.get("status", {}).get("phase") in objects.FINISHED:
        return {}
    used = counted | {"pods": Fraction(1)}
    for name, amount in objects.requests(pod).items():
        used[f"requests.{name}"] = amount
        if name in _MEASURED:
            used[name] = amount
    for container in pod["spec"].get("containers") or ():
        for name, amount in ((container.get("resources") or {}).get("limits") or {}).items():
            label = f"limits.{name}"
            used[label] = used.get(label, _ZERO) + objects.number(amount)
    return used


def _add_storage(claim: Obj, counted: dict[str, Fraction]) -> None:
    spec = claim.get("spec") or {}
    size = objects.number(((spec.get("resources") or {}).get("requests") or {}).get("storage", 0))
    counted["requests.storage"] = size
    if spec.get("storageClassName"):
        head = f"{spec['storageClassName']}{_STORAGE}"
        counted[f"{head}requests.storage"] = size
        counted[f"{head}persistentvolumeclaims"] = Fraction(1)


def counted_in(hard: Iterable[str]) -> set[str]:
    """The plural names of the kinds that a quota with these names is about."""
    found = set()
    for name in hard:
        if name.startswith("count/"):
            found.add(name.removeprefix("count/").partition(".")[0])
        elif name in _BY_NAME:
            found.add(name)
        elif name in _OF_SERVICES:
            found.add("services")
        elif name == "requests.storage" or _STORAGE in name:
            found.add("persistentvolumeclaims")
        else:
            found.add("pods")
    return found


def is_about(quota: Obj, plural: str, obj: Obj) -> bool:
    """Whether the quota's scopes choose the object; only pods have scopes."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not scopes or (plural == "pods" and all(_in_scope(scope, obj) for scope in scopes))


def _in_scope(scope: Obj, pod: Obj) -> bool:
    name, spec = scope["scopeName"], pod["spec"]
    if name == "PriorityClass":
        return _chosen(scope, spec.get("priorityClassName", ""))
    if name in {"Terminating", "NotTerminating"}:
        return (spec.get("activeDeadlineSeconds") is not None) is (name == "Terminating")
    if name in {"BestEffort", "NotBestEffort"}:
        return (quality_of_service(spec) == "BestEffort") is (name == "BestEffort")
    return False


def _chosen(scope: Obj, value: str) -> bool:
    operator, values = scope.get("operator"), scope.get("values") or ()
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    return bool(value) is (operator == "Exists")


def refusal(quota: Obj, asked: dict[str, Fraction], used: dict[str, Fraction], *, pod: Obj | None) -> str:
    """Why an object does not fit, "" when it does; `pod` is the object where it is one."""
    hard = quota["spec"].get("hard") or {}
    title = quota["metadata"]["name"]
    missing = _missing(hard, pod) if pod is not None else []
    if missing:
        return f"failed quota: {title}: must specify {'; '.join(missing)}"
    over = [
        item
        for item in sorted(hard)
        if asked.get(item) and used.get(item, _ZERO) + asked[item] > objects.number(hard[item])
    ]
    if not over:
        return ""
    requested = ",".join(f"{item}={spell(item, asked[item])}" for item in over)
    already = ",".join(f"{item}={spell(item, used.get(item, _ZERO))}" for item in over)
    most = ",".join(f"{item}={hard[item]}" for item in over)
    return f"exceeded quota: {title}, requested: {requested}, used: {already}, limited: {most}"


def _missing(hard: Obj, pod: Obj) -> list[str]:
    """What the quota counts and containers do not say: `requests.cpu for: main`."""
    found = []
    for item in sorted(hard):
        side, _, name = item.rpartition(".")
        if name not in _MEASURED or side not in {"", "requests", "limits"}:
            continue
        part = side or "requests"
        silent = [
            container["name"]
            for container in pod["spec"].get("containers") or ()
            if name not in ((container.get("resources") or {}).get(part) or {})
        ]
        if silent:
            found.append(f"{item} for: {','.join(silent)}")
    return found


def spell(name: str, amount: Fraction) -> str:
    """An amount of a quota as the API server writes it: memory and storage in binary units."""
    style = quantities.Style.BINARY if name.endswith(("memory", "storage")) else quantities.Style.DECIMAL
    return quantities.spell(amount, style=style)
