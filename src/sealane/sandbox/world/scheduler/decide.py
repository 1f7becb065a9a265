"""The decision of the KAI-like scheduler, pure: pods, nodes and queues in; placements, refusal or victims out.

A group starts with all its missing members or not at all (gang). Order of the checks is KAI's: queue exists, is a
leaf, limit, quota of what cannot be preempted, then the nodes. Binpack: the node with the fewest free GPUs that still
fits, and the fullest shared card. Victims are only looked for when the nodes are the obstacle.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.scheduler import cards, fitting, queues, words


class Group(msgspec.Struct, frozen=True):
    """A pod group: `name` is `namespace/podgroup`; `pods` wait, `running` are bound already."""

    name: str
    queue: str
    pods: tuple[Obj, ...]
    running: int
    minimum: int
    priority: int
    preemptible: bool


class Placement(msgspec.Struct, frozen=True):
    """One pod and where it goes."""

    pod: Obj
    place: cards.Place


class Refusal(msgspec.Struct, frozen=True):
    """Why a group does not start. `silent`: KAI writes nothing at all (no such queue)."""

    reason: str = ""
    message: str = ""
    pod_message: str = ""
    queue: queues.Queue | None = None
    silent: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Either placements or a refusal; `victims` (pod keys) are to be evicted so that the group can start later."""

    placements: tuple[Placement, ...] = ()
    refusal: Refusal | None = None
    victims: tuple[tuple[str, str], ...] = ()
    reclaim: bool = False


class World(msgspec.Struct, frozen=True):
    """What is decided upon: Ready nodes, all pods, the queue tree with loads, and each pod's group."""

    nodes: Sequence[Obj]
    pods: Sequence[Obj]
    queues: Mapping[str, queues.Queue]
    groups: Mapping[tuple[str, str], Group]


def decide(group: Group, world: World) -> Decision:
    """What to do with one waiting group now."""
    queue = world.queues.get(group.queue)
    if queue is None:
        return Decision(refusal=Refusal(silent=True))
    if queue.children:
        return Decision(refusal=Refusal("", words.NOT_LEAF_GROUP, words.NOT_LEAF_POD))
    wanted = _wanted(group)
    gpus = sum((gpus_of(pod, world.nodes) for pod in wanted), Fraction(0))
    verdict = queues.may_start(group.queue, gpus, world.queues, preemptible=group.preemptible)
    if verdict.reason:
        return Decision(refusal=Refusal(verdict.reason, verdict.message, verdict.message, verdict.queue))
    placements, problem = place(wanted, world.nodes, world.pods)
    if not problem:
        return Decision(placements=placements)
    assert problem is not None  # noqa: S101 - no problem returned above
    if place(wanted, world.nodes, [pod for pod in world.pods if not objects.deleting(pod)])[1] is None:
        return Decision(refusal=problem)
    victims, reclaim = _victims(group, wanted, gpus, world)
    return Decision(refusal=problem, victims=victims, reclaim=reclaim)


def _wanted(group: Group) -> tuple[Obj, ...]:
    """The pods that have to start together now: the rest of the minimum, or one more of an elastic group."""
    missing = max(1, group.minimum - group.running)
    return group.pods[:missing] if len(group.pods) >= missing else group.pods


def gpus_of(pod: Obj, nodes: Sequence[Obj]) -> Fraction:
    """What a pod asks in devices; memory asks count as the part of the card of its node, else of the roomiest."""
    ask = cards.ask_of(pod)
    if not ask.shared:
        return Fraction(ask.devices)
    own = pod["spec"].get("nodeName")
    parts = [
        cards.of_node(node, ()).part_of(ask)
        for node in nodes
        if (not own or node["metadata"]["name"] == own) and fitting.GPU in node["status"].get("allocatable", {})
    ]
    return min(parts, default=ask.fraction or Fraction(1))


def place(
    wanted: Sequence[Obj], nodes: Sequence[Obj], pods: Sequence[Obj]
) -> tuple[tuple[Placement, ...], Refusal | None]:
    """Places for all of them at once, or why not."""
    state = list(pods)
    placements: list[Placement] = []
    for number, pod in enumerate(wanted):
        found, why = _best(pod, nodes, state)
        if found is None:
            return (), _refusal(pod, nodes, why)
        group = found.group or (f"new-{number}" if found.part else "")
        found = cards.Place(found.node, group, found.part)
        placements.append(Placement(pod, found))
        state.append(_as_bound(pod, found))
    return tuple(placements), None


def _best(pod: Obj, nodes: Sequence[Obj], pods: Sequence[Obj]) -> tuple[cards.Place | None, collections.Counter[str]]:
    why: collections.Counter[str] = collections.Counter()
    options: list[tuple[bool, Fraction, str, cards.Place]] = []
    ask = cards.ask_of(pod)
    for node in nodes:
        problem, found = _fits(pod, ask, node, pods, nodes)
        if found is None:
            why[problem] += 1
            continue
        free = cards.of_node(node, pods).free
        fresh_card = bool(found.part) and not found.group
        options.append((fresh_card, free, found.node, found))
    if not options:
        return None, why
    return min(options, key=lambda option: option[:3])[3], why


