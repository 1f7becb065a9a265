"""Everything that forbids a plan, found before anything is sent: each rule gives its own error or nothing.

The rules are those that can be known from the wish and the cluster's facts; the server's own refusals (rights, quotas,
admission) come from its dry run. All that apply are given, in this order, so that a form can mark every field at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sealane.gpus.facts import ClusterFacts, Node
from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep, SealaneError
from sealane.models import capacity, errors, memory, shares
from sealane.models.reference import BadReference, parse
from sealane.models.types import Fit, ModelCard, ModelSpec
from sealane.models.wishes import NAME_LIMIT

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_RANGES = (("copies", 0, 100), ("context", 1, 4_194_304), ("parallel", 1, 64))


def shape(spec: ModelSpec) -> Iterator[SealaneError]:
    """What is not well formed in the wish itself; with any of these there is nothing to preview."""
    try:
        parse(spec.model)
    except BadReference as problem:
        yield problem
    share = shares.problem(spec.share)
    if share is not None:
        yield share
    for field, low, high in _RANGES:
        value = getattr(spec, field)
        if not low <= value <= high:
            yield errors.BadSpec(f"{field} is {value:,}; it must be between {low:,} and {high:,}.")
    if not _NAME.match(spec.name) or len(spec.name) > NAME_LIMIT:
        rule = f"lower-case letters, digits and dashes, a letter first, at most {NAME_LIMIT} characters"
        yield errors.BadSpec(f"“{spec.name}” cannot name a model's objects: {rule}.")
    if not _NAMESPACE.match(spec.namespace) or len(spec.namespace) > 63:
        yield errors.BadSpec(f"“{spec.namespace}” cannot be the name of a namespace.")


def cluster(
    spec: ModelSpec, card: ModelCard, found: Fit, facts: ClusterFacts, *, instead: Sequence[ModelCard], update: bool
) -> Iterator[SealaneError]:
    """What the cluster's facts forbid. `instead` are models to offer, best first; `update` allows our own name."""
    yield from _namespace(spec, facts)
    yield from _name(spec, facts, update=update)
    sharing = _sharing(spec, facts)
    if sharing is not None:
        yield sharing
        return
    if spec.share.on_gpu:
        yield from _gpu(spec, card, found, facts, instead=instead)
    if facts.kai:
        yield from _queue(spec, found, facts)


def _namespace(spec: ModelSpec, facts: ClusterFacts) -> Iterator[SealaneError]:
    if facts.namespaces is not None and spec.namespace not in facts.namespaces:
        near = text.nearest(spec.namespace, facts.namespaces)
        hint = f" Nearest: {text.listing(near, word='or')}." if near else ""
        create = f"kubectl --context {facts.name} create namespace {spec.namespace}"
        yield errors.NamespaceMissing(
            f"{facts.name} has no namespace “{spec.namespace}”.{hint}",
            evidence=tuple(Evidence(label="namespace", value=name, object=f"namespace/{name}") for name in near),
            next_steps=(NextStep(title="Create it, if you may", command=create),),
        )


def _name(spec: ModelSpec, facts: ClusterFacts, *, update: bool) -> Iterator[SealaneError]:
    for namespace, name, manager in facts.deployments:
        if (namespace, name) != (spec.namespace, spec.name) or (update and manager == "sealane"):
            continue
        owner = "by Sealane" if manager == "sealane" else f"by {manager}" if manager else "by someone else"
        yield errors.NameTaken(
            f"{spec.namespace} in {facts.name} already has a Deployment {name}, made {owner}.",
            evidence=(Evidence(label="Deployment", value=name, object=f"deployment/{name}"),),
            next_steps=(
                NextStep(title="Choose another name", command=f"sealane host {spec.model} --name {name}-2"),
                NextStep(title="Look at it", command=f"kubectl -n {namespace} get deployment {name}"),
            ),
        )


