"""Clusters side by side: each asked on its own, so one that does not answer holds up no other; and the way to
one's own."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors
from sealane.console.forms import read_form
from sealane.console.json import JSONResponse
from sealane.console.problems import Refused
from sealane.console.rows import Gpus, gpus_of, waits
from sealane.console.services import ClusterRow, ContextRow, Services, Sight
from sealane.console.views import Ask, Desk, View, services_of
from sealane.gpus.facts import Card, ClusterFacts, Node, Queue
from sealane.lib.errors import SealaneError


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One queue with a cell a device. `cells` are the ladder's classes, cut at 32."""

    cluster: str
    name: str
    parent: str
    quota: float | None
    limit: float | None
    allocated: float
    requested: float
    leaf: bool
    cells: tuple[str, ...]


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One node with its cards."""

    cluster: str
    name: str
    product: str
    memory_mib: int | None
    ready: bool
    schedulable: bool
    cards: tuple[Card, ...]
    use_known: bool = True


class ClusterColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster's facts; None where they are not known."""

    cluster: ClusterRow
    known: bool
    region: str
    nodes: int
    ready: int
    gpus: Gpus
    kai: bool
    sharing: bool | None
    queues: int
    models: int
    waiting: int
    nodes_known: bool = True
    queues_known: bool = True
    models_known: bool = True


class ClustersContext(msgspec.Struct, frozen=True, kw_only=True):
    """All clusters, their queues and cards; the kubeconfig's contexts, why they cannot be read, and why the clusters do
    not follow it as it is now."""

    clusters: tuple[ClusterColumn, ...]
    queues: tuple[QueueRow, ...]
    nodes: tuple[NodeRow, ...]
    contexts: tuple[ContextRow, ...]
    contexts_problem: SealaneError | None
    kubeconfig_problem: SealaneError | None
    switchable: bool
    sandbox: bool
    kubeconfig: str
    sights: tuple[Sight, ...]
    queues_hidden: tuple[str, ...]
    nodes_hidden: tuple[str, ...]


async def context(desk: Desk, ask: Ask) -> ClustersContext:
    """Every cluster, from memory; the kubeconfig from its file."""
    del ask
    services = desk.services
    await services.clusters.settle()
    facts = {fact.name: fact for fact in services.clusters.facts()}
    contexts, problem = _contexts(services)
    return ClustersContext(
        clusters=tuple(_column(services, row, facts.get(row.name)) for row in services.clusters.rows()),
        queues=tuple(_queue(fact.name, queue) for fact in facts.values() for queue in _tree(fact.queues)),
        nodes=tuple(_node(fact, node) for fact in facts.values() for node in fact.nodes if node.cards),
        contexts=contexts,
        contexts_problem=problem,
        kubeconfig_problem=services.switch.problem() if services.switch is not None else None,
        switchable=services.switch is not None,
        sandbox=services.settings.sandbox,
        kubeconfig=services.settings.kubeconfig,
        sights=tuple(services.rights.sights()),
        queues_hidden=tuple(fact.name for fact in facts.values() if not fact.queues_known),
        nodes_hidden=tuple(fact.name for fact in facts.values() if not fact.nodes_known or not fact.pods_known),
    )


def _contexts(services: Services) -> tuple[tuple[ContextRow, ...], SealaneError | None]:
    if services.switch is None:
        return (), None
    try:
        return tuple(services.switch.contexts()), None
    except SealaneError as error:
        return (), error


def _column(services: Services, row: ClusterRow, facts: ClusterFacts | None) -> ClusterColumn:
    hosted = [model for model in services.models.hosted() if model.cluster == row.name]
    nodes = facts.nodes if facts else ()
    hidden = next((sight for sight in services.rights.sights() if sight.cluster == row.name), None)
    return ClusterColumn(
        cluster=row,
        known=facts is not None,
        region=facts.region if facts else "",
        nodes=len(nodes),
        ready=sum(1 for node in nodes if node.ready),
        gpus=gpus_of(facts) if facts else Gpus(0, 0),
        kai=bool(facts and facts.kai),
        sharing=facts.gpu_sharing if facts else None,
        queues=len(facts.queues) if facts else 0,
        models=len(hosted),
        waiting=sum(1 for model in hosted if waits(model)),
        nodes_known=bool(facts and facts.nodes_known),
        queues_known=bool(facts and facts.queues_known),
        models_known=hidden is None or hidden.models == "all",
    )


