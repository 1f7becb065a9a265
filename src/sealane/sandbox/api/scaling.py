"""The scale subresource: the number of pods of a workload, as an `autoscaling/v1` Scale."""

from __future__ import annotations

from typing import Any

from sealane.kube import selectors
from sealane.sandbox.api import errors, patches
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Request


def get(store: Store, target: Target) -> Obj:
    """The Scale of a workload. Raises StatusError (404)."""
    obj = store.get(target.kind, target.namespace, target.name)
    if obj is None:
        raise errors.not_found(target.kind.group, target.kind.plural, target.name)
    return of(obj)


def of(obj: Obj) -> Obj:
    """The Scale that an object stands for."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": int(spec.get("replicas", 1))},
        "status": {
            "replicas": int(status.get("replicas") or 0),
            "selector": str(selectors.of_object(spec.get("selector"))),
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
    new = live | {
        "metadata": live["metadata"] | {"resourceVersion": version},
        "spec": live["spec"] | {"replicas": wanted},
    }
    return of(store.update(target.kind, new, manager=request.manager, dry_run=request.dry_run, by_scale=True))


def patch(store: Store, target: Target, body: Any, request: Request) -> Obj:
    """A merge or JSON patch of the Scale. Raises StatusError."""
    live = get(store, target)
    new = patches.json_patch(live, body) if isinstance(body, list) else patches.merge_patch(live, body)
    if (body if isinstance(body, dict) else {}).get("metadata", {}).get("resourceVersion") is None:
        new["metadata"].pop("resourceVersion", None)
    return replace(store, target, new, request)
