"""Why a pod of a hosted model has no node yet, in one sentence with names and numbers. Pure.

Traps that this module exists for: KAI says nothing at all when the queue does not exist, so the queues are compared
here; a pod group's `UnschedulableOnNodePool` is never taken back, so it is read only while the pod has no node; the
pod's own condition cuts KAI's longer texts, so the pod group's reasons come first.
"""

from __future__ import annotations

import re

from sealane.kube import quantities
from sealane.lib import text
from sealane.models.labels import KAI_SCHEDULER, QUEUE_LABEL
from sealane.models.stage_views import (
    PodGroupView,
    PodView,
    QueueDetails,
    Reason,
    Snapshot,
)

GPU = "nvidia.com/gpu"
SILENT_AFTER = 20.0
"""Seconds after which a scheduler that said nothing is named as the likely cause."""

_TOO_BIG = re.compile(r"requires GPU: ([\d.]+).*topped at ([\d.]+)", re.DOTALL)
_NO_NODES = re.compile(r"no nodes with enough resources were found: (.+)", re.DOTALL)


def sentence(snapshot: Snapshot, pod: PodView) -> str:
    """Why `pod`, which has no node, waits."""
    return _kai(snapshot, pod) if pod.spec.scheduler_name == KAI_SCHEDULER else _plain(snapshot, pod)


def _kai(snapshot: Snapshot, pod: PodView) -> str:
    group = _group_of(snapshot, pod)
    queue = (group.spec.queue if group else "") or pod.metadata.label(QUEUE_LABEL) or "default-queue"
    misplaced = _queue_fault(snapshot, queue)
    if misplaced:
        return misplaced
    for reason in _reasons(group):
        return _reason(reason, queue)
    said = _said(pod)
    if said:
        return f"{pod.metadata.name} waits in queue {queue}: {_full_stop(said)}"
    return _silent(snapshot, pod, f"Queue {queue} has not given {pod.metadata.name} a node yet.")


def _queue_fault(snapshot: Snapshot, queue: str) -> str:
    """KAI is silent about a missing queue; we are not."""
    if snapshot.queues is None:
        return ""
    found = next((each for each in snapshot.queues if each.name == queue), None)
    if found is None:
        leaves = [each.name for each in snapshot.queues if each.leaf]
        offer = f" Queues that take work: {text.listing(leaves)}." if leaves else " The cluster has no queue at all."
        return f"Queue {queue} does not exist in {snapshot.cluster}, so KAI never looks at this pod.{offer}"
    if not found.leaf:
        return f"Queue {queue} is a parent queue; KAI schedules work of leaf queues only."
    return ""


def _group_of(snapshot: Snapshot, pod: PodView) -> PodGroupView | None:
    named = pod.metadata.annotation("pod-group-name")
    for group in snapshot.pod_groups:
        owners = [owner.uid for owner in group.metadata.owner_references or ()]
        if group.metadata.name == named or pod.metadata.uid in owners:
            return group
    return None


def _reasons(group: PodGroupView | None) -> list[Reason]:
    found: list[Reason] = []
    for condition in (group.status.scheduling_conditions if group else None) or ():
        if condition.type == "UnschedulableOnNodePool" and condition.status == "True":
            found += condition.reasons or []
    return found


def _reason(reason: Reason, queue: str) -> str:
    details = reason.details.queue_details if reason.details else None
    if details is not None and reason.reason == "OverLimit":
        told = _over_limit(details, queue)
    elif details is not None and reason.reason == "NonPreemptibleOverQuota":
        told = _over_quota(details, queue)
    else:
        told = _no_room(reason.message, queue)
    return told or f"Queue {queue}: {_full_stop(reason.message)}"


def _over_limit(details: QueueDetails, queue: str) -> str:
    limit, asked = _gpus(details.queue_resource_limits), _gpus(details.pod_group_requested_resources)
    held = _gpus(details.queue_allocated_resources) or 0.0
    if limit is None or asked is None or held + asked <= limit:
        return ""
    return f"Queue {queue} may hold {text.amount(limit, 'GPU')} and holds {held:g}; this copy asks for {asked:g}."


def _over_quota(details: QueueDetails, queue: str) -> str:
    quota, asked = _gpus(details.queue_deserved_resources), _gpus(details.pod_group_requested_resources)
    held = _gpus(details.queue_allocated_non_preemptible_resources) or 0.0
    if quota is None or asked is None or held + asked <= quota:
        return ""
    return (
        f"Queue {queue} guarantees {text.amount(quota, 'GPU')}, "
        f"{held:g} of them are held by work that cannot be interrupted, "
        f"and this copy asks for {asked:g}; going over the guarantee is for interruptible work only."
    )


def _no_room(message: str, queue: str) -> str:
    big = _TOO_BIG.search(message)
    if big:
        asked, most = float(big.group(1)), float(big.group(2))
        return f"This copy asks for {text.amount(asked, 'GPU')}; the largest node has {most:g}."
    room = _NO_NODES.search(message)
    if room:
        return f"Queue {queue} allows it, but no node has room now: {_full_stop(room.group(1))}"
    return ""


def _gpus(resources: dict[str, str] | None) -> float | None:
    """Devices; None when not named or unlimited."""
    amount = (resources or {}).get(GPU)
    if amount is None:
        return None
    value = float(quantities.parse(amount))
    return None if value < 0 else value


def _plain(snapshot: Snapshot, pod: PodView) -> str:
    said = _said(pod)
    if said:
        return f"{pod.metadata.name} has no node yet: {_full_stop(said)}"
    return _silent(snapshot, pod, f"{pod.metadata.name} waits for a node.")


def _said(pod: PodView) -> str:
    scheduled = pod.condition("PodScheduled")
    return scheduled.message if scheduled is not None and scheduled.status == "False" else ""


def _silent(snapshot: Snapshot, pod: PodView, otherwise: str) -> str:
    made = pod.metadata.creation_timestamp
    waited = (snapshot.now - made).total_seconds() if made else 0.0
    if waited < SILENT_AFTER:
        return otherwise
    scheduler = pod.spec.scheduler_name or "default-scheduler"
    return (
        f"{pod.metadata.name} has waited {text.duration(waited)} and the scheduler {scheduler} has said nothing "
        "about it; it may not be running."
    )


def _full_stop(message: str) -> str:
    """One sentence: the first lines joined, with exactly one full stop at the end."""
    return " ".join(message.split()).rstrip(". ") + "."
