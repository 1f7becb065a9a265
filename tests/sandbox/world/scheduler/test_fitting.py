"""Does a pod fit a node: amounts, taints, selectors, affinity."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.world.scheduler import fitting

Obj = dict[str, Any]


def node(name: str = "n", **more: Any) -> Obj:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "3", "nvidia.com/gpu": "1"}
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name, "size": "5", **more.pop("labels", {})}}
    return {"metadata": meta, "spec": more, "status": {"allocatable": allocatable}}


def pod(name: str = "p", *, requests: Obj | None = None, labels: Obj | None = None, **spec: Any) -> Obj:
    container = {"name": "c", "resources": {"requests": requests or {}}}
    meta = {"name": name, "namespace": "ns", "labels": labels or {}}
    return {"metadata": meta, "spec": {"containers": [container], **spec}}


def affinity(*expressions: Obj) -> Obj:
    term = {"matchExpressions": list(expressions)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def why(wanted: Obj, target: Obj, *pods: Obj) -> str:
    return fitting.refusal(wanted, target, fitting.room(target, pods), pods=pods, nodes=[target])


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({"cpu": "4"}, ""),
        ({"cpu": "4001m"}, "Insufficient cpu"),
        ({"memory": "9Gi"}, "Insufficient memory"),
        ({"nvidia.com/gpu": "2"}, "Insufficient nvidia.com/gpu"),
        ({"example.com/fpga": "1"}, "Insufficient example.com/fpga"),
    ],
)
def test_amounts_are_compared_exactly(requests: Obj, expected: str) -> None:
    assert why(pod(requests=requests), node()) == expected


def test_what_runs_already_takes_its_part_and_the_finished_do_not() -> None:
    running = pod("a", requests={"cpu": "3"}, nodeName="n")
    assert why(pod(requests={"cpu": "2"}), node(), running) == "Insufficient cpu"
    running["status"] = {"phase": "Failed"}
    assert why(pod(requests={"cpu": "2"}), node(), running) == ""


def test_a_node_takes_only_so_many_pods() -> None:
    full = [pod(f"p{number}", nodeName="n") for number in range(3)]
    assert why(pod(), node(), *full) == "Too many pods"


def test_init_containers_count_when_they_are_the_largest() -> None:
    wanted = pod(requests={"cpu": "1"})
    wanted["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "5"}}}]
    assert why(wanted, node()) == "Insufficient cpu"


def test_cordons_and_taints_are_obeyed_unless_tolerated() -> None:
    assert why(pod(), node(unschedulable=True)) == "node(s) were unschedulable"
    tainted = node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    assert why(pod(), tainted) == "node(s) had untolerated taint {gpu: yes}"
    for toleration in (
        {"key": "gpu", "operator": "Equal", "value": "yes"},
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"operator": "Exists"},
    ):
        assert why(pod(tolerations=[toleration]), tainted) == ""
    assert why(pod(tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]), tainted)
    assert why(pod(), node(taints=[{"key": "gpu", "effect": "PreferNoSchedule"}])) == ""


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "size", "operator": "In", "values": ["5"]}, True),
        ({"key": "size", "operator": "NotIn", "values": ["5"]}, False),
        ({"key": "size", "operator": "Gt", "values": ["4"]}, True),
        ({"key": "size", "operator": "Gt", "values": ["5"]}, False),
        ({"key": "size", "operator": "Lt", "values": ["6"]}, True),
        ({"key": "ghost", "operator": "Exists"}, False),
        ({"key": "ghost", "operator": "DoesNotExist"}, True),
    ],
)
def test_node_affinity_knows_all_operators(expression: Obj, *, fits: bool) -> None:
    assert (why(pod(affinity=affinity(expression)), node()) == "") is fits


def test_a_node_selector_must_match() -> None:
    assert why(pod(nodeSelector={"size": "6"}), node()) == "node(s) didn't match Pod's node affinity/selector"


def pod_affinity(kind: str) -> Obj:
    term = {"labelSelector": {"matchLabels": {"app": "m"}}, "topologyKey": "kubernetes.io/hostname"}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_copies_that_must_share_a_node_follow_the_first_one() -> None:
    wanted = pod(labels={"app": "m"}, affinity=pod_affinity("podAffinity"))
    first = pod("first", labels={"app": "m"}, nodeName="n")
    assert why(wanted, node()) == ""
    assert why(wanted, node(), first) == ""
    other = node("other")
    text = fitting.refusal(wanted, other, fitting.room(other, [first]), pods=[first], nodes=[node(), other])
    assert text == "node(s) didn't match pod affinity rules"
    assert why(pod(affinity=pod_affinity("podAffinity")), node()) == "node(s) didn't match pod affinity rules"


def test_copies_that_must_not_share_a_node_avoid_it() -> None:
    wanted = pod(labels={"app": "m"}, affinity=pod_affinity("podAntiAffinity"))
    first = pod("first", labels={"app": "m"}, nodeName="n")
    assert why(wanted, node(), first) == "node(s) didn't match pod anti-affinity rules"
    assert why(wanted, node("other"), first) == ""
