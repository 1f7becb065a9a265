"""The queue tree: sums to the roots, limits and quotas at every level."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.world.scheduler import queues

Obj = dict[str, Any]


def spec(name: str, parent: str = "", **gpu: float) -> Obj:
    return {"metadata": {"name": name}, "spec": {"parentQueue": parent, "resources": {"gpu": gpu}}}


def load(queue: str, allocated: str, *, requested: str = "0", preemptible: bool = True) -> queues.Load:
    return queues.Load(queue, Fraction(allocated), Fraction(requested), preemptible)


def test_loads_are_summed_up_to_the_root() -> None:
    found = [spec("root", quota=9, limit=9), spec("a", "root", quota=2, limit=2), spec("b", "root", quota=1, limit=1)]
    tree = queues.tree(found, [load("a", "0.5"), load("a", "1", preemptible=False), load("b", "0.25", requested="1")])
    assert tree["root"].allocated == Fraction("1.75")
    assert tree["root"].non_preemptible == 1
    assert tree["root"].requested == 1
    assert tree["a"].allocated == Fraction("1.5")
    assert tree["root"].children == ("a", "b")


def test_three_tenths_are_not_more_than_the_tenths_that_make_them() -> None:
    tree = queues.tree([spec("a", quota=0.3, limit=0.3)], [load("a", "0.1"), load("a", "0.1")])
    assert queues.may_start("a", Fraction("0.1"), tree, preemptible=False).reason == ""
    assert queues.may_start("a", Fraction("0.11"), tree, preemptible=False).reason == "OverLimit"


def test_an_absent_limit_lets_nothing_start_and_minus_one_everything() -> None:
    tree = queues.tree([spec("none", quota=1), spec("free", quota=-1, limit=-1)], [])
    assert queues.may_start("none", Fraction(1), tree, preemptible=True).reason == "OverLimit"
    assert queues.may_start("free", Fraction(10_000), tree, preemptible=False).reason == ""


def test_what_asks_for_no_gpu_is_bound_by_no_gpu_limit() -> None:
    tree = queues.tree([spec("none")], [])
    assert queues.may_start("none", Fraction(0), tree, preemptible=False).reason == ""


def test_a_circle_of_parents_ends() -> None:
    tree = queues.tree([spec("a", "b", quota=1, limit=1), spec("b", "a", quota=1, limit=1)], [load("a", "1")])
    assert queues.may_start("a", Fraction(1), tree, preemptible=True).reason == "OverLimit"
    assert tree["b"].allocated == 1


@pytest.mark.parametrize(
    ("labels", "priority", "expected"),
    [
        ({}, "train", True),
        ({}, "build-preemptible", True),
        ({}, "build", False),
        ({}, "inference", False),
        ({"kai.scheduler/preemptibility": "preemptible"}, "inference", True),
        ({"kai.scheduler/preemptibility": "non-preemptible"}, "train", False),
    ],
)
def test_the_label_decides_over_the_priority_who_may_be_interrupted(
    labels: dict[str, str], priority: str, *, expected: bool
) -> None:
    assert queues.preemptible(labels, priority) is expected


@given(st.lists(st.integers(1, 30), max_size=30), st.integers(0, 20))
def test_starting_only_what_may_start_never_passes_the_limit(tenths: list[int], limit: int) -> None:
    loads: list[queues.Load] = []
    found = [spec("root", quota=-1, limit=limit), spec("a", "root", quota=-1, limit=-1)]
    for amount in tenths:
        gpus = Fraction(amount, 10)
        if not queues.may_start("a", gpus, queues.tree(found, loads), preemptible=True).reason:
            loads.append(queues.Load("a", gpus, gpus, True))
    assert sum((item.allocated for item in loads), Fraction(0)) <= limit
