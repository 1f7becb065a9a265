"""What can be broken, as data: each fault knows how it begins, and beginning gives back how it ends.

A fault is a record with a tag, as it stands in a scenario's file. `begin` does it to a `Place` (one cluster with its
API server, its world and its port) and returns the undo, which leaves the cluster as it would be had nothing happened.
What the API server does is in `api.faults`, what kubelets and registries do in `world.troubles`; here they are bound
together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

import msgspec

from sealane.sandbox.api.faults import Faults, Setting, Withheld
from sealane.sandbox.scenarios import nodes
from sealane.sandbox.world import objects
from sealane.sandbox.world import troubles as world
from sealane.sandbox.world.scheduler import cards
from sealane.sandbox.world.world import ClusterWorld

Undo = Callable[[], Awaitable[None]]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
_EVICTED = "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 0. "


class Port(Protocol):
    """Where the API server listens."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Listen no more and break every connection."""


class Place(msgspec.Struct, frozen=True):
    """One cluster, as far as it can be broken."""

    name: str
    api: Faults
    world: ClusterWorld
    port: Port


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """One thing to break."""

    async def begin(self, place: Place) -> Undo:
        """Break it; what is returned heals it."""
        raise NotImplementedError


# the API server


class SlowApi(Fault, frozen=True, kw_only=True, tag="api-slow"):
    """Every request waits `latency` seconds (real ones: it is the reader who waits)."""

    latency: Positive
    match: str = ""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        return _laid(place, Setting(latency=self.latency, match=self.match))


class BusyApi(Fault, frozen=True, kw_only=True, tag="api-busy"):
    """Requests are refused with 429 and Retry-After."""

    retry_after: Count = 1
    match: str = ""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        return _laid(place, Setting(too_many_requests=1, retry_after=self.retry_after, match=self.match))


class HangingApi(Fault, frozen=True, kw_only=True, tag="api-hangs"):
    """The server takes requests and answers none."""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        return _laid(place, Setting(hangs=True))


class TokenExpired(Fault, frozen=True, kw_only=True, tag="token-expired"):
    """No credentials are good any more; watches end, as they do when a server restarts."""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        undo = _laid(place, Setting(unauthorized=True))
        place.api.cut()
        return undo


class RightsTaken(Fault, frozen=True, kw_only=True, tag="rights-taken"):
    """Some rights are taken from everybody."""

    resources: tuple[str, ...]
    verbs: tuple[str, ...] = ("*",)
    namespace: str = ""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        withheld = Withheld(resources=self.resources, verbs=self.verbs, namespace=self.namespace)
        covers = place.api.withhold(withheld)
        place.api.cut()

        async def undo() -> None:
            place.api.give_back(covers)

        return undo


class WatchesCut(Fault, frozen=True, kw_only=True, tag="watches-cut"):
    """All open watches break, once."""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        place.api.cut()
        return _nothing


class HistoryGone(Fault, frozen=True, kw_only=True, tag="history-gone"):
    """The server forgets its history: what watches from an older version is told 410."""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        place.api.forget()
        place.api.cut()
        return _nothing


class ApiDown(Fault, frozen=True, kw_only=True, tag="api-down"):
    """The server is gone, every connection with it; pods live on. It comes back without its watch history."""

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        await place.port.stop()

        async def undo() -> None:
            place.api.forget()
            await place.port.start()

        return undo


# nodes


class NodeLost(Fault, frozen=True, kw_only=True, tag="node-lost"):
    """A node's kubelet falls silent; its pods are given up `patience` seconds after that was noticed."""

    node: str
    patience: Positive = 300.0

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        lost, here = world.NodeLost(node=self.node), place.world
        here.nodes.down(self.node, patience=self.patience)
        here.cluster.troubles.on(lost)

        async def undo() -> None:
            here.cluster.troubles.off(lost)
            here.nodes.up(self.node)
            here.kubelet.heard(self.node)

        return undo


class CardLost(Fault, frozen=True, kw_only=True, tag="card-lost"):
    """A card falls off the bus: the node offers one less, and what computed on it fails."""

    node: str
    namespace: str
    name: str

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        cluster = place.world.cluster
        struck = [
            pod for pod in cluster.list("pods") if world.OfModel(namespace=self.namespace, name=self.name).pod(pod)
        ]
        here = [pod for pod in struck if pod["spec"].get("nodeName") == self.node][:1]
        groups = {objects.labels(pod).get(cards.GROUP, "") for pod in here} - {""}
        sharing = [pod for pod in cluster.list("pods") if objects.labels(pod).get(cards.GROUP, "") in groups]
        count = max([1, *(cards.ask_of(pod).devices for pod in here)])
        lost = world.CardLost(node=self.node, uids=frozenset(map(objects.uid, [*here, *sharing])), cards=count)
        nodes.offer(cluster, self.node, less=count)
        nodes.xid(cluster, self.node)
        cluster.troubles.on(lost)

        async def undo() -> None:
            nodes.offer(cluster, self.node, less=0)
            cluster.troubles.off(lost)

        return undo


