"""KAI Scheduler's custom resources as CRDs: the shapes that clients read and write, with our own descriptions.

Fields, types and printer columns follow KAI 0.12.0 (`deployments/kai-scheduler/crds`), which the real rig runs; what
only KAI's own parts exchange is left open (`x-kubernetes-preserve-unknown-fields`).
"""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]
_TEXT: Obj = {"type": "string"}
_NUMBER: Obj = {"type": "number"}
_WHOLE: Obj = {"type": "integer"}
_AMOUNTS: Obj = {
    "type": "object",
    "additionalProperties": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
}
_OPEN: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def all_crds() -> list[Obj]:
    """The six CRDs of KAI."""
    return [
        _crd("scheduling.run.ai", "v2", "Queue", "queues", _queue(), columns=_QUEUE_COLUMNS),
        _crd("scheduling.run.ai", "v2alpha2", "PodGroup", "podgroups", _pod_group(), short=("pg",), namespaced=True),
        _crd("scheduling.run.ai", "v1alpha2", "BindRequest", "bindrequests", _bind_request(), namespaced=True),
        _crd("kai.scheduler", "v1", "Config", "configs", _open("How KAI is installed.")),
        _crd("kai.scheduler", "v1", "SchedulingShard", "schedulingshards", _open("One scheduler and its nodes.")),
        _crd("kai.scheduler", "v1alpha1", "Topology", "topologies", _open("Levels of the network between nodes.")),
    ]


_QUEUE_COLUMNS = tuple(
    {"name": name, "type": "string", "jsonPath": path}
    for name, path in (
        ("Priority", ".spec.priority"),
        ("Parent", ".spec.parentQueue"),
        ("Children", ".status.childQueues"),
        ("DisplayName", ".spec.displayName"),
    )
)


def _queue() -> Obj:
    share = _object(
        "One resource of a queue; -1 is unlimited.",
        quota=_NUMBER | {"description": "Share that the queue is entitled to."},
        limit=_NUMBER | {"description": "The most that the queue may hold."},
        overQuotaWeight=_NUMBER | {"description": "Weight with which the queue gets what others leave free."},
    )
    spec = _object(
        "What the queue is entitled to.",
        displayName=_TEXT | {"description": "Name for people."},
        parentQueue=_TEXT | {"description": "Queue that this one is a part of."},
        priority=_WHOLE | {"description": "Queues of higher priority are served first."},
        preemptMinRuntime=_TEXT | {"description": "How long a workload runs before it may be preempted."},
        reclaimMinRuntime=_TEXT | {"description": "How long a workload runs before its resources may be reclaimed."},
        resources=_object(
            "Shares by resource: cpu in millicores, memory in megabytes, gpu in devices.",
            cpu=share,
            memory=share,
            gpu=share,
        ),
    )
    status = _object(
        "What the queue holds.",
        allocated=_AMOUNTS | {"description": "What runs."},
        allocatedNonPreemptible=_AMOUNTS | {"description": "What runs and cannot be preempted."},
        requested=_AMOUNTS | {"description": "What runs and waits."},
        childQueues={"type": "array", "items": _TEXT, "description": "Queues that are parts of this one."},
        conditions={"type": "array", "items": _OPEN, "description": "Conditions."},
    )
    return _object("A share of the cluster that workloads queue for.", spec=spec, status=status)


def _pod_group() -> Obj:
    constraint = _object(
        "Where in the network the pods must be.",
        topology=_TEXT,
        requiredTopologyLevel=_TEXT,
        preferredTopologyLevel=_TEXT,
    )
    sub_group = _object(
        "A part of the group.", name=_TEXT, parent=_TEXT, minMember=_WHOLE, topologyConstraint=constraint
    )
    spec = _object(
        "How the pods are scheduled together.",
        queue=_TEXT | {"description": "Queue that pays for the pods."},
        minMember=_WHOLE | {"minimum": 1, "description": "Pods that must start together."},
        priorityClassName=_TEXT | {"description": "Priority; from 100 on the pods cannot be preempted."},
        preemptibility=_TEXT | {"enum": ["preemptible", "non-preemptible"], "description": "Overrides the priority's."},
        markUnschedulable={"type": "boolean", "description": "Whether waiting pods are marked unschedulable."},
        schedulingBackoff=_WHOLE | {"description": "How often scheduling is tried again."},
        subGroups={"type": "array", "items": sub_group, "description": "Parts of the group."},
        topologyConstraint=constraint,
        backoffLimit=_WHOLE,
        completions=_WHOLE,
        parallelism=_WHOLE,
    )
    status = _object(
        "Whether the pods run, or why not.",
        phase=_TEXT,
        pending=_WHOLE,
        running=_WHOLE,
        succeeded=_WHOLE,
        failed=_WHOLE,
        conditions={"type": "array", "items": _OPEN},
        schedulingConditions={"type": "array", "items": _OPEN, "description": "Why the pods cannot be scheduled."},
        resourcesStatus=_object(
            "What the pods ask for and hold.",
            requested=_AMOUNTS,
            allocated=_AMOUNTS,
            allocatedNonPreemptible=_AMOUNTS,
        ),
    )
    return _object("Pods that KAI schedules together.", spec=spec, status=status)


def _bind_request() -> Obj:
    spec = _object(
        "Which pod goes where.",
        podName=_TEXT,
        selectedNode=_TEXT,
        receivedResourceType=_TEXT,
        receivedGPU=_object("GPU that the pod gets.", count=_WHOLE, portion=_TEXT),
        selectedGPUGroups={"type": "array", "items": _TEXT},
        resourceClaimAllocations={"type": "array", "items": _OPEN},
        backoffLimit=_WHOLE,
    )
    status = _object("Whether it worked.", phase=_TEXT, reason=_TEXT, failedAttempts=_WHOLE)
    return _object("The scheduler's order to bind a pod to a node.", spec=spec, status=status)


def _open(about: str) -> Obj:
    return _object(about, spec=_OPEN, status=_OPEN)


def _object(about: str, **properties: Obj) -> Obj:
    return {"type": "object", "description": about, "properties": properties}


def _crd(
    group: str,
    version: str,
    kind: str,
    plural: str,
    schema: Obj,
    *,
    namespaced: bool = False,
    short: tuple[str, ...] = (),
    columns: tuple[Obj, ...] = (),
) -> Obj:
    names: Obj = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    served: Obj = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    if columns:
        served["additionalPrinterColumns"] = list(columns)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": names | ({"shortNames": list(short)} if short else {}),
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [served],
        },
    }
