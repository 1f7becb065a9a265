"""Warnings: what the server says beside an answer that it gives all the same.

Clients print them ("Warning: …"). Only those that ordinary workloads meet: a deprecated kind, a port or a variable that
is there twice in a pod. As a real server does it, a workload is looked at when it is made and when its spec changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.values import Obj

_ENDPOINTS: Final = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_TEMPLATED: Final = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"})


def of_kind(kind: Kind) -> list[str]:
    """What is said to everyone who reads or writes this kind."""
    return [_ENDPOINTS] if kind.key == ("", "endpoints") else []


def of_write(kind: Kind, new: Obj, old: Obj | None) -> list[str]:
    """What is said to who made or changed this object."""
    if old is not None and old["metadata"].get("generation") == new["metadata"].get("generation"):
        return []
    spec = new.get("spec") or {}
    if kind.key == ("", "services") and spec.get("clusterIP") == "None" and spec.get("sessionAffinity"):
        return ["spec.SessionAffinity is ignored for headless services"]
    if kind.key == ("", "pods"):
        return list(_pod(spec, "spec"))
    if kind.plural in _TEMPLATED:
        return list(_pod((spec.get("template") or {}).get("spec") or {}, "spec.template.spec"))
    return []


def _pod(spec: Obj, path: str) -> Iterable[str]:
    ports: dict[tuple[object, ...], str] = {}
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or ()):
            place = f"{path}.{part}[{index}]"
            for number, port in enumerate(container.get("ports") or ()):
                here = f"{place}.ports[{number}]"
                key = (port.get("containerPort"), port.get("protocol", "TCP"), port.get("hostPort"), port.get("hostIP"))
                if key in ports:
                    yield f"{here}: duplicate port definition with {ports[key]}"
                ports.setdefault(key, here)
            yield from _variables(container, place)


def _variables(container: Obj, place: str) -> Iterable[str]:
    seen: set[str] = set()
    for number, item in enumerate(container.get("env") or ()):
        name = item.get("name", "")
        if name in seen:
            text = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{place}.env[{number}]: {text}"
        seen.add(name)
