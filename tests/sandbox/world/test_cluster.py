"""The handle that controllers hold: events that count up, deletions that hit the right object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.world import ClusterWorld

Obj = dict[str, Any]
Make = Callable[..., Obj]


def test_the_same_event_again_is_counted_instead_of_written_twice(still: ClusterWorld, a_pod: Make) -> None:
    cluster = still.cluster
    pod = cluster.create("pods", a_pod("x"))
    for _ in range(3):
        cluster.event(pod, "BackOff", "again", component="kubelet", type="Warning")
    cluster.event(pod, "BackOff", "something else", component="kubelet")
    events = {event["message"]: event for event in cluster.list("events", "team-a")}
    assert events["again"]["count"] == 3
    assert events["again"]["type"] == "Warning"
    assert events["something else"]["count"] == 1
    assert events["again"]["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "x",
        "namespace": "team-a",
        "uid": pod["metadata"]["uid"],
        "resourceVersion": pod["metadata"]["resourceVersion"],
    }


def test_events_about_objects_without_namespace_are_kept_in_default(still: ClusterWorld) -> None:
    node = still.cluster.get("nodes", "", "gpu-a")
    assert node is not None
    still.cluster.event(node, "NodeNotReady", "gone", component="node-controller")
    assert [event["reason"] for event in still.cluster.list("events", "default")] == ["NodeNotReady"]


def test_another_object_of_the_same_name_is_not_deleted(still: ClusterWorld, a_pod: Make) -> None:
    cluster = still.cluster
    old = cluster.create("pods", a_pod("x"))
    cluster.delete("pods", old)
    new = cluster.create("pods", a_pod("x"))
    cluster.delete("pods", old)
    found = cluster.get("pods", "team-a", "x")
    assert found is not None
    assert found["metadata"]["uid"] == new["metadata"]["uid"]


def test_a_refusal_of_the_store_reads_as_a_denied_admission(still: ClusterWorld, a_pod: Make) -> None:
    with pytest.raises(AdmissionDenied) as refused:
        still.cluster.create("pods", a_pod("x", namespace="nowhere"))
    assert refused.value.code == 404
    assert "nowhere" in refused.value.message


def test_kinds_that_are_not_served_are_empty(still: ClusterWorld) -> None:
    assert still.cluster.list("widgets") == []
    assert still.cluster.get("widgets", "", "x") is None
    assert still.cluster.change("widgets", "", "x", dict.clear) is None
    with pytest.raises(LookupError):
        still.cluster.create("widgets", {"metadata": {"name": "x"}})


def test_names_are_given_tails_of_the_alphabet_of_kubernetes(still: ClusterWorld) -> None:
    tails = {still.cluster.suffix() for _ in range(50)}
    assert len(tails) > 40
    assert not set("".join(tails)) & set("aeiou013")
