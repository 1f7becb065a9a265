"""What runs: the pods of all clusters, put together to the workloads that people know, with their images and GPUs.

A pod's top owner is read off the pod itself (a ReplicaSet's name ends with the template's hash), so no right beyond
listing pods is needed. Init containers count: what pulls the weights rests on a project too. GPUs are devices,
fractions of one included. Namespaces that may not be read are not in it, and the caller says so.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from sealane.fleet.cluster import Cluster
from sealane.health.risk import Workload
from sealane.kube import resources

GPU = "nvidia.com/gpu"
FRACTION, FRACTIONS = "gpu-fraction", "gpu-fraction-num-devices"
_ENDED = frozenset({"Succeeded", "Failed"})


class _Owner(msgspec.Struct, frozen=True, gc=False):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[_Owner] = []


class _Resources(msgspec.Struct, frozen=True):
    limits: dict[str, str | int | float] | None = None


class _Container(msgspec.Struct, frozen=True):
    image: str = ""
    resources: _Resources | None = None


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    containers: list[_Container] = []
    init_containers: list[_Container] | None = None


class _Status(msgspec.Struct, frozen=True):
    phase: str = ""


class PodView(msgspec.Struct, frozen=True):
    """The fields of a pod that matter here."""

    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


def of_cluster(cluster: Cluster) -> list[Workload]:
    """The workloads of one cluster, from its cache. Nothing is known before `cluster.synced(PODS)`."""
    return build(cluster.name, cluster.views(resources.PODS, PodView))


def build(cluster: str, pods: Iterable[PodView]) -> list[Workload]:
    """Pods put together by their top owner; ended ones are left out."""
    owned: dict[tuple[str, str, str], list[PodView]] = defaultdict(list)
    for pod in pods:
        if pod.status.phase not in _ENDED:
            owned[pod.metadata.namespace, *_owner(pod)].append(pod)
    return [_workload(cluster, key, found) for key, found in sorted(owned.items())]


def _workload(cluster: str, key: tuple[str, str, str], pods: Sequence[PodView]) -> Workload:
    namespace, kind, name = key
    images = {
        container.image
        for pod in pods
        for container in (*pod.spec.containers, *(pod.spec.init_containers or ()))
        if container.image
    }
    return Workload(
        cluster=cluster,
        namespace=namespace,
        kind=kind,
        name=name,
        images=tuple(sorted(images)),
        copies=len(pods),
        gpus=sum(_gpus(pod) for pod in pods),
    )


def _owner(pod: PodView) -> tuple[str, str]:
    """Kind and name of what a person would call the workload."""
    owner = next((each for each in pod.metadata.owner_references if each.controller), None)
    if owner is None:
        return "Pod", pod.metadata.name
    if owner.kind == "ReplicaSet":
        suffix = f"-{(pod.metadata.labels or {}).get('pod-template-hash', '')}"
        if len(suffix) > 1 and owner.name.endswith(suffix):
            return "Deployment", owner.name.removesuffix(suffix)
    return owner.kind, owner.name


def _gpus(pod: PodView) -> float:
    """Devices: whole ones from limits, else KAI's fraction."""
    whole = sum(
        _number((container.resources.limits or {}).get(GPU)) for container in pod.spec.containers if container.resources
    )
    if whole:
        return whole
    annotations = pod.metadata.annotations or {}
    share = _number(annotations.get(FRACTION))
    return share * (_number(annotations.get(FRACTIONS)) or 1.0)


def _number(value: str | float | None) -> float:
    with contextlib.suppress(TypeError, ValueError):
        return float(value or 0)
    return 0.0
