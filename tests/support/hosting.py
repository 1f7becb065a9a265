"""Builders of the objects that a hosted model is made of, in the shapes that Kubernetes 1.34 and KAI 0.12 give them."""

from __future__ import annotations

import datetime
from typing import Any

from sealane.models import stage_views as v

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
MODEL = "qwen2.5-coder:7b"
IMAGE = "ollama/ollama:0.23.0"


def stamp(seconds: float = 0.0) -> str:
    return (START + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def deployment(
    name: str = "qwen",
    *,
    namespace: str = "team-a",
    model: str = MODEL,
    copies: int = 1,
    ready: int = 0,
    conditions: list[dict[str, Any]] | None = None,
    managed_by: str = "sealane",
    queue: str = "",
    share: str = "0",
    uid: str = "",
) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/managed-by": managed_by,
        "sealane.dev/engine": "ollama",
        "sealane.dev/share": share,
    }
    if queue:
        labels["kai.scheduler/queue"] = queue
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"d-{namespace}-{name}",
            "generation": 1,
            "labels": labels,
            "annotations": {"sealane.dev/model": model},
            "creationTimestamp": stamp(),
        },
        "spec": {
            "replicas": copies,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": managed_by}},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(scheduler="kai-scheduler" if queue else "")},
        },
        "status": {"replicas": copies, "readyReplicas": ready, "conditions": conditions or []},
    }


def pod_spec(*, node: str = "", scheduler: str = "") -> dict[str, Any]:
    return {
        "nodeName": node,
        "schedulerName": scheduler or "default-scheduler",
        "initContainers": [{"name": "pull", "image": IMAGE, "env": [{"name": "SEALANE_MODEL", "value": MODEL}]}],
        "containers": [
            {
                "name": "ollama",
                "image": IMAGE,
                "env": [{"name": "OLLAMA_CONTEXT_LENGTH", "value": "8192"}],
                "resources": {"limits": {"memory": "8Gi"}},
            }
        ],
    }


def replicaset(name: str = "qwen-1", *, namespace: str = "team-a", owner: str = "d-team-a-qwen") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"rs-{namespace}-{name}",
            "ownerReferences": [{"kind": "Deployment", "name": "qwen", "uid": owner, "apiVersion": "apps/v1"}],
        }
    }


def pod(
    name: str = "qwen-1-a",
    *,
    namespace: str = "team-a",
    node: str = "",
    scheduler: str = "",
    queue: str = "",
    phase: str = "Pending",
    conditions: list[dict[str, Any]] | None = None,
    pull: dict[str, Any] | None = None,
    engine: dict[str, Any] | None = None,
    owner: str = "rs-team-a-qwen-1",
    leaving: bool = False,
    made: float = 0.0,
    message: str = "",
    reason: str = "",
    app: str = "qwen",
) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/managed-by": "sealane"}
    if queue:
        labels["kai.scheduler/queue"] = queue
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": f"p-{namespace}-{name}",
        "labels": labels,
        "ownerReferences": [{"kind": "ReplicaSet", "name": "qwen-1", "uid": owner, "apiVersion": "apps/v1"}],
        "creationTimestamp": stamp(made),
    }
    if leaving:
        metadata["deletionTimestamp"] = stamp(made + 1)
    status: dict[str, Any] = {"phase": phase, "conditions": conditions or [], "message": message, "reason": reason}
    if pull is not None:
        status["initContainerStatuses"] = [{"name": "pull", **pull}]
    if engine is not None:
        status["containerStatuses"] = [{"name": "ollama", **engine}]
    spec = pod_spec(node=node, scheduler=scheduler or ("kai-scheduler" if queue else ""))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


RUNNING: dict[str, Any] = {"state": {"running": {"startedAt": stamp(5)}}}
DONE: dict[str, Any] = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
CREATING: dict[str, Any] = {"state": {"waiting": {"reason": "PodInitializing"}}}
READY = [{"type": "Ready", "status": "True"}]
NOT_READY = [{"type": "Ready", "status": "False"}]


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def crashed(*, code: int = 1, reason: str = "Error", message: str = "", restarts: int = 3) -> dict[str, Any]:
    return {
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": code, "reason": reason, "message": message}},
    }


def answering(name: str = "qwen-1-a", **more: Any) -> dict[str, Any]:
    return pod(name, node="gpu-a", phase="Running", conditions=READY, pull=DONE, engine=RUNNING, **more)


def unscheduled(message: str, **more: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(conditions=[condition], **more)


def event(reason: str, message: str = "", *, about: str = "p-team-a-qwen-1-a", at: float = 1.0) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{about}.{reason}.{at}", "namespace": "team-a", "uid": f"e-{reason}-{at}-{about}"},
        "involvedObject": {"uid": about, "kind": "Pod", "name": "qwen-1-a"},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": stamp(at),
    }


def pod_group(
    *, queue: str = "vision", reasons: list[dict[str, Any]] | None = None, owner: str = "p-team-a-qwen-1-a"
) -> dict[str, Any]:
    conditions = []
    if reasons is not None:
        conditions = [
            {"type": "UnschedulableOnNodePool", "status": "True", "reason": "Unschedulable", "reasons": reasons}
        ]
    return {
        "metadata": {
            "name": f"pg-{owner}",
            "namespace": "team-a",
            "uid": f"pg-{owner}",
            "ownerReferences": [{"kind": "Pod", "name": "qwen-1-a", "uid": owner, "apiVersion": "v1"}],
        },
        "spec": {"queue": queue},
        "status": {"schedulingConditions": conditions},
    }


def snapshot(
    *,
    deployed: dict[str, Any] | None,
    pods: list[dict[str, Any]] | None = None,
    events: list[dict[str, Any]] | None = None,
    pod_groups: list[dict[str, Any]] | None = None,
    queues: tuple[v.QueueFact, ...] | None = None,
    engines: dict[str, v.EngineFacts] | None = None,
    after: float = 10.0,
    pods_hidden: bool = False,
) -> v.Snapshot:
    return v.Snapshot(
        cluster="harbor-eu",
        namespace="team-a",
        name="qwen",
        now=START + datetime.timedelta(seconds=after),
        deployment=v.view(deployed, v.DeploymentView) if deployed else None,
        pods=tuple(v.view(each, v.PodView) for each in pods or ()),
        events=tuple(v.view(each, v.EventView) for each in events or ()),
        pod_groups=tuple(v.view(each, v.PodGroupView) for each in pod_groups or ()),
        queues=queues,
        engines=engines or {},
        pods_hidden=pods_hidden,
    )
