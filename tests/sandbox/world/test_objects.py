"""Readers of Kubernetes objects."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from sealane.sandbox.world import objects

Obj = dict[str, Any]


def pod(*containers: Obj, init: list[Obj] | None = None) -> Obj:
    return {"metadata": {}, "spec": {"containers": list(containers), "initContainers": init or []}}


def asks(**requests: str) -> Obj:
    return {"name": "c", "resources": {"requests": requests}}


def test_requests_are_summed_over_containers_and_exact() -> None:
    found = objects.requests(pod(*[asks(cpu="100m")] * 30))
    assert found == {"cpu": Fraction(3)}


def test_a_limit_stands_in_for_a_missing_request() -> None:
    container = {"name": "c", "resources": {"limits": {"memory": "1Gi", "cpu": "2"}, "requests": {"cpu": "1"}}}
    assert objects.requests(pod(container)) == {"memory": Fraction(1024**3), "cpu": Fraction(1)}


def test_the_largest_init_container_counts_once() -> None:
    found = objects.requests(pod(asks(cpu="1"), init=[asks(cpu="3"), asks(cpu="2")]))
    assert found == {"cpu": Fraction(3)}


def test_nonsense_asks_for_nothing() -> None:
    assert objects.number("lots") == 0


def test_a_conditions_transition_time_moves_only_with_its_status() -> None:
    obj: Obj = {}
    objects.set_condition(obj, "Ready", "False", now="1", reason="Starting")
    objects.set_condition(obj, "Ready", "False", now="2", reason="Waiting")
    assert obj["status"]["conditions"] == [
        {"type": "Ready", "status": "False", "lastTransitionTime": "1", "reason": "Waiting"}
    ]
    objects.set_condition(obj, "Ready", "True", now="3")
    assert obj["status"]["conditions"] == [{"type": "Ready", "status": "True", "lastTransitionTime": "3"}]
    objects.drop_condition(obj, "Ready")
    assert objects.condition(obj, "Ready") is None


@pytest.mark.parametrize(
    ("phase", "deleting", "node", "active", "holds"),
    [
        ("Running", False, "n", True, True),
        ("Running", True, "n", False, True),
        ("Succeeded", False, "n", False, False),
        ("Pending", False, "", True, False),
    ],
)
def test_who_counts_for_its_controller_and_who_occupies_its_node(
    phase: str, *, deleting: bool, node: str, active: bool, holds: bool
) -> None:
    found: Obj = {"metadata": {}, "spec": {"nodeName": node}, "status": {"phase": phase}}
    if deleting:
        found["metadata"]["deletionTimestamp"] = "now"
    assert objects.active(found) is active
    assert objects.holds_resources(found) is holds


def test_template_hashes_are_stable_and_differ_by_content() -> None:
    one = objects.template_hash({"a": 1, "b": 2})
    assert one == objects.template_hash({"b": 2, "a": 1})
    assert one != objects.template_hash({"a": 1, "b": 3})
    assert len(one) == 10
    assert not set(one) & set("aeiou")


def test_only_the_controlling_owner_owns() -> None:
    obj = {"metadata": {"ownerReferences": [{"uid": "1"}, {"uid": "2", "controller": True}]}}
    assert objects.owned_by(obj, "2")
    assert not objects.owned_by(obj, "1")
    assert objects.controller_of({"metadata": {}}) is None
