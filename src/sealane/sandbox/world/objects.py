"""Small readers and builders of Kubernetes objects, shared by every controller of the world.

They know the API's shapes and nothing of the simulation: owner references, conditions, requests of a pod, readiness.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from sealane.kube import quantities
from sealane.sandbox.world.ports import Obj

FINISHED = ("Succeeded", "Failed")


def key(obj: Obj) -> tuple[str, str]:
    """`(namespace, name)`; the namespace is "" for cluster-scoped objects."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def uid(obj: Obj) -> str:
    """The object's uid, "" before it has one."""
    return str(obj["metadata"].get("uid", ""))


def labels(obj: Obj) -> dict[str, str]:
    """Labels, never None."""
    return obj["metadata"].get("labels") or {}


def notes(obj: Obj) -> dict[str, str]:
    """Annotations, never None."""
    return obj["metadata"].get("annotations") or {}


def deleting(obj: Obj) -> bool:
    """Whether deletion has begun."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference with `controller: true`."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def owned_by(obj: Obj, owner_uid: str) -> bool:
    """Whether `owner_uid` is the controller of `obj`."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner_uid


def owner_reference(owner: Obj, *, api_version: str, kind: str, controller: bool = True) -> Obj:
    """A reference to `owner`, as controllers write it (blocking its foreground deletion)."""
    reference: Obj = {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": uid(owner),
    }
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference


def condition(obj: Obj, kind: str) -> Obj | None:
    """The status condition of that type."""
    for item in obj.get("status", {}).get("conditions") or ():
        if item.get("type") == kind:
            return dict(item)
    return None


def set_condition(obj: Obj, kind: str, status: str, *, now: str, **fields: str) -> None:
    """Add or replace a condition; the transition time moves only when the status does."""
    conditions = obj.setdefault("status", {}).setdefault("conditions", [])
    for item in conditions:
        if item["type"] == kind:
            if item["status"] != status:
                item["lastTransitionTime"] = now
                if "lastUpdateTime" in item or "lastUpdateTime" in fields:
                    item["lastUpdateTime"] = now
            item["status"] = status
            for name in ("reason", "message"):
                item.pop(name, None)
            item.update(fields)
            return
    conditions.append({"type": kind, "status": status, "lastTransitionTime": now, **fields})


def drop_condition(obj: Obj, kind: str) -> None:
    """Take a condition away."""
    status = obj.setdefault("status", {})
    status["conditions"] = [item for item in status.get("conditions") or () if item["type"] != kind]


def ready(pod: Obj) -> bool:
    """Whether the pod's Ready condition is True and it is not going away."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True" and not deleting(pod)


def active(pod: Obj) -> bool:
    """Whether the pod still counts for its controller: neither finished nor going away."""
    return not deleting(pod) and pod.get("status", {}).get("phase") not in FINISHED


def holds_resources(pod: Obj) -> bool:
    """Whether the pod is bound and has not finished: it occupies its node."""
    return bool(pod["spec"].get("nodeName")) and pod.get("status", {}).get("phase") not in FINISHED


def requests(pod: Obj) -> dict[str, Fraction]:
    """What the pod asks for: cpu in cores, memory in bytes, extended resources in units (scheduler's rule:
    the larger of the sum of containers and each init container; a limit stands in for a missing request)."""
    spec = pod["spec"]
    asked: dict[str, Fraction] = {}
    for container in spec.get("containers") or ():
        for name, amount in _asked(container).items():
            asked[name] = asked.get(name, Fraction(0)) + amount
    for container in spec.get("initContainers") or ():
        for name, amount in _asked(container).items():
            asked[name] = max(asked.get(name, Fraction(0)), amount)
    return asked


def _asked(container: Mapping[str, Any]) -> dict[str, Fraction]:
    resources = container.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: number(amount) for name, amount in merged.items()}


def number(amount: object) -> Fraction:
    """A Kubernetes quantity in base units, exactly; 0 for nonsense."""
    return _parsed(str(amount))


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Fraction:
    try:
        return quantities.parse(text)
    except quantities.BadQuantity:
        return Fraction(0)


def template_hash(template: object) -> str:
    """A stable 10-letter hash of a pod template, in the alphabet of `pod-template-hash`."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:10])


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Literal environment of a container; references to other objects are left out."""
    return {item["name"]: str(item["value"]) for item in container.get("env") or () if "value" in item}


_NEW_STYLE = frozenset({"default-scheduler"})  # writes events.k8s.io, which has a reporter and no source


def event(
    obj: Obj,
    reason: str,
    message: str,
    *,
    type: str = "Normal",  # noqa: A002 - the API's own word
    component: str,
    host: str = "",
    field_path: str = "",
) -> Obj:
    """A core/v1 Event about `obj`, without name and times."""
    namespace = obj["metadata"].get("namespace") or "default"
    involved = {
        "apiVersion": obj.get("apiVersion", "v1"),
        "kind": obj.get("kind", ""),
        "name": obj["metadata"]["name"],
        "namespace": obj["metadata"].get("namespace", ""),
        "uid": uid(obj),
    }
    if obj["metadata"].get("resourceVersion"):
        involved["resourceVersion"] = obj["metadata"]["resourceVersion"]
    if field_path:
        involved["fieldPath"] = field_path
    source = {} if component in _NEW_STYLE else {"component": component, **({"host": host} if host else {})}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace},
        "involvedObject": {name: value for name, value in involved.items() if value},
        "reason": reason,
        "message": message,
        "type": type,
        "count": 1,
        "source": source,
        "reportingComponent": component,
        "reportingInstance": host,
    }


def total(amounts: Iterable[Mapping[str, Fraction]]) -> dict[str, Fraction]:
    """Sum of several amounts by name."""
    result: dict[str, Fraction] = {}
    for amount in amounts:
        for name, value in amount.items():
            result[name] = result.get(name, Fraction(0)) + value
    return result
