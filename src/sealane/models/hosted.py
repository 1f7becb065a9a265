"""What is hosted, read from the clusters themselves: Deployments that carry our label, with the stage of each.

Kubernetes is the database; there is no list of ours that could disagree with it. `snapshot` reads the live cache and
asks nobody; `read` waits for the cache and asks the engines once, for commands that do not stay. The observer keeps
the same picture up to date for those that do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from sealane.fleet import Cluster, Fleet
from sealane.gpus import inventory
from sealane.gpus.views import QueueView
from sealane.kube import resources
from sealane.lib import text
from sealane.lib.errors import NextStep, SealaneError, UsageError
from sealane.models import engine, shares, stages
from sealane.models.engines import ollama
from sealane.models.labels import ENGINE_ANNOTATION, MANAGED_BY, MANAGER, QUEUE_LABEL, SHARE_ANNOTATION, selection
from sealane.models.stage_views import (
    DeploymentView,
    EngineFacts,
    EventView,
    PodGroupView,
    PodView,
    QueueFact,
    Snapshot,
    Volume,
    readable,
)
from sealane.models.types import Hosted, KvType, ModelSpec, Share, Stage, Storage

KINDS = (
    resources.DEPLOYMENTS,
    resources.REPLICASETS,
    resources.PODS,
    resources.EVENTS,
    resources.PODGROUPS,
    resources.QUEUES,
)
"""The kinds that stages are read from."""

NOISE = frozenset({"PodGrouperWarning"})
"""Reasons of events that say nothing: KAI's grouper warns of its own retried writes on nearly every new pod."""

OURS: Mapping[str, str] = {MANAGED_BY: MANAGER}


class Key(msgspec.Struct, frozen=True, order=True):
    """Which hosted model: its cluster, namespace and Deployment's name."""

    cluster: str
    namespace: str
    name: str


class NotHosted(SealaneError):
    """No hosted model of that name (HTTP 404); the nearest names are in the sentence."""

    code = "model-not-hosted"
    http_status = 404


def deployments(cluster: Cluster) -> Iterator[DeploymentView]:
    """Our Deployments in a cluster, by namespace and name."""
    for found in readable(cluster.list(resources.DEPLOYMENTS, labels=OURS), DeploymentView):
        if found.model:
            yield found


def deployment_of(cluster: Cluster, namespace: str, name: str) -> DeploymentView | None:
    """Our Deployment of that name, or None; somebody else's does not count."""
    obj = cluster.get(resources.DEPLOYMENTS, namespace, name)
    found = next(readable([obj] if obj else [], DeploymentView), None)
    return found if found is not None and is_ours(found) else None


def selector(name: str) -> str:
    """What selects every object and every pod of the model `name`."""
    return ",".join(f"{label}={value}" for label, value in selection(name).items())


def is_ours(deployment: DeploymentView) -> bool:
    """Whether Sealane made it, and for a model."""
    return deployment.metadata.label(MANAGED_BY) == MANAGER and bool(deployment.model)


def _hidden(cluster: Cluster, namespace: str) -> bool:
    """Whether pods may not be read there: the rights say so, or the watches do without that namespace."""
    read = cluster.reads(resources.PODS)
    unread = read is not None and namespace not in read
    return unread or cluster.may("list", resources.PODS, namespace).answer == "no"


def picture(
    cluster: Cluster, namespace: str, name: str, *, engines: Mapping[str, EngineFacts] | None = None
) -> Snapshot:
    """Everything that the stage of one model is read from, as the cache has it now."""
    deployment = deployment_of(cluster, namespace, name)
    pods = _pods(cluster, deployment)
    about = [deployment.metadata.uid, *_replicasets(cluster, deployment)] if deployment else []
    about += [pod.metadata.uid for pod in pods]
    return Snapshot(
        cluster=cluster.name,
        namespace=namespace,
        name=name,
        now=cluster.now(),
        deployment=deployment,
        pods=tuple(pods),
        pods_hidden=_hidden(cluster, namespace),
        events=tuple(
            event
            for uid in about
            for event in readable(cluster.linked(resources.EVENTS, uid), EventView)
            if event.reason not in NOISE
        ),
        pod_groups=tuple(
            group
            for pod in pods
            if not pod.spec.node_name
            for group in readable(cluster.linked(resources.PODGROUPS, pod.metadata.uid), PodGroupView)
        ),
        queues=_queues(cluster),
        engines=dict(engines or {}),
    )


