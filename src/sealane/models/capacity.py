"""Would it start, and where: one wish against the cards and queues of a cluster, by rules in a fixed order.

The order is that of what blocks longest: no such card, then the queue, then cards that others hold. The answer is a
preview from what the cluster shows now, not a reservation; the scheduler decides. Queue rules are KAI's: a Deployment's
pods are non-preemptible, so that they may not go beyond the guaranteed quota, and only leaf queues schedule
(facts: KAI docs/queues; seen on 0.12). Pure: `ClusterFacts` in, `Placement` out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sealane.gpus.facts import ClusterFacts, Node, Queue
from sealane.lib import text
from sealane.models import shares
from sealane.models.memory import is_known, needed_bytes
from sealane.models.types import Fit, Placement, Share, Starts

_EPSILON = 1e-9
RANK: dict[Starts, int] = {"now": 0, "waits": 1, "never": 2, "not-allowed": 3}
"""Best first, wherever places are compared."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; `node` is "" when no single node is meant."""

    starts: Starts
    sentence: str
    node: str = ""


def places(
    found: Fit, facts: Sequence[ClusterFacts], *, share: Share | None = None, copies: int = 1
) -> list[Placement]:
    """Every cluster and leaf queue with its answer, best first; without `share` each cluster's best one is taken."""
    answers: list[Placement] = []
    for cluster in facts:
        wanted = share if share is not None and share.said else best_share(found, cluster)
        for queue in leaf_names(cluster) or [""]:
            verdict = would_start(found, cluster, share=wanted, queue=queue, copies=copies)
            answers.append(_placement(cluster, queue, wanted, verdict))
    return sorted(answers, key=lambda place: RANK[place.starts])


def place(found: Fit, cluster: ClusterFacts, *, share: Share, queue: str, copies: int) -> Placement:
    """The answer for one cluster and queue, as a Placement."""
    verdict = would_start(found, cluster, share=share, queue=queue, copies=copies)
    return _placement(cluster, queue, share, verdict)


def best_share(found: Fit, cluster: ClusterFacts) -> Share:
    """The least that surely holds the model: a part of a card where KAI shares cards, else whole cards, else CPU.

    Cards on which it would start now come first, then the least memory. Where nothing fits it is one whole card, which
    the plan then refuses with what is missing.
    """
    nodes = gpu_nodes(cluster)
    if not nodes:
        return Share(devices=0)
    options = [option for node in nodes for option in _options(found, node, parts=may_share(cluster))]
    if not options:
        return Share(devices=1)
    return min(options, key=lambda option: option[:3])[-1]


def may_share(cluster: ClusterFacts) -> bool:
    """Whether parts of a card can be asked for: KAI with GPU sharing known to be on."""
    return cluster.kai and cluster.gpu_sharing is True


def gpu_nodes(cluster: ClusterFacts) -> list[Node]:
    """Nodes with cards that take pods: ready and not cordoned."""
    return [node for node in cluster.nodes if node.cards and node.ready and node.schedulable]


def leaf_names(cluster: ClusterFacts) -> list[str]:
    """The queues that can hold a workload, by name; none on a cluster without KAI."""
    return sorted(queue.name for queue in cluster.queues if queue.leaf) if cluster.kai else []


def holds(node: Node, *, share: Share, found: Fit) -> bool:
    """Whether the share of this node's cards is large enough; what is not known gets the benefit of the doubt."""
    room = shares.bytes_of(share, card_mib=node.memory_mib)
    whole = share.devices or 0
    if whole > len(node.cards):
        return False
    if share.memory_mib is not None and node.memory_mib is not None and share.memory_mib > node.memory_mib:
        return False
    return room is None or not is_known(found) or room >= needed_bytes(found, cards=max(whole, 1))


def free_slots(node: Node, *, share: Share) -> int:
    """How many copies of the share are free on the node now."""
    if share.devices:
        return sum(card.free >= 1 - _EPSILON for card in node.cards) // share.devices
    part = shares.devices(share, card_mib=node.memory_mib)
    if part < shares.LEAST:
        return 0
    return sum(math.floor(card.free / part + _EPSILON) for card in node.cards)


