"""What an installation of KAI 0.12.0 leaves in a cluster: kinds, priority classes, settings, queues, its programs.

The programs are ordinary Deployments whose arguments say what is switched on (`--gpu-sharing-enabled`), which is
where a reader of a real cluster finds it too. Data: `data/kai.yaml` and the cluster's own queues.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealane.sandbox import kai_crds
from sealane.sandbox.api import crds
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj


def serve(cluster: Cluster) -> None:
    """KAI's CRDs; their kinds are served from now on, also by a Store that does not read CRDs by itself."""
    for crd in kai_crds.all_crds():
        if cluster.get("customresourcedefinitions", "", crd["metadata"]["name"]) is None:
            cluster.create("customresourcedefinitions", crd, manager="helm")
        for kind in crds.kinds_of(crd):
            cluster.serve(kind)


def objects_of(kai: dict[str, Any], plan: dict[str, Any]) -> Iterator[tuple[str, Obj]]:
    """`(plural, object)` of everything but the programs, in the order of creation."""
    for name in kai["namespaces"]:
        yield "namespaces", _namespace(name)
    meta = {"name": "kai-resource-reservation", "namespace": "kai-resource-reservation"}
    yield "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    for name, value in kai["priority_classes"].items():
        head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        yield "priorityclasses", head | {"value": value, "globalDefault": False}
    config = {"apiVersion": "kai.scheduler/v1", "kind": "Config", "metadata": {"name": "kai-config"}}
    yield "configs", config | {"spec": {"namespace": "kai-scheduler", "admission": {"gpuSharing": True}}}
    shard = {"apiVersion": "kai.scheduler/v1", "kind": "SchedulingShard", "metadata": {"name": "default"}}
    yield "schedulingshards", shard | {"spec": {"placementStrategy": {"gpu": "binpack", "cpu": "binpack"}}}
    for entry in plan["queues"]:
        yield "queues", _queue(entry)


def programs(kai: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """KAI's programs as entries of the seeds' `deployments`."""
    for program, arguments in kai["programs"].items():
        yield {
            "name": kai["names"].get(program, program),
            "namespace": "kai-scheduler",
            "image": f"{kai['image']}/{program}:{kai['version']}",
            "cpu": "50m",
            "memory": "128Mi",
            "args": arguments,
            "managed_by": "Helm",
        }


def _namespace(name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _queue(entry: dict[str, Any]) -> Obj:
    free = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    gpu = {"quota": entry["quota"], "limit": entry["limit"], "overQuotaWeight": entry["weight"]}
    spec: Obj = {"resources": {"gpu": gpu, "cpu": free, "memory": dict(free)}}
    if entry.get("parent"):
        spec["parentQueue"] = entry["parent"]
    body = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": entry["name"]}}
    return body | {"spec": spec}
