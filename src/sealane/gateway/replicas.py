"""Replicas as the fleet's live cache shows them: every ready pod that Sealane's labels and annotations say serves a
model.

Kubernetes is the database: what is here survives a restart of Sealane, and a pod that is being deleted is out of the
routes before its engine has stopped. A pod is reached by its address from inside its own cluster, and through the API
server's pod proxy from anywhere else, with the user's own rights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from sealane.fleet.cluster import Cluster
from sealane.fleet.registry import Fleet
from sealane.fleet.subscriptions import touches
from sealane.gateway import upstream
from sealane.gateway.pod_proxy import PodProxy
from sealane.gateway.routes import Replica, Routes, routes_of
from sealane.gateway.settings import Settings
from sealane.gateway.upstream import Upstream
from sealane.kube import config
from sealane.kube.resources import DEPLOYMENTS, PODS
from sealane.lib import text
from sealane.models.engines.ollama import PORT
from sealane.models.labels import MANAGED_BY, MANAGER, MODEL_ANNOTATION, NAME_LABEL
from sealane.models.reference import is_name
from sealane.models.stage_views import ENGINE_CONTAINER

MANAGED = {MANAGED_BY: MANAGER}
_NUMBER = re.compile(r"[0-9]{1,9}")
_OUT = frozenset({"unreachable", "unauthorized"})

Object = Mapping[str, Any]
Place = tuple[str, str, str, str]  # cluster, namespace, name, model


class FleetReplicas:
    """A ReplicaSource over a fleet. Enter the fleet first; `run` follows its changes."""

    def __init__(self, fleet: Fleet, *, settings: Settings | None = None) -> None:
        self._fleet = fleet
        self._settings = settings or Settings()
        self._session: aiohttp.ClientSession | None = None
        self._addresses: dict[str, tuple[str, int]] = {}  # replica id → pod IP, port
        inside = config.in_cluster()
        self._inside = inside.server if inside is not None else ""
        self.routes = Routes()

    @property
    def ready(self) -> bool:
        """Whether any cluster has been read, or has said why it cannot be: a slow one holds up none of the others."""
        clusters = self._fleet.clusters.values()
        return not clusters or any(_settled(cluster) for cluster in clusters)

    def reach(self, replica: Replica) -> Upstream:
        """See ReplicaSource."""
        cluster = self._fleet.clusters.get(replica.cluster)
        address, port = self._addresses.get(replica.id, ("", PORT))
        if address and self._inside and cluster is not None and cluster.context.server == self._inside:
            if self._session is None:
                self._session = upstream.session(connect=self._settings.connect)
            host = f"[{address}]" if ":" in address else address
            return upstream.Direct(self._session, f"http://{host}:{port}")
        return PodProxy(lambda: self._fleet.cluster(replica.cluster).client, replica, port=port)

    async def run(self) -> None:
        """See ReplicaSource."""
        subscription = self._fleet.subscribe(kinds=(PODS, DEPLOYMENTS))
        try:
            async for batch in subscription:
                if touches(batch, PODS, DEPLOYMENTS) or any(kind is None for _, kind in batch):
                    self.rebuild()
        finally:
            subscription.close()
            if self._session is not None:
                session, self._session = self._session, None
                await session.close()

    def rebuild(self) -> None:
        """Read the caches anew; `routes` becomes a new object only when something changed."""
        replicas: list[Replica] = []
        waiting: dict[Place, str] = {}
        addresses: dict[str, tuple[str, int]] = {}
        for cluster in self._fleet.clusters.values():
            deployments = {
                (_meta(d).get("namespace", ""), _meta(d).get("name", "")): d
                for d in cluster.list(DEPLOYMENTS, labels=MANAGED)
            }
            found = [] if cluster.state.state in _OUT else list(_ready_pods(cluster, deployments))
            for replica, address in found:
                replicas.append(replica)
                addresses[replica.id] = address
            waiting.update(_waiting(cluster, deployments))
        self._addresses = addresses
        routes = routes_of(replicas, waiting=waiting)
        if routes != self.routes:
            self.routes = routes


def _settled(cluster: Cluster) -> bool:
    if cluster.state.state == "connecting":
        return False
    return not cluster.state.answers or cluster.freshness(PODS).state != "loading"


def _ready_pods(
    cluster: Cluster, deployments: Mapping[tuple[str, str], Object]
) -> Iterator[tuple[Replica, tuple[str, int]]]:
    for pod in cluster.list(PODS, labels=MANAGED):
        meta, status = _meta(pod), pod.get("status") or {}
        namespace, name = meta.get("namespace", ""), (meta.get("labels") or {}).get(NAME_LABEL, "")
        model = _model(pod) or _model(deployments.get((namespace, name), {}))
        if not model or meta.get("deletionTimestamp") or not _is_ready(status):
            continue
        container = _engine(pod)
        replica = Replica(
            cluster=cluster.name,
            namespace=namespace,
            pod=meta["name"],
            name=name,
            model=model,
            context=_number(container, "OLLAMA_CONTEXT_LENGTH", 0),
            parallel=_number(container, "OLLAMA_NUM_PARALLEL", 1),
            uid=meta.get("uid", ""),
        )
        yield replica, (str(status.get("podIP") or ""), _port(container))


def _waiting(cluster: Cluster, deployments: Mapping[tuple[str, str], Object]) -> Iterator[tuple[Place, str]]:
    """Why a hosted model may have no replica. Used only for those that have none."""
    for (namespace, name), deployment in deployments.items():
        model = _model(deployment)
        if not model:
            continue
        wanted = (deployment.get("spec") or {}).get("replicas", 1)
        ready = (deployment.get("status") or {}).get("readyReplicas", 0)
        place = f"{namespace}/{name} in {cluster.name}"
        if cluster.state.state in _OUT:
            sentence = cluster.state.sentence
        elif not wanted:
            sentence = f"{place} is scaled to 0 copies."
        else:
            sentence = f"{ready} of {text.count(wanted, 'copy', 'copies')} of {place} answer."
        yield (cluster.name, namespace, name, model), sentence


def _meta(obj: Object) -> Mapping[str, Any]:
    return obj.get("metadata") or {}


def _model(obj: Object) -> str:
    """The tag that the annotation names, "" for what cannot be one."""
    said = str((_meta(obj).get("annotations") or {}).get(MODEL_ANNOTATION, ""))
    return said if is_name(said) else ""


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())


def _engine(pod: Object) -> Mapping[str, Any]:
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return next((c for c in containers if c.get("name") == ENGINE_CONTAINER), containers[0])


def _number(container: Mapping[str, Any], name: str, default: int) -> int:
    """What a pod says; anybody with a namespace writes it, so what is no reasonable number is not taken for one."""
    for variable in container.get("env") or ():
        if variable.get("name") == name and _NUMBER.fullmatch(str(variable.get("value", ""))):
            return int(variable["value"])
    return default


def _port(container: Mapping[str, Any]) -> int:
    ports = container.get("ports") or ()
    return next((int(p["containerPort"]) for p in ports if p.get("name") == "http"), PORT)
