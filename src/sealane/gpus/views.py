"""The few fields of Kubernetes and KAI objects that the GPU inventory reads, as typed views of their JSON.

A view names what it needs and nothing else, so that ten thousand pods cost ten thousand small structs. Quantities
stay text here; `inventory` turns them into numbers. Field names are those of the API (camelCase on the wire).
"""

from __future__ import annotations

import msgspec

from sealane.kube.resources import Resource

KAI_CONFIGS = Resource(group="kai.scheduler", version="v1", plural="configs", kind="Config", namespaced=False)
"""KAI's own settings (`kai-config`); installed by its operator, absent where its programs are run by hand."""


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of the views: camelCase on the wire."""


class Metadata(Shape, frozen=True, gc=False):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    def label(self, key: str) -> str:
        return (self.labels or {}).get(key, "")

    def annotation(self, key: str) -> str:
        return (self.annotations or {}).get(key, "")


class Condition(Shape, frozen=True):
    type: str = ""
    status: str = ""


class Taint(Shape, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Shape, frozen=True):
    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeStatus(Shape, frozen=True):
    allocatable: dict[str, str] | None = None
    conditions: list[Condition] | None = None


class NodeView(Shape, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Requirements(Shape, frozen=True):
    requests: dict[str, str] | None = None
    limits: dict[str, str] | None = None


class Container(Shape, frozen=True):
    name: str = ""
    args: list[str] | None = None
    command: list[str] | None = None
    resources: Requirements = Requirements()


class PodSpec(Shape, frozen=True, gc=False):
    node_name: str = ""
    containers: list[Container] = []
    init_containers: list[Container] | None = None


class PodStatus(Shape, frozen=True, gc=False):
    phase: str = ""


class PodView(Shape, frozen=True, gc=False):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class QueueResource(Shape, frozen=True):
    """cpu in millicores, memory in MB (10^6 bytes), gpu in devices. -1 is unlimited; unset means 0."""

    quota: float = 0.0
    limit: float = 0.0
    over_quota_weight: float = 0.0


class QueueResources(Shape, frozen=True):
    gpu: QueueResource = QueueResource()
    cpu: QueueResource = QueueResource()
    memory: QueueResource = QueueResource()


class QueueSpec(Shape, frozen=True):
    parent_queue: str = ""
    resources: QueueResources | None = None


class QueueStatus(Shape, frozen=True):
    allocated: dict[str, str] | None = None
    allocated_non_preemptible: dict[str, str] | None = None
    requested: dict[str, str] | None = None
    child_queues: list[str] | None = None


class QueueView(Shape, frozen=True):
    metadata: Metadata
    spec: QueueSpec = QueueSpec()
    status: QueueStatus | None = None


class DeploymentTemplate(Shape, frozen=True):
    spec: PodSpec = PodSpec()


class DeploymentSpec(Shape, frozen=True):
    template: DeploymentTemplate = DeploymentTemplate()


class DeploymentView(Shape, frozen=True):
    metadata: Metadata
    spec: DeploymentSpec = DeploymentSpec()


class AdmissionConfig(Shape, frozen=True):
    gpu_sharing: bool | None = msgspec.field(name="gpuSharing", default=None)


class ConfigSpec(Shape, frozen=True):
    admission: AdmissionConfig | None = None


class ConfigView(Shape, frozen=True):
    metadata: Metadata
    spec: ConfigSpec = ConfigSpec()


class StorageClassView(Shape, frozen=True):
    metadata: Metadata
