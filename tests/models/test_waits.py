"""Why a pod waits: KAI's real texts, its silences, and the plain scheduler's."""

from __future__ import annotations

from typing import Any

import hosting as h

from sealane.models import stage_views as v
from sealane.models import waits

QUEUES = (v.QueueFact(name="vision", leaf=True), v.QueueFact(name="all", leaf=False))


def why(pod: dict[str, Any], **parts: Any) -> str:
    parts.setdefault("queues", QUEUES)
    snapshot = h.snapshot(deployed=h.deployment(queue="vision"), pods=[pod], **parts)
    return waits.sentence(snapshot, snapshot.pods[0])


def reason(word: str, message: str, **details: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"reason": word, "message": message}
    if details:
        found["details"] = {"queueDetails": {"name": "vision", **details}}
    return found


def test_over_limit_is_told_with_limit_held_and_asked() -> None:
    group = h.pod_group(
        reasons=[
            reason(
                "OverLimit",
                "vision quota has reached the allowable limit of GPUs.",
                podGroupRequestedResources={"cpu": "100m", "nvidia.com/gpu": "2"},
                queueAllocatedResources={"nvidia.com/gpu": "7500m"},
                queueResourceLimits={"cpu": "-1m", "nvidia.com/gpu": "8"},
            )
        ]
    )
    told = why(h.pod(queue="vision"), pod_groups=[group])
    assert told == "Queue vision may hold 8 GPUs and holds 7.5; this copy asks for 2."


def test_over_quota_is_told_with_the_guarantee() -> None:
    group = h.pod_group(
        reasons=[
            reason(
                "NonPreemptibleOverQuota",
                "Non-preemptible workload is over quota.",
                podGroupRequestedResources={"nvidia.com/gpu": "2"},
                queueAllocatedNonPreemptibleResources={"nvidia.com/gpu": "1"},
                queueDeservedResources={"cpu": "-1m", "nvidia.com/gpu": "2"},
            )
        ]
    )
    told = why(h.pod(queue="vision"), pod_groups=[group])
    assert told.startswith("Queue vision guarantees 2 GPUs, 1 of them are held by work that cannot be interrupted")
    assert "this copy asks for 2" in told


def test_a_limit_of_another_resource_keeps_kais_own_words() -> None:
    said = "vision quota has reached the allowable limit of CPU cores. Limit is 1 cores"
    details = {"podGroupRequestedResources": {"cpu": "4"}, "queueResourceLimits": {"nvidia.com/gpu": "-1"}}
    group = h.pod_group(reasons=[reason("OverLimit", said, **details)])
    assert why(h.pod(queue="vision"), pod_groups=[group]) == f"Queue vision: {said}."


def test_a_full_cluster_is_told_without_the_pods_name() -> None:
    said = (
        "Resources were not found for pod team-a/qwen-1-a due to: no nodes with enough resources were found: "
        "2 node(s) didn't have enough resources: GPUs."
    )
    told = why(h.pod(queue="vision"), pod_groups=[h.pod_group(reasons=[reason("PodSchedulingErrors", said)])])
    assert told == ("Queue vision allows it, but no node has room now: 2 node(s) didn't have enough resources: GPUs.")


def test_a_copy_larger_than_any_node_is_told_with_both_numbers() -> None:
    said = (
        "Scheduling conditions were not met for pod team-a/x:\nMaxNodePoolResources: The pod team-a/x requires GPU: 5, "
        "CPU: 0.1 (cores), memory: 0.134 (GB). Max GPU resources available in a single node in the default node-pool "
        "is topped at 4.\n"
    )
    told = why(h.pod(queue="vision"), pod_groups=[h.pod_group(reasons=[reason("PodSchedulingErrors", said)])])
    assert told == "This copy asks for 5 GPUs; the largest node has 4."


def test_another_pods_group_is_not_mine() -> None:
    group = h.pod_group(reasons=[reason("OverLimit", "not mine")], owner="p-team-a-other")
    assert "not mine" not in why(h.pod(queue="vision"), pod_groups=[group])


def test_a_missing_queue_wins_over_silence() -> None:
    assert why(h.pod(queue="nobody")).startswith("Queue nobody does not exist in harbor-eu")
    assert "has no queue at all" in why(h.pod(queue="nobody"), queues=())


def test_queues_that_are_not_known_are_not_guessed_about() -> None:
    assert "does not exist" not in why(h.pod(queue="nobody"), queues=None)


def test_a_parent_queue_takes_no_work() -> None:
    assert why(h.pod(queue="all")) == "Queue all is a parent queue; KAI schedules work of leaf queues only."


def test_a_pod_without_a_queue_label_is_in_the_default_queue() -> None:
    assert why(h.pod(scheduler="kai-scheduler")).startswith("Queue default-queue does not exist")


def test_the_pods_condition_speaks_when_the_group_does_not() -> None:
    told = why(h.unscheduled("Unable to schedule pod", queue="vision"))
    assert told == "qwen-1-a waits in queue vision: Unable to schedule pod."


def test_a_silent_scheduler_is_named_after_a_while() -> None:
    assert why(h.pod(queue="vision"), after=5) == "Queue vision has not given qwen-1-a a node yet."
    told = why(h.pod(queue="vision"), after=40)
    assert told == (
        "qwen-1-a has waited 40 s and the scheduler kai-scheduler has said nothing about it; it may not be running."
    )


def test_the_plain_scheduler_is_passed_on() -> None:
    told = why(h.unscheduled("pod has unbound immediate PersistentVolumeClaims."))
    assert told == "qwen-1-a has no node yet: pod has unbound immediate PersistentVolumeClaims."
    assert why(h.pod(), after=3) == "qwen-1-a waits for a node."
    assert "default-scheduler" in why(h.pod(), after=90)
