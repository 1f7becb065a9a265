"""What a cluster has and what is taken: the facts that plans, fits and explanations rest on.

`build` is pure: views of objects in, `ClusterFacts` out. `facts` reads the live cache, which never waits; `current`
waits first, for those who need a full answer. What the viewer may not read is left out and said as unknown
(`namespaces=None`, `gpu_sharing=None`), never as empty.

KAI counts as present when its Queue kind is served and there is a queue or a scheduler Deployment (the kinds alone stay
behind when KAI is uninstalled); where queues may not be listed, the kind is all there is to go by. Whether fractions
work is decided on evidence, in this order: `kai-config`; the flags of the admission Deployment (on by its flag only);
pods that share a card now. Otherwise it is unknown, and the server-side dry run of a pod settles it
(`models.preflight`).
"""

from __future__ import annotations

import sys
import weakref
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from sealane.fleet import Cluster
from sealane.fleet.views import View, announce
from sealane.gpus import cards, views
from sealane.gpus.facts import ClusterFacts, Node, Queue
from sealane.kube import resources

KINDS = (
    resources.NODES,
    resources.PODS,
    resources.NAMESPACES,
    resources.DEPLOYMENTS,
    resources.STORAGECLASSES,
    resources.QUEUES,
    views.KAI_CONFIGS,
)
"""The kinds that the facts are made of."""

KAI_NAMESPACE = "kai-scheduler"
_SHARING_FLAG = "--gpu-sharing-enabled"
_MADE: weakref.WeakKeyDictionary[Cluster, tuple[object, ClusterFacts]] = weakref.WeakKeyDictionary()
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MANAGED_BY = "app.kubernetes.io/managed-by"


class PodUse(msgspec.Struct, frozen=True, gc=False):
    """What one pod takes of its node: cores and bytes. `pod` is kept only where cards are concerned: of a hundred
    thousand pods, what is not counted must not be held."""

    node: str
    cpu: float
    memory: float
    shares: bool = False
    pod: views.PodView | None = None


def pod_use(pod: views.PodView) -> PodUse | None:
    """What to keep of a pod; None when it takes nothing: not placed, or finished."""
    shares = bool(cards.groups(pod))
    if not pod.spec.node_name or pod.status.phase in {"Succeeded", "Failed"}:
        return PodUse("", 0.0, 0.0, shares=True) if shares else None
    kept = cards.about_cards(pod) if shares or cards.whole_devices(pod) else None
    return PodUse(sys.intern(pod.spec.node_name), *_requests(pod), shares, kept)


PODS_VIEW: View[PodUse] = View(views.PodView, pod_use)
announce(resources.PODS, PODS_VIEW)


class Objects(msgspec.Struct, frozen=True, kw_only=True):
    """All that `build` reads. `namespaces` is None where listing them is forbidden; `nodes_known`, `queues_known` and
    `pods_known` are False there, the last also where pods of some namespaces alone may be listed."""

    nodes: Sequence[views.NodeView] = ()
    pods: Sequence[PodUse] = ()
    queues: Sequence[views.QueueView] = ()
    queues_served: bool = False
    deployments: Sequence[views.DeploymentView] = ()
    storage_classes: Sequence[views.StorageClassView] = ()
    configs: Sequence[views.ConfigView] = ()
    namespaces: Sequence[str] | None = None
    nodes_known: bool = True
    queues_known: bool = True
    pods_known: bool = True


def facts(cluster: Cluster) -> ClusterFacts:
    """The facts as of now, from the cache; nothing is waited for. Kinds not watched yet begin to be. They are made anew
    only when something that they rest on changed."""
    state = (
        cluster.version,
        cluster.serves(resources.QUEUES),
        *((cluster.revision(kind), cluster.freshness(kind).state == "forbidden") for kind in KINDS),
        cluster.reads(resources.PODS) is None,
    )
    held = _MADE.get(cluster)
    if held is None or held[0] != state:
        held = _MADE[cluster] = (state, _read(cluster))
    return held[1]


