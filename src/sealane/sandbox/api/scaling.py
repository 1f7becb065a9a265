"""The scale subresource: the number of pods of a workload, as an `autoscaling/v1` Scale."""

from __future__ import annotations

from typing import Any

from sealane.kube import selectors
from sealane.sandbox.api import errors, patches
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj, clone
from sealane.sandbox.api.wire import Request


def get(store: Store, target: Target) -> Obj:
    """The Scale of a workload. Raises StatusError (404)."""
    obj = store.get(target.kind, target.namespace, target.name)
    if obj is None:
        raise errors.not_found(target.kind.group, target.kind.plural, target.name)
    return of(obj, target.kind.scale_paths)


def of(obj: Obj, paths: tuple[str, str, str]) -> Obj:
    """The Scale that an object stands for; `paths` lead to the wanted number, the real one and the selector."""
    meta = obj["metadata"]
    wanted, real, chosen = paths
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    text = _at(obj, chosen) or "" if chosen else str(selectors.of_object((obj.get("spec") or {}).get("selector")))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": int(_at(obj, wanted) or 0)},
        "status": {
            "replicas": int(_at(obj, real) or 0),
            "selector": text,
        },
    }


def replace(store: Store, target: Target, body: Any, request: Request) -> Obj:
    """Set the number of pods. Raises StatusError."""
    if not isinstance(body, dict):
        raise errors.bad_request("the object provided is unrecognized: a Scale was expected")
    wanted = (body.get("spec") or {}).get("replicas", 0)
    if not isinstance(wanted, int) or wanted < 0:
        cause = errors.Cause(
            "FieldValueInvalid", f"Invalid value: {wanted}: must be greater than or equal to 0", "spec.replicas"
        )
        raise errors.invalid("autoscaling", "Scale", target.name, [cause])
    live = store.get(target.kind, target.namespace, target.name)
    if live is None:
        raise errors.not_found(target.kind.group, target.kind.plural, target.name)
    version = (body.get("metadata") or {}).get("resourceVersion") or live["metadata"]["resourceVersion"]
    new: Obj = clone(live)
    new["metadata"]["resourceVersion"] = version
    place = new
    *steps, last = _steps(target.kind.scale_paths[0])
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = wanted
    made = store.update(target.kind, new, manager=request.manager, dry_run=request.dry_run, by_scale=True)
    return of(made, target.kind.scale_paths)


def patch(store: Store, target: Target, body: Any, request: Request) -> Obj:
    """A merge or JSON patch of the Scale. Raises StatusError."""
    live = get(store, target)
    new = patches.json_patch(live, body) if isinstance(body, list) else patches.merge_patch(live, body)
    if (body if isinstance(body, dict) else {}).get("metadata", {}).get("resourceVersion") is None:
        new["metadata"].pop("resourceVersion", None)
    return replace(store, target, new, request)


def _steps(path: str) -> list[str]:
    return [step for step in path.split(".") if step]


def _at(obj: Obj, path: str) -> Any:
    found: Any = obj
    for step in _steps(path):
        found = found.get(step) if isinstance(found, dict) else None
    return found