def _sharing(spec: ModelSpec, facts: ClusterFacts) -> SealaneError | None:
    """A part of a card needs KAI with sharing on and, in MiB, nodes that say their memory."""
    if spec.share.fraction is None and spec.share.memory_mib is None:
        return None
    words = capacity.share_words(spec.share)
    whole = NextStep(title="Ask for a whole card", command="--gpu 1")
    if not facts.kai:
        return errors.FractionWithoutKai(
            f"{facts.name} has no KAI scheduler, so it cannot give {words}, only whole cards.", next_steps=(whole,)
        )
    if facts.gpu_sharing is False:
        switch = "helm upgrade kai-scheduler … --reuse-values --set global.gpuSharing=true"
        return errors.SharingOff(
            f"GPU sharing is off in {facts.name}'s KAI, so it cannot give {words}.",
            evidence=(Evidence(label="global.gpuSharing", value="false"),),
            next_steps=(whole, NextStep(title="Have it switched on", command=switch)),
        )
    nodes = capacity.gpu_nodes(facts)
    if spec.share.memory_mib is not None and nodes and all(node.memory_mib is None for node in nodes):
        return errors.MemoryLabelMissing(
            f"No GPU node of {facts.name} has the label nvidia.com/gpu.memory, which a share in MiB needs.",
            next_steps=(NextStep(title="Ask for a part instead", command="--gpu 0.5"), whole),
        )
    return None


def _gpu(
    spec: ModelSpec, card: ModelCard, found: Fit, facts: ClusterFacts, *, instead: Sequence[ModelCard]
) -> Iterator[SealaneError]:
    if not facts.nodes_known:
        return
    nodes = capacity.gpu_nodes(facts)
    if not nodes:
        gone = sum(1 for node in facts.nodes if node.cards)
        also = f" ({text.count(gone, 'GPU node')} not ready or cordoned)" if gone else ""
        yield errors.NoGpu(
            f"{facts.name} has no GPU that takes work{also}.",
            next_steps=(NextStep(title="Run it on CPU, slowly", command="--gpu 0"),),
        )
        return
    if not any(capacity.holds(node, share=spec.share, found=found) for node in nodes):
        yield fits_nowhere(spec, card, found, nodes, cluster_name=facts.name, instead=instead)


def fits_nowhere(
    spec: ModelSpec,
    card: ModelCard,
    found: Fit,
    nodes: Sequence[Node],
    *,
    cluster_name: str,
    instead: Sequence[ModelCard],
) -> errors.FitsNowhere:
    """How much is missing, and what would fit: a larger share, a shorter context, a smaller model."""
    count = spec.share.devices or 1
    need = memory.needed_bytes(found, cards=count)
    able = [node for node in nodes if len(node.cards) >= count]
    rooms = [room for node in able if (room := shares.bytes_of(spec.share, card_mib=node.memory_mib)) is not None]
    largest_card = max((node.memory_mib or 0) for node in nodes) * 1024**2
    words = capacity.share_words(spec.share)
    if not rooms:
        most = max(len(node.cards) for node in nodes)
        told = f"no node of {cluster_name} has {words}; the largest has {text.count(most, 'card')}"
        return errors.FitsNowhere(f"{card.tag} asks for {words}, and {told}.", next_steps=tuple(_larger(need, nodes)))
    room = max(rooms)
    missing = need - room
    return errors.FitsNowhere(
        f"{card.tag} needs {text.binary_bytes(need)} and {words} in {cluster_name} holds "
        f"{text.binary_bytes(room)}: {text.binary_bytes(missing)} are missing.",
        evidence=(
            Evidence(label="needed, with error and driver", value=need, unit="bytes"),
            Evidence(label="share", value=room, unit="bytes"),
            Evidence(label="missing", value=missing, unit="bytes"),
            Evidence(label="largest card", value=largest_card, unit="bytes"),
        ),
        next_steps=(*_larger(need, nodes), *_ways(spec, card, most=room), *_smaller(spec, instead, most=room)),
    )


def _larger(need: int, nodes: Sequence[Node]) -> Iterator[NextStep]:
    sizes = [node.memory_mib for node in nodes if node.memory_mib]
    if not sizes:
        return
    part = shares.part_for(need, card_mib=max(sizes))
    if part is not None:
        yield NextStep(title=f"Ask for {part:g} of a card", command=f"--gpu {part:g}")
        return
    many = next(
        (
            n
            for n in range(1, max(len(node.cards) for node in nodes) + 1)
            if any(
                len(node.cards) >= n and (node.memory_mib or 0) * n * 1024**2 >= need + (n - 1) * memory.ENGINE_RESERVE
                for node in nodes
            )
        ),
        0,
    )
    if many:
        yield NextStep(title=f"Ask for {text.count(many, 'whole card')}", command=f"--gpu {many}")