def _replicasets(cluster: Cluster, deployment: DeploymentView) -> list[str]:
    return [obj["metadata"]["uid"] for obj in cluster.linked(resources.REPLICASETS, deployment.metadata.uid)]


def _pods(cluster: Cluster, deployment: DeploymentView | None) -> list[PodView]:
    if deployment is None:
        return []
    owners = _replicasets(cluster, deployment)
    return [pod for uid in owners for pod in readable(cluster.linked(resources.PODS, uid), PodView)]


def _queues(cluster: Cluster) -> tuple[QueueFact, ...] | None:
    if cluster.freshness(resources.QUEUES).state not in {"live", "reconnecting", "stale"}:
        return None
    found = inventory.queues_of(cluster.views(resources.QUEUES, QueueView))
    return tuple(QueueFact(name=queue.name, leaf=queue.leaf) for queue in found)


def row(cluster: str, deployment: DeploymentView, stage: Stage) -> Hosted:
    """One line of `sealane models`."""
    meta = deployment.metadata
    return Hosted(
        cluster=cluster,
        namespace=meta.namespace,
        name=meta.name,
        model=deployment.model,
        engine=_said(deployment, ENGINE_ANNOTATION) or "ollama",
        stage=stage.stage,
        copies=deployment.spec.replicas,
        ready=deployment.status.ready_replicas,
        share=_said(deployment, SHARE_ANNOTATION) or "0",
        queue=meta.label(QUEUE_LABEL),
        endpoint=f"http://{meta.name}.{meta.namespace}:{ollama.PORT}",
        sentence=stage.sentence,
        context=_number(deployment.env("OLLAMA_CONTEXT_LENGTH")),
    )


def _said(deployment: DeploymentView, key: str) -> str:
    """What we wrote about a Deployment: as an annotation, or as a label in older objects."""
    return deployment.metadata.annotation(key) or deployment.metadata.label(key)


def _number(digits: str, *, otherwise: int = 0) -> int:
    """What a Deployment says; anybody with a namespace writes it."""
    return int(digits) if digits.isdecimal() and len(digits) < 10 else otherwise


def spec_of(cluster: str, deployment: DeploymentView) -> ModelSpec:
    """The wish that a live Deployment stands for, so that a knob is a changed wish planned again."""
    meta, pod = deployment.metadata, deployment.spec.template.spec
    volumes = pod.volumes or []
    kv = deployment.env("OLLAMA_KV_CACHE_TYPE")
    return ModelSpec(
        model=deployment.model,
        cluster=cluster,
        namespace=meta.namespace,
        name=meta.name,
        engine="ollama",
        share=_share(_said(deployment, SHARE_ANNOTATION)),
        queue=meta.label(QUEUE_LABEL),
        copies=deployment.spec.replicas,
        context=_number(deployment.env("OLLAMA_CONTEXT_LENGTH"), otherwise=8192),
        parallel=_number(deployment.env("OLLAMA_NUM_PARALLEL"), otherwise=1),
        kv=cast(KvType, kv if kv in {"f16", "q8_0", "q4_0"} else "f16"),
        keep_weights=any(volume.persistent_volume_claim or volume.ephemeral for volume in volumes),
        storage=_storage(volumes),
        insecure_registry="--insecure" in deployment.env("SEALANE_PULL_FLAGS"),
        registry_secret=next((volume.secret.secret_name for volume in volumes if volume.secret), ""),
    )


def _storage(volumes: Sequence[Volume]) -> Storage:
    if any(volume.persistent_volume_claim for volume in volumes):
        return "claim"
    return "each" if any(volume.ephemeral for volume in volumes) else "empty"


def _share(said: str) -> Share:
    with contextlib.suppress(SealaneError):
        return shares.parse(said)
    return Share(devices=0)


def snapshot(fleet: Fleet, *, engines: Mapping[Key, Mapping[str, EngineFacts]] | None = None) -> list[Hosted]:
    """All hosted models, from the cache as it is; clusters that never answered contribute nothing."""
    found: list[Hosted] = []
    for cluster in fleet.clusters.values():
        for deployment in deployments(cluster):
            key = Key(cluster.name, deployment.metadata.namespace, deployment.metadata.name)
            told = (engines or {}).get(key)
            stage = stages.stage_of(picture(cluster, key.namespace, key.name, engines=told))
            found.append(row(cluster.name, deployment, stage))
    return found