def _read(cluster: Cluster) -> ClusterFacts:

    def allowed(kind: resources.Resource) -> bool:
        return cluster.freshness(kind).state != "forbidden"

    return build(
        cluster.name,
        Objects(
            nodes=cluster.views(resources.NODES, views.NodeView),
            pods=cluster.views(resources.PODS, PODS_VIEW),
            queues=cluster.views(resources.QUEUES, views.QueueView),
            queues_served=bool(cluster.serves(resources.QUEUES)),
            deployments=cluster.views(resources.DEPLOYMENTS, views.DeploymentView),
            storage_classes=cluster.views(resources.STORAGECLASSES, views.StorageClassView),
            configs=cluster.views(views.KAI_CONFIGS, views.ConfigView),
            namespaces=[header.name for header in cluster.headers(resources.NAMESPACES)]
            if allowed(resources.NAMESPACES)
            else None,
            nodes_known=allowed(resources.NODES),
            queues_known=allowed(resources.QUEUES),
            pods_known=allowed(resources.PODS) and cluster.reads(resources.PODS) is None,
        ),
        version=cluster.version,
        sandbox=cluster.sandbox,
    )


async def current(cluster: Cluster, *, timeout: float = 10.0) -> ClusterFacts:
    """The facts, once every kind has been read or is known to be forbidden. Raises fleet.ClusterUnavailable."""
    await cluster.synced(*KINDS, timeout=timeout)
    facts(cluster)  # a view that is read for the first time may have to catch up
    await cluster.synced(*KINDS, timeout=timeout)
    return facts(cluster)


def build(name: str, objects: Objects, *, version: str = "", sandbox: bool = False) -> ClusterFacts:
    """Everything that a decision about one cluster may rest on. Pure."""
    on_node: dict[str, list[PodUse]] = defaultdict(list)
    for use in objects.pods:
        on_node[use.node].append(use)
    nodes = tuple(_node(node, on_node[node.metadata.name]) for node in objects.nodes)
    regions = sorted({node.region for node in nodes if node.region})
    return ClusterFacts(
        name=name,
        version=version,
        kai=_kai(objects),
        gpu_sharing=_gpu_sharing(objects),
        region=", ".join(regions),
        nodes=nodes,
        queues=queues_of(objects.queues),
        namespaces=None if objects.namespaces is None else tuple(sorted(objects.namespaces)),
        storage_class=_default_class(objects.storage_classes),
        deployments=tuple(
            (each.metadata.namespace, each.metadata.name, each.metadata.label(_MANAGED_BY))
            for each in objects.deployments
        ),
        sandbox=sandbox,
        nodes_known=objects.nodes_known,
        queues_known=objects.queues_known,
        pods_known=objects.pods_known,
    )


def _node(node: views.NodeView, pods: Sequence[PodUse]) -> Node:
    meta, allocatable = node.metadata, node.status.allocatable or {}
    memory_label = meta.label("nvidia.com/gpu.memory")
    memory_mib = int(cards.number(memory_label)) or None
    count = int(cards.number(allocatable.get(cards.GPU, "0")))
    cpu = cards.number(allocatable.get("cpu", "0")) - sum(use.cpu for use in pods)
    memory = cards.number(allocatable.get("memory", "0")) - sum(use.memory for use in pods)
    return Node(
        name=meta.name,
        ready=any(each.type == "Ready" and each.status == "True" for each in node.status.conditions or ()),
        schedulable=not node.spec.unschedulable,
        product=meta.label("nvidia.com/gpu.product"),
        memory_mib=memory_mib,
        cards=cards.seats(count, [use.pod for use in pods if use.pod is not None], memory_mib=memory_mib),
        region=meta.label("topology.kubernetes.io/region"),
        zone=meta.label("topology.kubernetes.io/zone"),
        cpu_free=round(max(0.0, cpu), 3),
        memory_free=max(0, int(memory)),
        taints=tuple(_taint(taint) for taint in node.spec.taints or ()),
    )