def _ways(spec: ModelSpec, card: ModelCard, *, most: int) -> Iterator[NextStep]:
    """A shorter context or a smaller cache in the same room."""
    longest = memory.largest_context(card, room=most, parallel=max(spec.parallel, 1), kv=spec.kv)
    if longest >= 1024:
        yield NextStep(title=f"Use a context of {longest:,} tokens", command=f"--context {longest}")
    if spec.kv == "f16" and memory.quantized_cache(card):
        small = memory.fit(card, context=spec.context, parallel=max(spec.parallel, 1), kv="q8_0")
        if memory.needed_bytes(small) <= most:
            yield NextStep(title="Keep the cache in q8_0", command="--kv q8_0")


def _smaller(spec: ModelSpec, cards: Sequence[ModelCard], *, most: int) -> Iterator[NextStep]:
    """The first of the offered models that fits; the offer is sorted, best first."""
    for other in cards:
        context = min(spec.context, other.context_max or spec.context)
        if memory.needed_bytes(memory.fit(other, context=context, parallel=max(spec.parallel, 1))) <= most:
            size = text.decimal_bytes(other.weights_bytes)
            yield NextStep(title=f"Host {other.tag} instead ({size})", command=f"sealane host {other.tag}")
            return


def _queue(spec: ModelSpec, found: Fit, facts: ClusterFacts) -> Iterator[SealaneError]:
    """The queue must exist, be a leaf and be able to hold all copies some day; what may not be listed is believed."""
    if not facts.queues_known:
        if not spec.queue:
            yield errors.QueueMissing(
                f"You may not list the queues of {facts.name}, so say which one to use.",
                next_steps=(NextStep(title="Name your team's queue", command="--queue QUEUE"),),
            )
        return
    leaves = capacity.leaf_names(facts)
    queue = capacity.queue_named(facts, spec.queue)
    offers = tuple(NextStep(title=f"Use queue {name}", command=f"--queue {name}") for name in leaves[:3])
    if queue is None:
        near = text.nearest(spec.queue, leaves) if spec.queue else leaves[:3]
        hint = f" It has {text.listing(near or leaves[:3])}." if leaves else " It has none."
        wanted = f"no queue “{spec.queue}”" if spec.queue else "no queue that could take it"
        yield errors.QueueMissing(
            f"{facts.name} has {wanted}; a pod in a missing queue waits for ever.{hint}", next_steps=offers
        )
        return
    if not queue.leaf:
        yield errors.QueueNotLeaf(
            f"Queue {queue.name} holds other queues, and only leaves schedule: {text.listing(queue.children)}.",
            next_steps=offers,
        )
        return
    if spec.share.on_gpu:
        yield from _quota(spec, found, facts)


def _quota(spec: ModelSpec, found: Fit, facts: ClusterFacts) -> Iterator[SealaneError]:
    ask = capacity.ask(found, facts, share=spec.share)
    total = ask * spec.copies
    bound = next((bound for bound in capacity.bounds(facts, spec.queue) if bound.forbids(total)), None)
    if bound is None:
        return
    fitting = bound.fitting(ask)
    step = (
        NextStep(title=f"Ask for {text.count(fitting, 'copy', 'copies')}", command=f"--copies {fitting}")
        if fitting
        else NextStep(title="Ask for a smaller share, or another queue")
    )
    copies = text.count(spec.copies, "copy", "copies")
    rule = f"queue {bound.queue} {bound.word}"
    more = f"kubectl --context {facts.name} edit queue {bound.queue}"
    yield errors.CopiesAboveQuota(
        f"{copies} of {capacity.share_words(spec.share)} are {total:g} GPUs; "
        f"{rule} {bound.most:g}, and hosted models are not preemptible.",
        evidence=(
            Evidence(label="asked", value=total, unit="GPUs"),
            Evidence(label=rule, value=bound.most, unit="GPUs", object=f"queue/{bound.queue}"),
        ),
        next_steps=(step, NextStep(title="Have the queue enlarged", command=more)),
    )