async def read(fleet: Fleet, *, namespace: str = "", timeout: float = 10.0) -> list[Hosted]:
    """All hosted models, once the clusters answered and the engines of ready pods were asked. Clusters that do not
    answer within `timeout` seconds are left out; `fleet.clusters` says why. `namespace` is one that is known by name:
    whoever may not list a cluster's Deployments sees those of such namespaces only."""
    for cluster in fleet.clusters.values():
        cluster.hint(namespace)
    reachable = [cluster for cluster in await _settled(fleet, timeout) if cluster is not None]
    asked: dict[Key, dict[str, EngineFacts]] = {}
    async with asyncio.TaskGroup() as group:
        for cluster in reachable:
            for deployment in deployments(cluster):
                key = Key(cluster.name, deployment.metadata.namespace, deployment.metadata.name)
                told = asked.setdefault(key, {})
                for pod in _pods(cluster, deployment):
                    if pod.ready and not pod.leaving:
                        name = f"ask {key.cluster}/{pod.metadata.name}"
                        group.create_task(_ask(cluster, pod, deployment.model, told), name=name)
    return snapshot(fleet, engines=asked)


async def _settled(fleet: Fleet, timeout: float) -> list[Cluster | None]:
    async def settle(cluster: Cluster) -> Cluster | None:
        with contextlib.suppress(SealaneError):
            await cluster.synced(*KINDS, timeout=timeout)
            return cluster
        return None

    return list(await asyncio.gather(*(settle(cluster) for cluster in fleet.clusters.values())))


async def ask_engines(cluster: Cluster, namespace: str, name: str) -> dict[str, EngineFacts]:
    """One look at the engine of each ready copy of a model, by pod name."""
    found: dict[str, EngineFacts] = {}
    deployment = deployment_of(cluster, namespace, name)
    if deployment is not None:
        ready = [pod for pod in _pods(cluster, deployment) if pod.ready and not pod.leaving]
        await asyncio.gather(*(_ask(cluster, pod, deployment.model, found) for pod in ready))
    return found


async def _ask(cluster: Cluster, pod: PodView, model: str, into: dict[str, EngineFacts]) -> None:
    """One look at one engine; what it does not tell stays unknown."""
    asked = engine.Engine(cluster.client, pod.metadata.name, namespace=pod.metadata.namespace)
    with contextlib.suppress(SealaneError):
        try:
            if any(engine.same(each.name, model) for each in await asked.loaded()):
                into[pod.metadata.name] = EngineFacts(loaded=True)
            elif any(engine.same(tag, model) for tag in await asked.tags()):
                into[pod.metadata.name] = EngineFacts(stored=True)
        except engine.EngineClosed:
            into[pod.metadata.name] = EngineFacts(closed=True)


def find(fleet: Fleet, name: str, *, cluster: str = "", namespace: str = "") -> Key:
    """The one hosted model of that name, or of that tag, in the cache. Raises NotHosted with the nearest names, and
    UsageError when several clusters or namespaces have it and none was given."""
    keys: list[Key] = []
    known: list[str] = []
    for each in fleet.clusters.values():
        for deployment in deployments(each):
            meta = deployment.metadata
            known.append(meta.name)
            if (
                name in {meta.name, deployment.model}
                and cluster in {"", each.name}
                and namespace in {"", meta.namespace}
            ):
                keys.append(Key(each.name, meta.namespace, meta.name))
    if len(keys) == 1:
        return keys[0]
    if keys:
        places = text.listing((f"{key.cluster} {key.namespace}/{key.name}" for key in sorted(keys)), word="and")
        raise UsageError(
            f"{name} is hosted {len(keys)} times: {places}. Say which.",
            next_steps=(
                NextStep(title="Name the place", command=f"--cluster {keys[0].cluster} -n {keys[0].namespace}"),
            ),
        )
    raise not_hosted(Key(cluster, namespace, name), known)


def not_hosted(key: Key, known: list[str]) -> NotHosted:
    """The error for a model that is not there."""
    close = text.nearest(key.name, known)
    hint = f" Did you mean {text.listing(close, word='or')}?" if close else ""
    where = f" in {text.listing(part for part in (key.namespace, key.cluster) if part)}" if key.cluster else ""
    return NotHosted(
        f"No model {key.name} is hosted{where}.{hint}",
        next_steps=(NextStep(title="See what is hosted", command="sealane models"),),
    )


def managed_pods(cluster: Cluster) -> Iterator[tuple[DeploymentView, PodView]]:
    """Every pod of every hosted model of a cluster, with its Deployment."""
    for deployment in deployments(cluster):
        for pod in _pods(cluster, deployment):
            yield deployment, pod
