"""Evictions: the deletion of a pod that disruption budgets may refuse, which is what `kubectl drain` asks for.

A refusal is 429 with the budget's name and numbers as its cause, so that a person sees what holds the node. A pod that
is not ready may go although its budget is used up when the rest is healthy enough, as the real server has it.
"""

from __future__ import annotations

from sealane.kube import selectors
from sealane.sandbox.api import errors, kinds
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj, stamp
from sealane.sandbox.api.wire import Reply, Request, as_json

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_UNSEEN = "The disruption budget {name} is still being processed by the server."
_MANAGER = "kube-apiserver"


async def evict(store: Store, target: Target, request: Request) -> Reply:
    """POST of an Eviction. Raises StatusError (404, 429 by a budget, 500 where two budgets choose the pod)."""
    body = await request.object() or {}
    pod = store.get(kinds.PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    options: Obj = body.get("deleteOptions") or {}
    dry_run = request.dry_run or bool(options.get("dryRun"))
    if _counts(pod):
        _ask_budgets(store, pod, is_dry_run=dry_run)
    preconditions = options.get("preconditions") or {}
    store.delete(
        kinds.PODS, target.namespace, target.name, grace_seconds=options.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "", resource_version=preconditions.get("resourceVersion") or "",
        dry_run=dry_run,
    )  # fmt: skip
    return as_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _counts(pod: Obj) -> bool:
    """Whether ending this pod is a disruption at all."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["metadata"].get("deletionTimestamp") and phase not in {"Succeeded", "Failed", "Pending"}


def _ask_budgets(store: Store, pod: Obj, *, is_dry_run: bool) -> None:
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
    chosen = [
        budget
        for budget in store.list(kinds.PDBS, namespace)
        if selectors.of_object((budget.get("spec") or {}).get("selector")).matches(labels)
    ]
    if len(chosen) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise StatusError(500, "", text)
    if not chosen:
        return
    budget = chosen[0]
    status = budget.get("status") or {}
    if not _is_ready(pod) and _may_go_unready(budget):
        return
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
        raise _too_many(_UNSEEN.format(name=budget["metadata"]["name"]), "", wait=10)
    if int(status.get("disruptionsAllowed", 0)) < 1:
        name, desired = budget["metadata"]["name"], status.get("desiredHealthy", 0)
        healthy = status.get("currentHealthy", 0)
        why = f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        raise _too_many(_REFUSED, why)
    if not is_dry_run:
        _note(store, budget, pod)


def _may_go_unready(budget: Obj) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = int(status.get("desiredHealthy", 0))
    return desired > 0 and int(status.get("currentHealthy", 0)) >= desired


def _is_ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _note(store: Store, budget: Obj, pod: Obj) -> None:
    """Count the disruption at once: the controller will only look later."""

    def change(obj: Obj) -> None:
        status = obj["status"]
        status["disruptionsAllowed"] = int(status["disruptionsAllowed"]) - 1
        status.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = stamp(store.now())

    place = (budget["metadata"]["namespace"], budget["metadata"]["name"])
    store.mutate(kinds.PDBS, *place, change, manager=_MANAGER, subresource="status")


def _too_many(message: str, why: str, *, wait: int | None = None) -> StatusError:
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": why or message}]}
    return StatusError(429, "TooManyRequests", message, details=details, retry_after=wait)
