"""Which GPU, and how much of it: the cards of a node, whole or shared, as KAI books them. Pure.

A shared card is a *group* (a uuid on its pods and on its reservation pod); the group holds one device of the node,
and its pods hold parts of it. Amounts are exact fractions of one device; `gpu-memory` (MiB) becomes a part of the
node's card, rounded up to hundredths as KAI does it (`nvidia.com/gpu.memory` floored to 100 MiB first).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj

GPU = "nvidia.com/gpu"
GROUP = "runai-gpu-group"
INDEX = "run.ai/reserve_for_gpu_index"
RESERVATIONS = "kai-resource-reservation"
FRACTION = "gpu-fraction"
MEMORY = "gpu-memory"


class Ask(msgspec.Struct, frozen=True):
    """What one pod wants: whole devices, or a part of a card (`fraction`), or MiB of one (`memory_mib`)."""

    devices: int = 0
    fraction: Fraction = Fraction(0)
    memory_mib: int = 0

    @property
    def shared(self) -> bool:
        return bool(self.fraction or self.memory_mib)

    @property
    def any(self) -> bool:
        return bool(self.devices) or self.shared


class Place(msgspec.Struct, frozen=True):
    """Where an ask goes: a node, an existing group or "" for an untouched card, and the part of a card it takes."""

    node: str
    group: str = ""
    part: Fraction = Fraction(0)


class NodeCards(msgspec.Struct, frozen=True):
    """The GPUs of one node: how many, MiB each (0 unknown), devices held whole, and the used part of each group."""

    node: str
    count: int
    memory_mib: int
    whole: int
    groups: Mapping[str, Fraction]

    @property
    def untouched(self) -> int:
        """Devices that nobody holds."""
        return self.count - self.whole - len(self.groups)

    @property
    def free(self) -> Fraction:
        """Devices free in all, parts included."""
        return self.untouched + sum((1 - used for used in self.groups.values()), Fraction(0))

    def part_of(self, ask: Ask) -> Fraction:
        """The part of a card that a shared ask takes here; more than 1 means that it never fits."""
        if ask.fraction:
            return ask.fraction
        usable = self.memory_mib // 100 * 100
        if not usable:
            return Fraction(2)
        return Fraction(math.ceil(Fraction(ask.memory_mib * 100, usable)), 100)

    def place(self, ask: Ask) -> Place | None:
        """Where the ask fits, preferring the fullest shared card that still takes it; None where it does not."""
        if not ask.shared:
            return Place(self.node) if ask.devices <= self.untouched else None
        part = self.part_of(ask)
        if part > 1:
            return None
        roomy = [(used, group) for group, used in self.groups.items() if used + part <= 1]
        if roomy:
            return Place(self.node, max(roomy)[1], part)
        return Place(self.node, "", part) if self.untouched > 0 else None


def ask_of(pod: Obj) -> Ask:
    """Read what a pod wants of GPUs."""
    notes = objects.notes(pod)
    if FRACTION in notes:
        try:
            return Ask(fraction=Fraction(notes[FRACTION]))
        except (ValueError, ZeroDivisionError):
            return Ask()
    if MEMORY in notes and notes[MEMORY].isdigit():
        return Ask(memory_mib=int(notes[MEMORY]))
    return Ask(devices=int(objects.requests(pod).get(GPU, 0)))


def of_node(node: Obj, pods: Iterable[Obj]) -> NodeCards:
    """The bookkeeping of one node from the pods that are bound to it."""
    name = node["metadata"]["name"]
    allocatable = node.get("status", {}).get("allocatable") or {}
    memory = int(objects.number(objects.labels(node).get("nvidia.com/gpu.memory", 0)))
    here = [pod for pod in pods if pod["spec"].get("nodeName") == name and objects.holds_resources(pod)]
    groups: dict[str, Fraction] = {}
    whole = 0
    bare = NodeCards(name, 0, memory, 0, {})
    for pod in here:
        group = objects.labels(pod).get(GROUP, "")
        ask = ask_of(pod)
        if group and pod["metadata"].get("namespace") == RESERVATIONS:
            groups.setdefault(group, Fraction(0))
        elif group and ask.shared:
            groups[group] = groups.get(group, Fraction(0)) + bare.part_of(ask)
        else:
            whole += ask.devices
    return NodeCards(name, int(objects.number(allocatable.get(GPU, 0))), memory, whole, groups)


def index_of(node: str, group: str, pods: Iterable[Obj]) -> int:
    """The device index that a group's reservation holds on a node, -1 when there is none."""
    for pod in pods:
        if objects.labels(pod).get(GROUP) == group and pod["metadata"].get("namespace") == RESERVATIONS:
            text = objects.notes(pod).get(INDEX, "").removeprefix(f"GPU-{node}-")
            return int(text) if text.isdigit() else -1
    return -1


def free_index(node: str, count: int, pods: Iterable[Obj]) -> int:
    """The highest device index that no reservation holds: whole-card pods are given the low ones."""
    taken = set()
    for pod in pods:
        if pod["metadata"].get("namespace") == RESERVATIONS and pod["spec"].get("nodeName") == node:
            text = objects.notes(pod).get(INDEX, "").removeprefix(f"GPU-{node}-")
            taken.add(int(text) if text.isdigit() else -1)
    return max((index for index in range(count) if index not in taken), default=0)
