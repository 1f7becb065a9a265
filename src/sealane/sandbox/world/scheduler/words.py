"""KAI's sentences, word for word as version 0.12.0 writes them (seen on the real one), and only here."""

from __future__ import annotations

import collections
from fractions import Fraction

from sealane.sandbox.world.scheduler.queues import plain

ERRORS = "PodSchedulingErrors"
NOT_LEAF_GROUP = "Unable to schedule podgroup"
NOT_LEAF_POD = "Unable to schedule pod"
GPUS = "didn't have enough resources: GPUs"


def no_nodes(why: collections.Counter[str]) -> str:
    """The histogram: `no nodes with enough resources were found: 2 node(s) didn't have enough resources: GPUs.`"""
    listed = ", ".join(f"{count} node(s) {text}" for text, count in sorted(why.items()))
    return f"no nodes with enough resources were found: {listed}."


def not_found(pod: str, rest: str) -> str:
    """What the PodGroup says of a pod (`namespace/name`) that fits nowhere now."""
    return f"Resources were not found for pod {pod} due to: {rest}"


def too_large(pod: str, *, gpus: Fraction, cpu: Fraction, memory: Fraction, largest: Fraction) -> str:
    """What the PodGroup says of a pod that no node could ever hold; memory in bytes."""
    return (
        f"Scheduling conditions were not met for pod {pod}:\n"
        f"MaxNodePoolResources: The pod {pod} requires GPU: {plain(gpus)}, CPU: {plain(cpu)} (cores), "
        f"memory: {round(float(memory) / 1e9, 3):g} (GB). Max GPU resources available in a single node in the "
        f"default node-pool is topped at {plain(largest)}.\n"
    )


def too_large_cut(pod: str) -> str:
    """The same as the pod's condition has it: cut after the first line."""
    return f"Scheduling conditions were not met for pod {pod}:..."


def joined(reason: str, message: str) -> str:
    """The condition's message: reason and text, with KAI's double full stop where the text has one."""
    return f"{reason}: {message}."


def preempted(victim: str, group: str) -> str:
    """The Evict event of a preemption inside a queue."""
    return f"Pod {victim} was preempted by higher priority workload {group}"


def reclaimed(victim: str, group: str, *, queue: str, uses: Fraction, quota: Fraction) -> str:
    """The Evict event of a reclaim between queues."""
    return (
        f"Pod {victim} was preempted by workload {group}\n"
        f"{queue} uses <GPU: {plain(uses)}> with a quota of <GPU: {plain(quota)}>"
    )