def would_start(found: Fit, cluster: ClusterFacts, *, share: Share, queue: str, copies: int) -> Verdict:
    """Whether `copies` of the share would start in the queue of the cluster, with the reason in one sentence."""
    if not cluster.nodes_known:
        told = f"You may not read the nodes of {cluster.name}, so whether it starts now is not known."
        return Verdict(starts="waits", sentence=told)
    if not share.on_gpu:
        return _on_cpu(found, cluster, copies=copies) if cluster.pods_known else _unknown_use(cluster)
    nodes = gpu_nodes(cluster)
    if not nodes:
        return Verdict(starts="never", sentence=f"{cluster.name} has no GPU that takes work.")
    if not share.devices and not (cluster.kai and cluster.gpu_sharing is not False):
        why = "its GPU sharing is off" if cluster.kai else "it has no KAI scheduler"
        told = f"{cluster.name} cannot give {share_words(share)}, only whole cards: {why}."
        return Verdict(starts="never", sentence=told)
    fitting = [node for node in nodes if holds(node, share=share, found=found)]
    if not fitting:
        need = text.binary_bytes(needed_bytes(found, cards=share.devices or 1))
        has = f"{share_words(share)} in {cluster.name} holds {largest_room(nodes, share=share)}"
        return Verdict(starts="never", sentence=f"{found.model} needs {need}; {has}.")
    if cluster.kai and not cluster.queues_known:
        told = f"You may not list the queues of {cluster.name}, so whether it starts now is not known."
        return Verdict(starts="waits", sentence=told)
    if cluster.kai:
        total = ask(found, cluster, share=share) * copies
        blocked = _queue_verdict(cluster, queue=queue, total=total)
        if blocked is not None:
            return blocked
    return _by_cards(cluster, fitting, share=share, copies=copies) if cluster.pods_known else _unknown_use(cluster)


