"""The world behind the three simulated API servers: seeds, controllers, schedulers and kubelets of each cluster.

`build` seeds at once and starts nothing; `World.run` lets everything act until it is cancelled. While the seeds come
up nothing takes time (`Cluster.warm`), so that the first look at the sandbox already has models that answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sealane.sandbox.world import objects, runner, seeds
from sealane.sandbox.world.admission import Admission
from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.controllers.autoscaler import AutoscalerController
from sealane.sandbox.world.controllers.cronjob import CronJobController
from sealane.sandbox.world.controllers.deployment import DeploymentController
from sealane.sandbox.world.controllers.disruption import DisruptionController
from sealane.sandbox.world.controllers.endpoints import EndpointsController
from sealane.sandbox.world.controllers.events import EventKeeper
from sealane.sandbox.world.controllers.garbage import GarbageCollector
from sealane.sandbox.world.controllers.job import JobController
from sealane.sandbox.world.controllers.namespaces import NamespaceController
from sealane.sandbox.world.controllers.nodes import NodeController
from sealane.sandbox.world.controllers.quota import QuotaController
from sealane.sandbox.world.controllers.replicaset import ReplicaSetController
from sealane.sandbox.world.controllers.roles import ClusterRoleAggregator
from sealane.sandbox.world.controllers.volumes import VolumeController
from sealane.sandbox.world.controllers.workloads import DaemonSetController, StatefulSetController
from sealane.sandbox.world.kubelet.backend import Backend
from sealane.sandbox.world.kubelet.kubelet import Kubelet
from sealane.sandbox.world.metering import Meter
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.scheduler.accounts import Accounts
from sealane.sandbox.world.scheduler.binder import ReservationKeeper
from sealane.sandbox.world.scheduler.default import DefaultScheduler
from sealane.sandbox.world.scheduler.grouper import PodGrouper
from sealane.sandbox.world.scheduler.kai import KaiScheduler

_WARM_ROUNDS = 300
_WARM_STEP = 0.05
_WARM_STILL = 4
_WORKLOADS = ("deployments", "daemonsets", "statefulsets", "jobs")


class ClusterWorld:
    """Everything that acts in one cluster."""

    def __init__(self, cluster: Cluster, *, plan: dict[str, Any], root_ca: str) -> None:
        kai = bool(plan["kai"])
        self.cluster = cluster
        self.fresh = False
        self.warmed_up = asyncio.Event()
        self._plan = plan
        self.nodes = NodeController(cluster)
        self.kubelet = Kubelet(cluster, silent=self.nodes.silent)
        self.backend = Backend(self.kubelet)
        self.meter = Meter(cluster, self.kubelet, silent=self.nodes.silent)
        self.admission = Admission(cluster, kai=kai)
        cluster.admit = self.admission
        self.controllers: list[runner.Controller] = [
            self.nodes,
            NamespaceController(cluster, contents=self._contents, root_ca=root_ca),
            VolumeController(cluster, gone=self.kubelet.volumes.forget_claim),
            DeploymentController(cluster),
            ReplicaSetController(cluster),
            StatefulSetController(cluster),
            DaemonSetController(cluster),
            JobController(cluster),
            CronJobController(cluster),
            DisruptionController(cluster),
            AutoscalerController(cluster, self.meter),
            EndpointsController(cluster),
            QuotaController(cluster),
            ClusterRoleAggregator(cluster),
            EventKeeper(cluster),
            GarbageCollector(cluster),
            DefaultScheduler(cluster),
            self.kubelet,
        ]
        if kai:
            self.controllers += [
                PodGrouper(cluster),
                KaiScheduler(cluster),
                ReservationKeeper(cluster),
                Accounts(cluster),
            ]

    async def run(self) -> None:
        """Act until cancelled; begins with a warm-up in which nothing takes time."""
        self.cluster.warm = True
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run(self.cluster, self.controllers), name=f"controllers {self.cluster.name}")
            group.create_task(self._warm_up(), name=f"warm-up {self.cluster.name}")

    async def _warm_up(self) -> None:
        """Warm until all pods have come to rest and nothing has changed for a while, within a bound (real seconds)."""
        still, before = 0, -1
        for _ in range(_WARM_ROUNDS):
            await self.cluster.clock.sleep(_WARM_STEP * self.cluster.clock.speed)
            pods = self.cluster.list("pods")
            begun = bool(pods) or not any(self.cluster.list(plural) for plural in _WORKLOADS)
            resting = begun and all(_rests(pod) for pod in pods)
            still = still + 1 if resting and len(pods) == before else 0
            before = len(pods)
            if still >= _WARM_STILL:
                break
        if self.fresh:
            seeds.plant_late(self.cluster, self._plan)
        self.cluster.warm = False
        self.warmed_up.set()

    def _contents(self) -> Sequence[str]:
        registry = self.cluster.store.kinds
        names = [kind.plural for kind in registry if kind.namespaced and "list" in kind.verbs]
        for kind in registry:
            self.cluster.learn(kind)
        return [name for name in dict.fromkeys(names) if name != "events"] + ["events"]


def _rests(pod: Obj) -> bool:
    """Whether the pod is where it will stay: ready, finished, or told why it cannot start."""
    scheduled = objects.condition(pod, "PodScheduled")
    refused = scheduled is not None and scheduled["status"] == "False"
    return objects.ready(pod) or refused or pod.get("status", {}).get("phase") in objects.FINISHED


class World:
    """All clusters. `admit` is the API side's hook; `pods` gives what stands behind a cluster's pods."""

    def __init__(self, clusters: Mapping[str, ClusterWorld]) -> None:
        self.clusters = dict(clusters)

    async def run(self) -> None:
        """Let every cluster act until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, cluster in self.clusters.items():
                group.create_task(cluster.run(), name=f"world {name}")

    async def ready(self) -> None:
        """Return once every cluster's seeds have come up: the moment to tell people that the sandbox is there."""
        for cluster in self.clusters.values():
            await cluster.warmed_up.wait()

    def pods(self, cluster: str) -> Backend:
        """The PodBackend of a cluster."""
        return self.clusters[cluster].backend

    def measure(self, cluster: str) -> Meter:
        """What measures the pods and nodes of a cluster."""
        return self.clusters[cluster].meter

    def admit(self, cluster: str, verb: str, kind: Any, obj: Obj) -> Obj:
        """What the API server asks before it stores `obj` (changed in place). Raises AdmissionDenied(message, code)."""
        plural = kind if isinstance(kind, str) else str(kind.plural)
        return self.clusters[cluster].admission(verb, plural, obj)

    def warnings(self, cluster: str, plural: str, obj: Obj) -> list[str]:
        """What admission says beside the answer to a write of `obj`."""
        return self.clusters[cluster].admission.warnings(plural, obj)


def build(
    store_of: Mapping[str, Any],
    clock: SandboxClock,
    *,
    root_ca_of: Mapping[str, str] | None = None,
    seed: bool = True,
) -> World:
    """The world of these stores, by cluster name (`harbor-eu`, `atlas-us`, `bench`), seeded unless told otherwise."""
    worlds: dict[str, ClusterWorld] = {}
    for name, store in store_of.items():
        plan = seeds.data(name)
        cluster = Cluster(name, store=store, find=store.kinds.find, clock=clock)
        worlds[name] = ClusterWorld(cluster, plan=plan, root_ca=(root_ca_of or {}).get(name, ""))
        worlds[name].fresh = seed and seeds.plant(cluster, plan)
    return World(worlds)