def _tree(queues: Sequence[Queue]) -> list[Queue]:
    """Each queue followed by those below it; one whose parent is not there counts as a root."""
    names = {queue.name for queue in queues}
    found: list[Queue] = []

    def add(queue: Queue) -> None:
        if queue in found:
            return
        found.append(queue)
        for child in sorted((item for item in queues if item.parent == queue.name), key=lambda item: item.name):
            add(child)

    for root in sorted(queues, key=lambda item: item.name):
        if root.parent not in names:
            add(root)
    for left in queues:  # queues that name each other as parents have no root; they are listed all the same
        add(left)
    return found


def _queue(cluster: str, queue: Queue) -> QueueRow:
    return QueueRow(
        cluster=cluster,
        name=queue.name,
        parent=queue.parent,
        quota=queue.quota,
        limit=queue.limit,
        allocated=queue.allocated,
        requested=queue.requested,
        leaf=queue.leaf,
        cells=_cells(queue),
    )


def _cells(queue: Queue) -> tuple[str, ...]:
    """One cell a device: own, borrowed beyond the quota, guaranteed but free, free up to the limit; then the limit."""
    quota = queue.quota if queue.quota is not None else queue.allocated
    top = queue.limit if queue.limit is not None else max(quota, queue.allocated)
    count = min(32, max(1, round(max(top, queue.allocated, quota))))
    cells = []
    for index in range(count):
        taken = min(1.0, max(0.0, queue.allocated - index))
        kind = "is-own" if index < quota else "is-borrowed"
        if taken >= 0.95:
            cells.append(kind)
        elif taken >= 0.05:
            cells.append(f"is-tenth-{max(1, min(9, round(taken * 10)))}")
        else:
            cells.append("is-kept" if index < quota else "")
    return (*cells, "is-limit") if queue.limit is not None else tuple(cells)


def _node(facts: ClusterFacts, node: Node) -> NodeRow:
    return NodeRow(
        use_known=facts.pods_known,
        cluster=facts.name,
        name=node.name,
        product=node.product,
        memory_mib=node.memory_mib,
        ready=node.ready,
        schedulable=node.schedulable,
        cards=node.cards,
    )


async def switch(request: Request) -> Response:
    """POST /switch: work on other clusters from now on. What runs anywhere goes on running."""
    services = services_of(request)
    wanted = (await read_form(request)).text("clusters")
    if services.switch is None:
        raise Refused("This process cannot change its clusters while it runs; start it with --clusters instead.")
    if not wanted:
        raise Refused("Choose at least one cluster.")
    await services.switch.use(wanted)
    if errors.wants_json(request):
        return JSONResponse({"clusters": wanted})
    return RedirectResponse("/clusters", status_code=303)


async def look(request: Request) -> Response:
    """POST /namespaces: the reader knows of a namespace that no list tells; look into it from now on."""
    form, services = await read_form(request), services_of(request)
    cluster, namespace = form.text("cluster"), form.text("namespace")
    services.rights.name(cluster, namespace)
    if errors.wants_json(request):
        return JSONResponse({"cluster": cluster, "namespace": namespace})
    return RedirectResponse("/models", status_code=303)


VIEW = View(
    name="clusters",
    path="/clusters",
    template="clusters.html",
    rail="clusters",
    title=lambda _: "Clusters",
    context=context,
    regions={
        "r-heading": "clusters/heading.html",
        "r-sights": "fragments/sights.html",
        "r-side": "clusters/side.html",
        "r-queues": "clusters/queues.html",
        "r-nodes": "clusters/nodes.html",
        "r-contexts": "clusters/contexts.html",
    },
)
ACTIONS = (Route("/switch", switch, methods=["POST"]), Route("/namespaces", look, methods=["POST"]))