def _unknown_use(cluster: ClusterFacts) -> Verdict:
    told = f"You may not list all pods of {cluster.name}, so whether there is room now is not known."
    return Verdict(starts="waits", sentence=told)


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What one queue allows, in devices. `word` is "may hold" or "guarantees"; `held` counts against it already."""

    queue: str
    word: str
    most: float
    held: float

    def forbids(self, total: float) -> bool:
        """Whether so much may never be held, whoever gives back what."""
        return total > self.most + _EPSILON

    def delays(self, more: float) -> bool:
        """Whether so much more must wait for others."""
        return self.held + more > self.most + _EPSILON

    def fitting(self, each: float) -> int:
        """How many copies of `each` devices it allows in all."""
        return int(self.most / each + _EPSILON) if each else 0


def bounds(cluster: ClusterFacts, name: str) -> Iterator[Bound]:
    """The bounds of a queue and its parents, nearest first. The guarantee is one, because hosted models are not
    preemptible; unlimited ones are left out."""
    for queue in lineage(cluster, name):
        if queue.limit is not None:
            yield Bound(queue=queue.name, word="may hold", most=queue.limit, held=queue.allocated)
        if queue.quota is not None:
            yield Bound(queue=queue.name, word="guarantees", most=queue.quota, held=queue.allocated_non_preemptible)


def queue_named(cluster: ClusterFacts, name: str) -> Queue | None:
    """The queue of that name."""
    return next((queue for queue in cluster.queues if queue.name == name), None)


def lineage(cluster: ClusterFacts, name: str) -> Iterable[Queue]:
    """The queue and its parents, up to the root; a loop or a missing parent ends it."""
    seen: set[str] = set()
    while name and name not in seen:
        seen.add(name)
        queue = queue_named(cluster, name)
        if queue is None:
            return
        yield queue
        name = queue.parent


def ask(found: Fit, cluster: ClusterFacts, *, share: Share) -> float:
    """Devices that one copy counts for in a queue; MiB count by the smallest card that holds them."""
    fitting = [node for node in gpu_nodes(cluster) if holds(node, share=share, found=found)]
    sizes = [node.memory_mib for node in fitting if node.memory_mib is not None]
    return shares.devices(share, card_mib=min(sizes) if sizes else None)


def share_words(share: Share) -> str:
    """A share in words: `0.25 of a card`, `8 GiB of a card`, `2 cards`, `no GPU`."""
    if share.fraction is not None:
        return f"{share.fraction:g} of a card"
    if share.memory_mib is not None:
        return f"{text.binary_bytes(share.memory_mib * 1024**2)} of a card"
    return text.count(share.devices, "card") if share.devices else "no GPU"


def largest_room(nodes: Sequence[Node], *, share: Share) -> str:
    """The most that the share holds on any of the nodes, in words."""
    able = [node for node in nodes if len(node.cards) >= (share.devices or 1)]
    rooms = [room for node in able if (room := shares.bytes_of(share, card_mib=node.memory_mib)) is not None]
    return f"at most {text.binary_bytes(max(rooms))}" if rooms else "less"


def _options(found: Fit, node: Node, *, parts: bool) -> list[tuple[bool, float, float, Share]]:
    """What could be asked on this node: (waits, bytes, devices, share), so that the least compares first."""
    if node.memory_mib is None or not is_known(found):
        share = Share(devices=1)
        return [(free_slots(node, share=share) == 0, math.inf, 1.0, share)]
    options: list[tuple[bool, float, float, Share]] = []
    part = shares.part_for(needed_bytes(found), card_mib=node.memory_mib) if parts else None
    whole = next((n for n in range(1, len(node.cards) + 1) if holds(node, share=Share(devices=n), found=found)), None)
    if part is not None:
        options.append(_option(node, Share(fraction=part)))
    elif whole is not None:
        options.append(_option(node, Share(devices=whole)))
    return options


def _option(node: Node, share: Share) -> tuple[bool, float, float, Share]:
    amount = shares.devices(share, card_mib=node.memory_mib)
    return (free_slots(node, share=share) == 0, amount * (node.memory_mib or 0), amount, share)


def _placement(cluster: ClusterFacts, queue: str, share: Share, verdict: Verdict) -> Placement:
    return Placement(
        cluster=cluster.name,
        queue=queue,
        node=verdict.node,
        share=share.text,
        starts=verdict.starts,
        sentence=verdict.sentence,
    )


def _queue_verdict(cluster: ClusterFacts, *, queue: str, total: float) -> Verdict | None:
    """What the queue says, None when it admits: missing, not a leaf, above its limit, above its guaranteed part."""
    found = queue_named(cluster, queue)
    if found is None:
        return Verdict(starts="never", sentence=f"{cluster.name} has no queue “{queue}”.")
    if not found.leaf:
        return Verdict(starts="never", sentence=f"Queue {queue} holds other queues; only {_names(found)} schedule.")
    for bound in bounds(cluster, queue):
        says = f"{bound.queue} {bound.word} {bound.most:g} GPUs"
        if bound.forbids(total):
            return Verdict(starts="never", sentence=f"Queue {says} in all; {total:g} asked.")
        if bound.delays(total):
            told = f"Waits: queue {says} and {bound.held:g} are taken; {total:g} asked."
            return Verdict(starts="waits", sentence=told)
    return None


def _by_cards(cluster: ClusterFacts, nodes: Sequence[Node], *, share: Share, copies: int) -> Verdict:
    slots = {node.name: free_slots(node, share=share) for node in nodes}
    total = sum(slots.values())
    best = max(nodes, key=lambda node: slots[node.name] > 0)
    if total >= max(copies, 1):
        free = f"{share_words(share)} {'are' if (share.devices or 0) > 1 else 'is'} free"
        return Verdict(starts="now", node=best.name, sentence=f"Starts now on {best.name}: {free}.")
    busy = sorted({user for node in nodes for card in node.cards for user in card.users})
    by = f" Held by {text.listing(busy[:3])}{' and others' if len(busy) > 3 else ''}." if busy else ""
    if total:
        starts = f"{total} of {copies} copies would start; the others wait until a card is free."
        return Verdict(starts="waits", node=best.name, sentence=f"Waits: {starts}{by}")
    return Verdict(starts="waits", sentence=f"Waits: {share_words(share)} is not free in {cluster.name}.{by}")


def _on_cpu(found: Fit, cluster: ClusterFacts, *, copies: int) -> Verdict:
    """CPU only: the model must fit into a node's free memory."""
    nodes = [node for node in cluster.nodes if node.ready and node.schedulable]
    slots = {node.name: node.memory_free // max(found.total_bytes, 1) for node in nodes}
    if not nodes:
        return Verdict(starts="never", sentence=f"{cluster.name} has no node that takes work.")
    if sum(slots.values()) >= copies:
        best = max(nodes, key=lambda node: slots[node.name])
        return Verdict(starts="now", node=best.name, sentence=f"Starts now on {best.name}, on CPU only: slow.")
    need = text.binary_bytes(found.total_bytes)
    most = text.binary_bytes(max(node.memory_free for node in nodes))
    return Verdict(starts="waits", sentence=f"Waits: on CPU it needs {need} of memory; the freest node has {most}.")


def _names(queue: Queue) -> str:
    return text.listing(queue.children)
