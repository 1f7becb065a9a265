"""KAI's queues: a tree with quota and limit at every level, and what may still start under it. Pure.

A limit binds everything; a quota binds only what cannot be preempted. Both are checked from the leaf to the root, as
KAI 0.12.0 does. Units of the API: GPUs in devices, -1 unlimited, and an absent or 0 limit means nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from sealane.sandbox.world.ports import Obj

UNLIMITED = Fraction(-1)
PREEMPTIBLE_BELOW = 100
PRIORITIES = {"train": 50, "build-preemptible": 75, "build": 100, "inference": 125}


class Queue(msgspec.Struct, frozen=True):
    """One queue with what it holds now, in GPU devices; `quota`/`limit` -1 are unlimited."""

    name: str
    parent: str
    quota: Fraction
    limit: Fraction
    children: tuple[str, ...]
    allocated: Fraction = Fraction(0)
    non_preemptible: Fraction = Fraction(0)
    requested: Fraction = Fraction(0)


class Load(msgspec.Struct, frozen=True):
    """What one pod group holds or wants in a leaf queue, in GPU devices."""

    queue: str
    allocated: Fraction
    requested: Fraction
    preemptible: bool


class Verdict(msgspec.Struct, frozen=True):
    """Whether a group may start under its queue's tree: `reason` "" when it may; else KAI's constant and text."""

    reason: str = ""
    message: str = ""
    queue: Queue | None = None


def tree(found: Iterable[Obj], loads: Iterable[Load]) -> dict[str, Queue]:
    """All queues by name, with loads summed up to the roots."""
    specs = {queue["metadata"]["name"]: queue for queue in found}
    children: dict[str, list[str]] = {}
    for name, queue in specs.items():
        children.setdefault(queue["spec"].get("parentQueue", ""), []).append(name)
    sums = {name: [Fraction(0)] * 3 for name in specs}
    for load in loads:
        for name in ancestors(load.queue, specs):
            sums[name][0] += load.allocated
            sums[name][1] += 0 if load.preemptible else load.allocated
            sums[name][2] += load.requested
    return {
        name: Queue(
            name=name,
            parent=queue["spec"].get("parentQueue", ""),
            quota=_gpu(queue, "quota"),
            limit=_gpu(queue, "limit"),
            children=tuple(sorted(children.get(name, ()))),
            allocated=sums[name][0],
            non_preemptible=sums[name][1],
            requested=sums[name][2],
        )
        for name, queue in specs.items()
    }


def ancestors(name: str, specs: Mapping[str, Obj]) -> list[str]:
    """The queue and its parents up to the root; [] when it does not exist; cycles end."""
    chain: list[str] = []
    while name in specs and name not in chain:
        chain.append(name)
        name = specs[name]["spec"].get("parentQueue", "")
    return chain


def may_start(name: str, gpus: Fraction, queues: Mapping[str, Queue], *, preemptible: bool) -> Verdict:
    """KAI's two checks for a group that asks for `gpus` devices in queue `name`."""
    chain = []
    while name in queues and queues[name] not in chain:
        chain.append(queues[name])
        name = queues[name].parent
    for queue in chain:
        if queue.limit != UNLIMITED and queue.allocated + gpus > queue.limit and gpus:
            return Verdict("OverLimit", over_limit(queue, gpus), queue)
    for queue in chain if not preemptible else ():
        if queue.quota != UNLIMITED and queue.non_preemptible + gpus > queue.quota and gpus:
            return Verdict("NonPreemptibleOverQuota", over_quota(queue, gpus), queue)
    return Verdict()


def over_limit(queue: Queue, gpus: Fraction) -> str:
    """KAI's sentence, word for word."""
    return (
        f"{queue.name} quota has reached the allowable limit of GPUs. Limit is {plain(queue.limit)} GPUs, "
        f"currently {plain(queue.allocated)} GPUs allocated and workload requested {plain(gpus)} GPUs"
    )


def over_quota(queue: Queue, gpus: Fraction) -> str:
    """KAI's sentence, word for word."""
    return (
        f"Non-preemptible workload is over quota. Workload requested {plain(gpus)} GPUs, but {queue.name} quota is "
        f"{plain(queue.quota)} GPUs, while {plain(queue.non_preemptible)} GPUs are already allocated for "
        "non-preemptible pods. Use a preemptible workload to go over quota."
    )


def plain(amount: Fraction) -> str:
    """`2`, `0.5`: as Go prints a float."""
    return f"{float(amount):g}"


def _gpu(queue: Obj, field: str) -> Fraction:
    gpu = (queue["spec"].get("resources") or {}).get("gpu") or {}
    return Fraction(str(gpu.get(field, 0)))


def priority_class(labels: Mapping[str, str], default: str) -> str:
    """The KAI priority class that a workload names by label, else the default of its kind."""
    return labels.get("priorityClassName") or default


def preemptible(labels: Mapping[str, str], priority: str) -> bool:
    """Whether a workload may be interrupted: its own label decides, else the priority (below 100)."""
    said = labels.get("kai.scheduler/preemptibility", "")
    if said:
        return said == "preemptible"
    return PRIORITIES.get(priority, 50) < PREEMPTIBLE_BELOW