def _fits(
    pod: Obj, ask: cards.Ask, node: Obj, pods: Sequence[Obj], nodes: Sequence[Obj]
) -> tuple[str, cards.Place | None]:
    problem = fitting.placement_refusal(pod, node, pods, nodes)
    if problem:
        return problem.removeprefix("node(s) "), None
    found = cards.of_node(node, pods).place(ask)
    if found is None:
        return words.GPUS, None
    space = fitting.room(node, pods)
    names = {"cpu": "CPU cores", "memory": "memory"}
    for name, amount in sorted(objects.requests(pod).items()):
        if name != fitting.GPU and amount > space.free.get(name, Fraction(0)):
            return f"didn't have enough resources: {names.get(name, name)}", None
    return "", found


def _refusal(pod: Obj, nodes: Sequence[Obj], why: collections.Counter[str]) -> Refusal:
    name = "/".join(objects.key(pod))
    ask = cards.ask_of(pod)
    largest = max(
        (objects.number(node["status"].get("allocatable", {}).get(fitting.GPU, 0)) for node in nodes),
        default=Fraction(0),
    )
    if Fraction(ask.devices) > largest or (ask.shared and not largest):
        asked = objects.requests(pod)
        gpus = Fraction(ask.devices) if ask.devices else gpus_of(pod, nodes)
        text = words.too_large(
            name,
            gpus=gpus,
            cpu=asked.get("cpu", Fraction(0)),
            memory=asked.get("memory", Fraction(0)),
            largest=largest,
        )
        return Refusal(words.ERRORS, words.not_found(name, text), words.too_large_cut(name))
    text = words.no_nodes(why)
    return Refusal(words.ERRORS, words.not_found(name, text), text)


def _as_bound(pod: Obj, found: cards.Place) -> Obj:
    meta = dict(pod["metadata"])
    if found.group:
        meta["labels"] = {**(meta.get("labels") or {}), cards.GROUP: found.group}
    return {**pod, "metadata": meta, "spec": {**pod["spec"], "nodeName": found.node}}


def _victims(
    group: Group, wanted: Sequence[Obj], gpus: Fraction, world: World
) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Whom to evict: lower priorities of the own queue first, else what other queues hold beyond their quota."""
    queue = world.queues[group.queue]
    entitled = queue.quota == queues.UNLIMITED or queue.allocated + gpus <= queue.quota
    for reclaim in (False, True):
        if reclaim and not entitled:
            continue
        chosen = _enough(wanted, _candidates(group, world, reclaim=reclaim), world)
        if chosen:
            return chosen, reclaim
    return (), False


def _candidates(group: Group, world: World, *, reclaim: bool) -> list[tuple[tuple[str, str], Group]]:
    found = []
    over = {name: queue.allocated - queue.quota for name, queue in world.queues.items()}
    for pod in world.pods:
        owner = world.groups.get(objects.key(pod))
        if owner is None or not owner.preemptible or not objects.holds_resources(pod) or objects.deleting(pod):
            continue
        if reclaim:
            other = world.queues.get(owner.queue)
            if owner.queue == group.queue or other is None or other.quota == queues.UNLIMITED:
                continue
            share = gpus_of(pod, world.nodes)
            if over[owner.queue] < share or not share:
                continue
            over[owner.queue] -= share
        elif owner.queue != group.queue or owner.priority >= group.priority:
            continue
        found.append((objects.key(pod), owner))
    return sorted(found, key=lambda item: (item[1].priority, item[0]))


def _enough(
    wanted: Sequence[Obj], candidates: Sequence[tuple[tuple[str, str], Group]], world: World
) -> tuple[tuple[str, str], ...]:
    """The fewest of the candidates, in order, without which the group would fit; () when all are not enough."""
    chosen: list[tuple[str, str]] = []
    for key, _ in candidates:
        chosen.append(key)
        if _fits_without(wanted, world, chosen):
            for earlier in list(chosen):
                rest = [item for item in chosen if item != earlier]
                if _fits_without(wanted, world, rest):
                    chosen = rest
            return tuple(chosen)
    return ()


def _fits_without(wanted: Sequence[Obj], world: World, gone: Sequence[tuple[str, str]]) -> bool:
    left = [pod for pod in world.pods if objects.key(pod) not in gone]
    groups = {
        objects.labels(pod).get(cards.GROUP) for pod in left if pod["metadata"].get("namespace") != cards.RESERVATIONS
    }
    left = [
        pod
        for pod in left
        if pod["metadata"].get("namespace") != cards.RESERVATIONS or objects.labels(pod).get(cards.GROUP) in groups
    ]
    return place(wanted, world.nodes, left)[1] is None
