"""Two small writes to a pod: being bound to a node by a scheduler, and being evicted from one."""

from __future__ import annotations

from sealane.kube import selectors
from sealane.sandbox.api import errors, kinds
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Reply, Request, as_json


async def evict(store: Store, target: Target, request: Request) -> Reply:
    """POST of an Eviction: delete the pod unless a disruption budget forbids it. Raises StatusError (404, 429)."""
    body = await request.object() or {}
    pod = store.get(kinds.PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    for budget in store.list(kinds.PDBS, target.namespace):
        chosen = selectors.of_object((budget.get("spec") or {}).get("selector"))
        left = (budget.get("status") or {}).get("disruptionsAllowed", 0)
        if chosen.matches(pod["metadata"].get("labels")) and left < 1:
            raise StatusError(
                429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.",
                retry_after=10,
            )  # fmt: skip
    grace = (body.get("deleteOptions") or {}).get("gracePeriodSeconds")
    store.delete(kinds.PODS, target.namespace, target.name, grace_seconds=grace, dry_run=request.dry_run)
    return as_json(_success(), 201)


async def bind(store: Store, target: Target, request: Request) -> Reply:
    """POST of a Binding: set the pod's node. Raises StatusError (404, 409)."""
    body = await request.object() or {}
    node = (body.get("target") or {}).get("name", "")
    pod = store.get(kinds.PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    if pod["spec"].get("nodeName"):
        why = f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise errors.conflict("", "pods/binding", target.name, why)

    def change(obj: Obj) -> None:
        obj["spec"]["nodeName"] = node

    store.mutate(kinds.PODS, target.namespace, target.name, change, manager=request.manager)
    return as_json(_success(), 201)


def _success() -> Obj:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