class NodeDiskFull(Fault, frozen=True, kw_only=True, tag="node-disk-full"):
    """A node's disk is full: no image can be unpacked, DiskPressure taints it, and one model's copies are evicted."""

    node: str
    namespace: str
    name: str

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        cluster, kubelet = place.world.cluster, place.world.kubelet
        trouble = world.DiskFull(node=self.node)
        cluster.troubles.on(trouble)
        nodes.disk_pressure(cluster, self.node, on="True")
        evicted: list[tuple[str, str, str]] = []
        for pod in cluster.list("pods", self.namespace):
            model = world.OfModel(namespace=self.namespace, name=self.name)
            if model.pod(pod) and pod["spec"].get("nodeName") == self.node and objects.active(pod):
                evicted.append((*objects.key(pod), objects.uid(pod)))
                kubelet.evict(objects.uid(pod), _EVICTED)

        async def undo() -> None:
            nodes.disk_pressure(cluster, self.node, on="False")
            cluster.troubles.off(trouble)
            for namespace, name, uid in evicted:
                pod = cluster.get("pods", namespace, name)
                if pod is not None and objects.uid(pod) == uid:
                    cluster.delete("pods", pod, grace_seconds=0)

        return undo


# what is pulled, and what runs


class _Troubled(Fault, frozen=True, kw_only=True):
    """A fault that is one trouble of the world, switched on and off."""

    def trouble(self) -> world.Trouble:
        """The trouble."""
        raise NotImplementedError

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        trouble, troubles = self.trouble(), place.world.cluster.troubles
        troubles.on(trouble)

        async def undo() -> None:
            troubles.off(trouble)

        return undo


class ImageMissing(_Troubled, frozen=True, kw_only=True, tag="image-missing"):
    """The registry lacks images whose name contains `match`; no node holds them any more either."""

    match: str

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.ImageMissing(match=self.match)

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        place.world.kubelet.images.forget(self.match)
        return await super().begin(place)


class RegistryAway(_Troubled, frozen=True, kw_only=True, tag="registry-away"):
    """No registry can be found by name."""

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.RegistryAway()


class RegistrySlow(_Troubled, frozen=True, kw_only=True, tag="registry-slow"):
    """What is pulled takes `factor` times as long."""

    factor: Positive

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.RegistrySlow(factor=self.factor)


class ModelMissing(_Troubled, frozen=True, kw_only=True, tag="model-missing"):
    """The model registry lacks models whose name contains `match`."""

    match: str

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.ModelMissing(match=self.match)


class VolumeFull(_Troubled, frozen=True, kw_only=True, tag="volume-full"):
    """The volume of a hosted model's weights is full."""

    namespace: str
    name: str

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.VolumeFull(namespace=self.namespace, name=self.name)


class EngineCrash(_Troubled, frozen=True, kw_only=True, tag="engine-crash"):
    """A hosted model's engine is killed for its memory, `after` seconds into each run."""

    namespace: str
    name: str
    after: Positive = 5.0

    def trouble(self) -> world.Trouble:
        """See _Troubled."""
        return world.EngineCrash(namespace=self.namespace, name=self.name, after=self.after)


class PodsDeleted(Fault, frozen=True, kw_only=True, tag="pods-deleted"):
    """Somebody deletes a hosted model's pods; with `weights` its weights are lost as well. New pods come alone."""

    namespace: str
    name: str
    weights: bool = False

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        cluster, kubelet = place.world.cluster, place.world.kubelet
        model = world.OfModel(namespace=self.namespace, name=self.name)
        for pod in cluster.list("pods", self.namespace):
            if not model.pod(pod):
                continue
            if self.weights:
                kubelet.volumes.empty(pod)
            cluster.delete("pods", pod, grace_seconds=0)
        return _nothing


class QueueDeleted(Fault, frozen=True, kw_only=True, tag="queue-deleted"):
    """A KAI queue is taken away; running pods stay, new ones are never looked at."""

    queue: str

    async def begin(self, place: Place) -> Undo:
        """See Fault."""
        cluster = place.world.cluster
        found = cluster.get("queues", "", self.queue)
        if found is None:
            return _nothing
        meta = {key: found["metadata"][key] for key in ("name", "labels", "annotations") if key in found["metadata"]}
        again: dict[str, Any] = {key: found[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": meta}
        cluster.delete("queues", found)

        async def undo() -> None:
            if cluster.get("queues", "", self.queue) is None:
                cluster.create("queues", again, manager="helm")

        return undo


AnyFault = (
    SlowApi | BusyApi | HangingApi | TokenExpired | RightsTaken | WatchesCut | HistoryGone | ApiDown | NodeLost
    | CardLost | NodeDiskFull | ImageMissing | RegistryAway | RegistrySlow | ModelMissing | VolumeFull | EngineCrash
    | PodsDeleted | QueueDeleted
)  # fmt: skip


def kind_of(fault: Fault) -> str:
    """The tag of a fault: what it is called in a file."""
    return str(type(fault).__struct_config__.tag)


def _laid(place: Place, setting: Setting) -> Undo:
    place.api.lay(setting)

    async def undo() -> None:
        place.api.lift(setting)

    return undo


async def _nothing() -> None:
    """What happened once needs no undoing: the cluster's own controllers do it."""
