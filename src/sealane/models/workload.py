"""A completed wish as Kubernetes objects: Deployment, Service, and a volume where weights are kept. Pure.

The pod is clean under Pod Security "restricted" and needs nobody: an init container pulls the model, so that a replaced
pod comes back by itself. Volumes: a kept volume is ReadWriteOnce, so all copies that use it must share a node (required
pod affinity says so, and later copies start without a download); a model that starts with several copies gets one
volume a copy instead, which goes with its pod. Nothing here decides: `plan` has checked the wish before.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from sealane.models.engines import ollama
from sealane.models.labels import (
    ENGINE_ANNOTATION,
    KAI_SCHEDULER,
    MANAGER,
    MODEL_ANNOTATION,
    QUEUE_LABEL,
    SHARE_ANNOTATION,
    selection,
)
from sealane.models.types import ModelSpec

_GIB = 1024**3


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan worked out besides the wish. Bytes, unless said.

    `storage` is `claim` (kept), `each` (one volume a copy) or `empty` (the node's disk); `card_floor_mib` > 0 keeps the
    pod off cards that are smaller; `overhead` is bytes of each card that the engine must leave alone.
    """

    kai: bool
    storage: str
    storage_class: str
    volume_bytes: int
    cpu_millicores: int
    memory_bytes: int
    overhead: int = 0
    card_floor_mib: int = 0


def labels(spec: ModelSpec) -> dict[str, str]:
    """Labels of every object that Sealane makes for the model (contracts: labels and annotations)."""
    more = {"app.kubernetes.io/instance": spec.name, "app.kubernetes.io/part-of": MANAGER}
    return {**selection(spec.name), **more}


def selector(spec: ModelSpec) -> dict[str, str]:
    """What the Deployment and the Service select by; never changes in a model's life."""
    return selection(spec.name)


def object_annotations(spec: ModelSpec) -> dict[str, str]:
    """Annotations of every object: the exact tag, the engine and the share."""
    return {MODEL_ANNOTATION: spec.model, ENGINE_ANNOTATION: spec.engine, SHARE_ANNOTATION: spec.share.text}


def claim_name(spec: ModelSpec) -> str:
    """The volume claim that keeps the weights."""
    return f"{spec.name}-weights"


def manifests(spec: ModelSpec, sizing: Sizing) -> tuple[dict[str, Any], ...]:
    """The objects in the order in which they are applied."""
    claim = (_claim(spec, sizing),) if sizing.storage == "claim" else ()
    return (*claim, _service(spec), _deployment(spec, sizing))


def _claim(spec: ModelSpec, sizing: Sizing) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(spec, claim_name(spec)),
        "spec": _claim_spec(sizing),
    }


def _claim_spec(sizing: Sizing) -> dict[str, Any]:
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{math.ceil(sizing.volume_bytes / _GIB)}Gi"}},
        "storageClassName": sizing.storage_class,
    }


def _service(spec: ModelSpec) -> dict[str, Any]:
    port = {"name": "http", "port": ollama.PORT, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(spec, spec.name),
        "spec": {"type": "ClusterIP", "selector": selector(spec), "ports": [port]},
    }


def _deployment(spec: ModelSpec, sizing: Sizing) -> dict[str, Any]:
    """One pod less, then one more: needs no spare card for an update, and never two nodes for one volume."""
    metadata = _metadata(spec, spec.name)
    template = _metadata(spec, "")
    if sizing.kai:
        metadata["labels"][QUEUE_LABEL] = spec.queue
        template["labels"][QUEUE_LABEL] = spec.queue
        template["annotations"] |= _kai_share(spec)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": spec.copies,
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": 3600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "selector": {"matchLabels": selector(spec)},
            "template": {"metadata": template, "spec": _pod(spec, sizing)},
        },
    }


def _metadata(spec: ModelSpec, name: str) -> dict[str, Any]:
    head = {"name": name, "namespace": spec.namespace} if name else {}
    return {**head, "labels": labels(spec), "annotations": object_annotations(spec)}


def _kai_share(spec: ModelSpec) -> dict[str, str]:
    """KAI's annotation for a part of a card; whole cards are an ordinary limit and never stand beside it."""
    if spec.share.fraction is not None:
        return {"gpu-fraction": f"{spec.share.fraction:g}"}
    if spec.share.memory_mib is not None:
        return {"gpu-memory": str(spec.share.memory_mib)}
    return {}


def _pod(spec: ModelSpec, sizing: Sizing) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_pull(spec)],
        "containers": [_serve(spec, sizing)],
        "volumes": _volumes(spec, sizing),
    }
    if sizing.kai:
        pod["schedulerName"] = KAI_SCHEDULER
    if spec.share.on_gpu:
        pod["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    affinity = _affinity(spec, sizing)
    if affinity:
        pod["affinity"] = affinity
    return pod


def _affinity(spec: ModelSpec, sizing: Sizing) -> dict[str, Any]:
    affinity: dict[str, Any] = {}
    if sizing.card_floor_mib:
        big = {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": [str(sizing.card_floor_mib - 1)]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [big]}]}
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    if sizing.storage == "claim":
        term = {"labelSelector": {"matchLabels": selector(spec)}, "topologyKey": "kubernetes.io/hostname"}
        affinity["podAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return affinity


def _volumes(spec: ModelSpec, sizing: Sizing) -> list[dict[str, Any]]:
    source: dict[str, Any]
    if sizing.storage == "claim":
        source = {"persistentVolumeClaim": {"claimName": claim_name(spec)}}
    elif sizing.storage == "each":
        template = {"metadata": {"labels": labels(spec)}, "spec": _claim_spec(sizing)}
        source = {"ephemeral": {"volumeClaimTemplate": template}}
    else:
        source = {"emptyDir": {}}
    volumes: list[dict[str, Any]] = [{"name": "models", **source}]
    if spec.registry_secret:
        key = {"secretName": spec.registry_secret, "defaultMode": 0o440}
        volumes.append({"name": "registry-key", "secret": key})
    return volumes


def _mounts(spec: ModelSpec) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"name": "models", "mountPath": ollama.MODELS}]
    if spec.registry_secret:
        path = f"{ollama.MODELS}/.ollama/id_ed25519"
        mounts.append({"name": "registry-key", "mountPath": path, "subPath": "id_ed25519", "readOnly": True})
    return mounts


def _locked() -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _pull(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": "pull",
        "image": ollama.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ollama.pull_command(),
        "env": ollama.pull_env(spec),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": _locked(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(spec),
    }


def _serve(spec: ModelSpec, sizing: Sizing) -> dict[str, Any]:
    requests = {"cpu": _cpu(sizing.cpu_millicores), "memory": _memory(sizing.memory_bytes)}
    resources: dict[str, Any] = {"requests": requests}
    if spec.share.devices:
        resources["requests"]["nvidia.com/gpu"] = str(spec.share.devices)
        resources["limits"] = {"nvidia.com/gpu": str(spec.share.devices)}
    return {
        "name": "ollama",
        "image": ollama.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": ollama.serve_env(spec, overhead=sizing.overhead),
        "ports": [{"name": "http", "containerPort": ollama.PORT, "protocol": "TCP"}],
        "resources": resources,
        "securityContext": _locked(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(spec),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        **ollama.probes(),
    }


def _cpu(millicores: int) -> str:
    """As the API server writes it back, so that a later diff shows no change."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def _memory(amount: int) -> str:
    mib = math.ceil(amount / 1024**2)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"
