"""Does a pod fit a node? Selector, affinity, taints, CPU, memory, whole GPUs, pod count: pure functions.

A refusal is a short phrase in the scheduler's own words, so that both schedulers can count phrases into the
histogram that people read (`2 Insufficient cpu`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from sealane.kube import selectors
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj

GPU = "nvidia.com/gpu"
_OPERATORS = {"Gt": selectors.GREATER, "Lt": selectors.LESS}


class Room(msgspec.Struct, frozen=True):
    """What of a node is free: resources in base units."""

    node: str
    free: Mapping[str, Fraction]


def room(node: Obj, pods: Iterable[Obj]) -> Room:
    """Allocatable minus what bound, unfinished pods ask for."""
    name = node["metadata"]["name"]
    allocatable = node.get("status", {}).get("allocatable") or {}
    free = {key: objects.number(value) for key, value in allocatable.items()}
    for pod in pods:
        if pod["spec"].get("nodeName") != name or not objects.holds_resources(pod):
            continue
        free["pods"] = free.get("pods", Fraction(0)) - 1
        for key, amount in objects.requests(pod).items():
            free[key] = free.get(key, Fraction(0)) - amount
    return Room(name, free)


def refusal(pod: Obj, node: Obj, space: Room, *, pods: Iterable[Obj] = (), nodes: Iterable[Obj] = ()) -> str:
    """Why this pod cannot go to this node, "" when it can."""
    problem = placement_refusal(pod, node, pods, nodes)
    if problem:
        return problem
    if space.free.get("pods", Fraction(1)) < 1:
        return "Too many pods"
    for name, amount in sorted(objects.requests(pod).items()):
        if amount > space.free.get(name, Fraction(0)):
            return f"Insufficient {name}"
    return ""


def placement_refusal(pod: Obj, node: Obj, pods: Iterable[Obj] = (), nodes: Iterable[Obj] = ()) -> str:
    """The part of `refusal` that has nothing to do with amounts: cordon, taints, selector, pod affinity."""
    if not selects(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    if node["spec"].get("unschedulable") and not _tolerates(
        pod, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    ):
        return "node(s) were unschedulable"
    taint = untolerated(pod, node)
    if taint is not None:
        value = f": {taint['value']}" if taint.get("value") else ": "
        return f"node(s) had untolerated taint {{{taint['key']}{value}}}"
    return pod_affinity_refusal(pod, node, list(pods), list(nodes))


def pod_affinity_refusal(pod: Obj, node: Obj, pods: list[Obj], nodes: list[Obj]) -> str:
    """Required pod affinity and anti-affinity, by labels in the pod's own namespace.

    A pod whose affinity term selects itself may be the first of its kind, as in the real scheduler.
    """
    affinity = pod["spec"].get("affinity") or {}
    domains = {item["metadata"]["name"]: objects.labels(item) for item in (*nodes, node)}
    for kind, wanted in (("podAffinity", True), ("podAntiAffinity", False)):
        terms = (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for term in terms:
            selector = selectors.of_object(term.get("labelSelector"))
            others = [
                domains.get(other["spec"]["nodeName"], {}).get(term["topologyKey"])
                for other in pods
                if other["metadata"].get("namespace") == pod["metadata"].get("namespace")
                and objects.holds_resources(other)
                and selector.matches(objects.labels(other))
            ]
            here = objects.labels(node).get(term["topologyKey"])
            if wanted and not others and selector.matches(objects.labels(pod)):
                continue
            if (here in others) is not wanted:
                return f"node(s) didn't match pod {'' if wanted else 'anti-'}affinity rules"
    return ""


def selects(pod: Obj, node: Obj) -> bool:
    """nodeSelector and required node affinity."""
    labels = objects.labels(node)
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term(term: Obj, node: Obj) -> bool:
    labels = objects.labels(node)
    fields = {"metadata.name": node["metadata"]["name"]}
    expressions = [(item, labels) for item in term.get("matchExpressions") or ()]
    expressions += [(item, fields) for item in term.get("matchFields") or ()]
    return bool(expressions) and all(_matches(item, values) for item, values in expressions)


def _matches(expression: Obj, labels: Mapping[str, str]) -> bool:
    operator = expression["operator"]
    values = tuple(expression.get("values") or ())
    if operator in _OPERATORS:
        return selectors.Requirement(expression["key"], _OPERATORS[operator], values).matches(labels)
    return selectors.of_object({"matchExpressions": [expression]}).matches(labels)


def untolerated(pod: Obj, node: Obj) -> Obj | None:
    """The first NoSchedule/NoExecute taint of the node that the pod does not tolerate."""
    for taint in node["spec"].get("taints") or ():
        if taint.get("effect") in {"NoSchedule", "NoExecute"} and not _tolerates(pod, taint):
            return dict(taint)
    return None


def _tolerates(pod: Obj, taint: Obj) -> bool:
    for item in pod["spec"].get("tolerations") or ():
        if item.get("effect") and item["effect"] != taint.get("effect"):
            continue
        if item.get("operator") == "Exists":
            if not item.get("key") or item["key"] == taint["key"]:
                return True
        elif item.get("key") == taint["key"] and item.get("value", "") == taint.get("value", ""):
            return True
    return False


def ready(node: Obj) -> bool:
    """Whether the node reports Ready=True."""
    found = objects.condition(node, "Ready")
    return found is not None and found["status"] == "True"
