"""What is taken away before answers are compared, and what must stay: a comparison must not hide a fault."""

from __future__ import annotations

import pytest
from talks import differences, normal
from talks.speak import Said


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("web   1/1     1    1     35s", "web  1/1  1  1  <age>"),
        ("web-7d9c5b8f6c-x2k9z   Running", "web-<hash>-<id>  Running"),
        ("creationTimestamp: 2026-11-24T15:12:04Z", "creationTimestamp: <time>"),
        ("uid: 2d7bd723-51ae-4dfe-a91d-49fc3c810f1f", "uid: <uid>"),
        ('resourceVersion: "123"', "resourceVersion: <version>"),
        ("IP:   10.201.0.12", "IP:  <ip>"),
        ("pod-template-hash=7d9c5b8f6c", "pod-template-hash=<hash>"),
        ("Node:  gpu-1/10.0.0.1", "Node:  <node>/<ip>"),
    ],
)
def test_what_differs_between_any_two_clusters_leaves_a_mark(said: str, left: str) -> None:
    assert normal.text(said, nodes=["gpu-1"]) == left


@pytest.mark.parametrize(
    "said",
    [
        "replicas: 2",
        "delay=0s timeout=1s period=5s",
        "Image:  nginx:1.27",
        'The Pod "lone" is invalid: spec.containers: Required value',
        "    image: nginx:1.28",
        "talk-gpu-10",
    ],
)
def test_what_was_asked_for_stays(said: str) -> None:
    assert normal.text(said, nodes=["gpu-1"]) == said


def test_events_of_one_object_have_no_order_and_no_count_and_kubelets_are_not_heard() -> None:
    first = "Events:\n  Normal  B  3s  sched  two\n  Normal  A  5s (x2 over 9s)  sched  one\n"
    first += "  Normal  Pulled  1s  kubelet  x\n"
    second = "Events:\n  Normal  A  1s  sched  one\n  Normal  B  1s  sched  two\n"
    assert normal.text(first) == normal.text(second)
    assert normal.text(first) != normal.text(second.replace("two", "three"))


def test_an_explanation_is_compared_by_fields_and_types_alone() -> None:
    ours = "KIND:       Deployment\n\nDESCRIPTION:\n    Keeps pods.\nFIELDS:\n  replicas\t<integer>\n    How many.\n"
    theirs = ours.replace("Keeps pods.", "Enables updates.").replace("How many.", "Number.")
    assert normal.outline(ours) == normal.outline(theirs)
    assert normal.outline(ours) != normal.outline(ours.replace("<integer>", "<string>"))


REAL = {"one": Said(code=0, out="a", err=""), "two": Said(code=1, out="", err="no")}


def test_a_difference_is_a_fault_unless_it_is_listed() -> None:
    other = REAL | {"two": Said(code=0, out="", err="no")}
    (fault,) = differences.faults(REAL, other, allowed={})
    assert "two: answered differently" in fault
    assert "exit code 1 on the server, 0 here" in fault
    assert differences.faults(REAL, other, allowed={"two": "why"}) == []


def test_a_listed_difference_that_is_gone_is_a_fault_too() -> None:
    assert differences.faults(REAL, REAL, allowed={"one": "why"}) == [
        "one: answered alike, but docs/sandbox.md lists a difference"
    ]


def test_a_conversation_that_was_not_held_is_a_fault() -> None:
    assert differences.faults(REAL, {"one": REAL["one"]}, allowed={}) == ["two: nothing was said"]
