"""The fields of live objects from which a hosted model's stage is read, as typed values.

`Snapshot` is everything that `stages.stage_of` may look at: what Kubernetes says (deployment, pods, events, KAI's
pod groups and queues) and what the engine in each pod says. It is plain and frozen, so that every failure seen on a
real cluster can be kept as a test case and replayed.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from sealane.models.labels import MODEL_ANNOTATION
from sealane.models.reference import is_name

_log = logging.getLogger(__name__)
T = TypeVar("T")
PULL_CONTAINER, ENGINE_CONTAINER = "pull", "ollama"


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of the views: camelCase on the wire."""


class Owner(Shape, frozen=True):
    uid: str = ""
    kind: str = ""
    name: str = ""


class Metadata(Shape, frozen=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = None
    creation_timestamp: datetime.datetime | None = None
    deletion_timestamp: datetime.datetime | None = None

    def label(self, key: str) -> str:
        return (self.labels or {}).get(key, "")

    def annotation(self, key: str) -> str:
        return (self.annotations or {}).get(key, "")


class Condition(Shape, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime.datetime | None = None


class EnvVar(Shape, frozen=True):
    name: str
    value: str = ""


class Resources(Shape, frozen=True):
    limits: dict[str, str] | None = None
    requests: dict[str, str] | None = None


class Container(Shape, frozen=True):
    name: str = ""
    image: str = ""
    env: list[EnvVar] | None = None
    resources: Resources = Resources()


class Claim(Shape, frozen=True):
    claim_name: str = ""


class SecretSource(Shape, frozen=True):
    secret_name: str = ""


class Volume(Shape, frozen=True):
    name: str = ""
    persistent_volume_claim: Claim | None = None
    ephemeral: dict[str, Any] | None = None
    secret: SecretSource | None = None


class PodSpec(Shape, frozen=True):
    node_name: str = ""
    scheduler_name: str = ""
    volumes: list[Volume] | None = None
    containers: list[Container] = []
    init_containers: list[Container] | None = None
    readiness_gates: list[dict[str, Any]] | None = None


class Waiting(Shape, frozen=True):
    reason: str = ""
    message: str = ""


class Running(Shape, frozen=True):
    started_at: datetime.datetime | None = None


class Terminated(Shape, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class State(Shape, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Shape, frozen=True):
    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: State = State()
    last_state: State = State()

    @property
    def ended(self) -> Terminated | None:
        """How it ended: now, or the last time when it is waiting to be started again."""
        if self.state.terminated is not None:
            return self.state.terminated
        return self.last_state.terminated if self.state.running is None else None


class PodStatus(Shape, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class PodView(Shape, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def condition(self, kind: str) -> Condition | None:
        return next((each for each in self.status.conditions or () if each.type == kind), None)

    def container(self, name: str) -> ContainerStatus | None:
        """The status of a container or init container; None before the kubelet wrote it."""
        both = [*(self.status.init_container_statuses or ()), *(self.status.container_statuses or ())]
        return next((each for each in both if each.name == name), None)

    @property
    def ready(self) -> bool:
        found = self.condition("Ready")
        return found is not None and found.status == "True"

    @property
    def leaving(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class Template(Shape, frozen=True):
    spec: PodSpec = PodSpec()


class DeploymentSpec(Shape, frozen=True):
    replicas: int = 1
    template: Template = Template()


class DeploymentStatus(Shape, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    conditions: list[Condition] | None = None


class DeploymentView(Shape, frozen=True):
    metadata: Metadata
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()

    @property
    def model(self) -> str:
        """The exact tag that it hosts; "" for what cannot be one: anybody who may write there chooses this text."""
        said = self.metadata.annotation(MODEL_ANNOTATION)
        return said if is_name(said) else ""

    def env(self, name: str) -> str:
        """A variable of the pod's containers, init containers last; "" when it is not set."""
        pod = self.spec.template.spec
        every: list[Container] = [*pod.containers, *(pod.init_containers or ())]
        for container in every:
            for variable in container.env or ():
                if variable.name == name:
                    return variable.value
        return ""


class About(Shape, frozen=True):
    uid: str = ""
    kind: str = ""
    name: str = ""


class EventView(Shape, frozen=True):
    metadata: Metadata
    involved_object: About = About()
    type: str = ""
    reason: str = ""
    message: str = ""
    last_timestamp: datetime.datetime | None = None
    event_time: datetime.datetime | None = None

    @property
    def at(self) -> datetime.datetime:
        """When it was last seen, as far as the event says."""
        made = self.last_timestamp or self.event_time or self.metadata.creation_timestamp
        return made or datetime.datetime.min.replace(tzinfo=datetime.UTC)


class QueueDetails(Shape, frozen=True):
    """KAI's own numbers behind a refusal; quantities as text, `-1` and `-1m` unlimited."""

    name: str = ""
    pod_group_requested_resources: dict[str, str] | None = None
    queue_allocated_resources: dict[str, str] | None = None
    queue_allocated_non_preemptible_resources: dict[str, str] | None = None
    queue_deserved_resources: dict[str, str] | None = None
    queue_resource_limits: dict[str, str] | None = None


class ReasonDetails(Shape, frozen=True):
    queue_details: QueueDetails | None = None


class Reason(Shape, frozen=True):
    reason: str = ""
    message: str = ""
    details: ReasonDetails | None = None


class SchedulingCondition(Shape, frozen=True):
    type: str = ""
    status: str = ""
    message: str = ""
    reasons: list[Reason] | None = None


class PodGroupSpec(Shape, frozen=True):
    queue: str = ""


class PodGroupStatus(Shape, frozen=True):
    scheduling_conditions: list[SchedulingCondition] | None = None


class PodGroupView(Shape, frozen=True):
    metadata: Metadata
    spec: PodGroupSpec = PodGroupSpec()
    status: PodGroupStatus = PodGroupStatus()


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """How far the engine's download is, in bytes over all layers; `total` 0 while it is not known."""

    status: str = ""
    done: int = 0
    total: int = 0


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine in one pod told Sealane. `loaded`: the model is in memory; `stored`: it is on the volume and
    nobody loads it now, so the first request will. `silent`: it answered before and is out of reach now. `closed`:
    Sealane lacks the right to ask it (`pods/proxy`)."""

    pull: Pull | None = None
    loaded: bool = False
    stored: bool = False
    silent: bool = False
    error: str = ""
    closed: bool = False


class QueueFact(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as far as a wait depends on it."""

    name: str
    leaf: bool


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that a stage is read from. `queues` is None when KAI's queues are not known; `engines` is by pod name;
    `pods_hidden` when the reader may not see pods there, so that no pods does not mean that there are none."""

    cluster: str
    namespace: str
    name: str
    now: datetime.datetime
    deployment: DeploymentView | None = None
    pods: tuple[PodView, ...] = ()
    pods_hidden: bool = False
    events: tuple[EventView, ...] = ()
    pod_groups: tuple[PodGroupView, ...] = ()
    queues: tuple[QueueFact, ...] | None = None
    engines: dict[str, EngineFacts] = {}

    @property
    def model(self) -> str:
        return (self.deployment.model if self.deployment else "") or self.name


def view(obj: dict[str, Any], shape: type[msgspec.Struct]) -> Any:
    """A decoded object as `shape`; what does not belong to the shape is left out."""
    return msgspec.convert(obj, shape, strict=False)


def readable(objs: Iterable[dict[str, Any]], shape: type[T]) -> Iterator[T]:
    """Those of the objects that are of the shape. One that is not (a controller of another age, a hand that slipped)
    must not take all the others out of sight; it is told of in the log."""
    for obj in objs:
        try:
            yield msgspec.convert(obj, shape, strict=False)
        except msgspec.ValidationError as error:
            name = (obj.get("metadata") or {}).get("name", "")
            _log.warning("%s %s cannot be read and is passed over: %s", obj.get("kind", "object"), name, error)
