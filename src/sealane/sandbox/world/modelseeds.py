"""Hosted models as Sealane itself would have made them, so that its console manages the seeded ones as its own.

The shape (labels, annotations, init container `pull`, volume, Service) is Sealane's public one; a test compares it
with what Sealane's planner makes, because the sandbox may not import the planner.
"""

from __future__ import annotations

import re
from typing import Any

from sealane.sandbox.world.ollama import library, storage
from sealane.sandbox.world.ports import Obj

IMAGE = "ollama/ollama:0.23.0"
_SCRIPT = """\
set -eu
ollama serve >/tmp/serve.log 2>&1 &
until ollama list >/dev/null 2>&1; do sleep 0.5; done
ollama pull "$SEALANE_MODEL"
"""


def manifests(entry: dict[str, Any], *, kai: bool) -> list[tuple[str, Obj]]:
    """`(plural, object)` of one seeded model, in the order of creation."""
    model = entry["model"]
    name = entry.get("name") or re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    share = str(entry.get("share", "0"))
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "sealane",
        "app.kubernetes.io/part-of": "sealane",
    }
    notes = {"sealane.dev/model": model, "sealane.dev/engine": "ollama", "sealane.dev/share": share}
    meta = {"name": name, "namespace": entry["namespace"], "labels": labels, "annotations": notes}
    selector = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "sealane"}
    port = {"name": "http", "port": 11434, "targetPort": "http", "protocol": "TCP"}
    service: Obj = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": "ClusterIP", "selector": selector, "ports": [port]},
    }
    result: list[tuple[str, Obj]] = []
    if entry.get("storage"):
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": _claim(entry["storage"])}
        result.append(("persistentvolumeclaims", claim | {"metadata": meta | {"name": f"{name}-weights"}}))
    result.append(("services", service))
    result.append(("deployments", _deployment(entry, meta, selector, share=share, kai=kai)))
    return result


def _deployment(entry: dict[str, Any], meta: Obj, selector: dict[str, str], *, share: str, kai: bool) -> Obj:
    labels = dict(meta["labels"])
    notes = dict(meta["annotations"])
    if kai:
        labels["kai.scheduler/queue"] = entry["queue"]
        if 0 < float(share) < 1:
            notes["gpu-fraction"] = share
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta | {"labels": labels},
        "spec": {
            "replicas": entry.get("copies", 1),
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": 3600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": dict(labels), "annotations": notes},
                "spec": _pod(entry, meta["name"], share=share, kai=kai),
            },
        },
    }


def _pod(entry: dict[str, Any], name: str, *, share: str, kai: bool) -> Obj:
    volume: Obj = {"name": "models"}
    if entry.get("storage"):
        volume["persistentVolumeClaim"] = {"claimName": f"{name}-weights"}
    else:
        volume["ephemeral"] = {"volumeClaimTemplate": {"spec": _claim("10Gi")}}
    spec: Obj = {
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
        "initContainers": [_container(entry, share, pull=True)],
        "containers": [_container(entry, share, pull=False)],
        "volumes": [volume],
    }
    if kai:
        spec["schedulerName"] = "kai-scheduler"
    if float(share):
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    return spec


def _container(entry: dict[str, Any], share: str, *, pull: bool) -> Obj:
    values = {
        "SEALANE_MODEL": entry["model"],
        "OLLAMA_HOST": "0.0.0.0:11434",
        "OLLAMA_MODELS": "/models",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
        "HOME": "/models",
    }
    if not pull:
        values |= {
            "OLLAMA_CONTEXT_LENGTH": str(entry.get("context", 8192)),
            "OLLAMA_NUM_PARALLEL": "1",
            "OLLAMA_MAX_LOADED_MODELS": "1",
            "OLLAMA_KEEP_ALIVE": "-1",
            "OLLAMA_FLASH_ATTENTION": "1",
            "OLLAMA_KV_CACHE_TYPE": "f16",
        }
    container: Obj = {
        "name": "pull" if pull else "ollama",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": value} for key, value in values.items()],
        "resources": _resources(entry, share, pull=pull),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    if pull:
        container["command"] = ["/bin/sh", "-c", _SCRIPT]
    else:
        container["ports"] = [{"name": "http", "containerPort": 11434, "protocol": "TCP"}]
        probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5}
        container |= {"readinessProbe": probe, "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}
    return container


def _resources(entry: dict[str, Any], share: str, *, pull: bool) -> Obj:
    if pull:
        return {"requests": {"cpu": "100m", "memory": "256Mi"}}
    model = library.find(storage.with_tag(entry["model"]))
    mib = 1024 if model is None or float(share) else model.size * 5 // 4 // 1024**2 + 512
    resources: Obj = {"requests": {"cpu": "1", "memory": f"{mib}Mi"}}
    if share == "1":
        resources["limits"] = {"nvidia.com/gpu": "1"}
    return resources


def _claim(size: str) -> Obj:
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard",
        "resources": {"requests": {"storage": size}},
    }