def _taint(taint: views.Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def _requests(pod: views.PodView) -> tuple[float, float]:
    """CPU (cores) and memory (bytes) as the scheduler counts them: the sum over containers, or the largest init
    container (a limit stands in for a missing request, as the API server's defaulting does)."""
    cpu = memory = 0.0
    for container in pod.spec.containers:
        cpu += _asked(container, "cpu")
        memory += _asked(container, "memory")
    for container in pod.spec.init_containers or ():
        cpu = max(cpu, _asked(container, "cpu"))
        memory = max(memory, _asked(container, "memory"))
    return cpu, memory


def _asked(container: views.Container, resource: str) -> float:
    found = (container.resources.requests or {}).get(resource) or (container.resources.limits or {}).get(resource)
    return cards.number(found) if found else 0.0


def queues_of(found: Sequence[views.QueueView]) -> tuple[Queue, ...]:
    """KAI's queues in devices; children are those that name the parent and those that the parent's status names."""
    children: dict[str, set[str]] = defaultdict(set)
    for queue in found:
        if queue.spec.parent_queue:
            children[queue.spec.parent_queue].add(queue.metadata.name)
        children[queue.metadata.name].update((queue.status.child_queues if queue.status else None) or ())
    return tuple(_queue(queue, tuple(sorted(children[queue.metadata.name]))) for queue in found)


def _queue(queue: views.QueueView, children: tuple[str, ...]) -> Queue:
    gpu = (queue.spec.resources or views.QueueResources()).gpu
    status = queue.status or views.QueueStatus()
    return Queue(
        name=queue.metadata.name,
        parent=queue.spec.parent_queue,
        quota=None if gpu.quota == -1 else gpu.quota,
        limit=None if gpu.limit == -1 else gpu.limit,
        weight=gpu.over_quota_weight,
        allocated=cards.number((status.allocated or {}).get(cards.GPU, "0")),
        allocated_non_preemptible=cards.number((status.allocated_non_preemptible or {}).get(cards.GPU, "0")),
        requested=cards.number((status.requested or {}).get(cards.GPU, "0")),
        children=children,
    )


def _kai_deployments(deployments: Iterable[views.DeploymentView]) -> list[views.DeploymentView]:
    return [each for each in deployments if each.metadata.namespace == KAI_NAMESPACE]


def _kai(objects: Objects) -> bool:
    if not objects.queues_served:
        return False
    schedulers = [each for each in _kai_deployments(objects.deployments) if "scheduler" in each.metadata.name]
    return bool(objects.queues or schedulers or not objects.queues_known)


def _gpu_sharing(objects: Objects) -> bool | None:
    for config in objects.configs:
        if config.spec.admission is not None and config.spec.admission.gpu_sharing is not None:
            return config.spec.admission.gpu_sharing
    for deployment in _kai_deployments(objects.deployments):
        if "admission" in deployment.metadata.name:
            return _flag(deployment.spec.template.spec.containers)
    if any(use.shares for use in objects.pods):
        return True
    return None


def _flag(containers: Sequence[views.Container]) -> bool:
    """The value of the admission's flag; without it KAI's own default holds, which is off."""
    for container in containers:
        words = [*(container.command or ()), *(container.args or ())]
        for word, following in zip(words, [*words[1:], ""], strict=True):
            if word == _SHARING_FLAG:
                return following.lower() not in {"false", "0", "f"}
            if word.startswith(f"{_SHARING_FLAG}="):
                return word.partition("=")[2].lower() in {"true", "1", "t"}
    return False


def _default_class(found: Sequence[views.StorageClassView]) -> str:
    return next((each.metadata.name for each in found if each.metadata.annotation(_DEFAULT_CLASS) == "true"), "")
