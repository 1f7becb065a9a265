"""Clusters and cards for the tests of models/: small, explicit, easy to change by one field."""

from __future__ import annotations

from typing import Any

import msgspec

from sealane.gpus.facts import Card, ClusterFacts, Node, Queue
from sealane.models import catalogue
from sealane.models.types import ModelCard, ModelSpec

GIB = 1024**3


def node(name: str, *, memory_mib: int | None = 46_068, free: tuple[float, ...] = (1.0,), **more: Any) -> Node:
    cards = tuple(Card(index=index, free=part) for index, part in enumerate(free))
    given: dict[str, Any] = {
        "ready": True,
        "schedulable": True,
        "product": "L40S",
        "cpu_free": 16.0,
        "memory_free": 128 * GIB,
    }
    return Node(name=name, memory_mib=memory_mib, cards=cards, **(given | more))


def queue(name: str, *, parent: str = "", quota: float | None = None, limit: float | None = None, **more: Any) -> Queue:
    given: dict[str, Any] = {"weight": 1.0, "allocated": 0.0, "allocated_non_preemptible": 0.0, "requested": 0.0}
    return Queue(name=name, parent=parent, quota=quota, limit=limit, **(given | more))


def kai(**change: Any) -> ClusterFacts:
    """A KAI cluster: one node of 24 GiB cards, one of 45 GiB cards; queues research and vision below a root."""
    facts = ClusterFacts(
        name="harbor-eu",
        version="v1.34.1",
        kai=True,
        gpu_sharing=True,
        region="eu",
        nodes=(node("gpu-1", memory_mib=24_564, free=(1.0, 0.5)), node("gpu-2", free=(1.0, 1.0))),
        queues=(
            queue("root", children=("research", "vision")),
            queue("research", parent="root", quota=4.0, limit=6.0),
            queue("vision", parent="root", quota=1.0, limit=1.0, allocated=1.0, allocated_non_preemptible=1.0),
        ),
        namespaces=("default", "team-a"),
        storage_class="standard",
    )
    return msgspec.structs.replace(facts, **change)


def plain(**change: Any) -> ClusterFacts:
    """A cluster without KAI: one node with one whole 24 GiB card."""
    facts = ClusterFacts(
        name="bench",
        version="v1.34.1",
        kai=False,
        gpu_sharing=None,
        region="",
        nodes=(node("desk", memory_mib=24_564),),
        queues=(),
        namespaces=("default",),
        storage_class="",
    )
    return msgspec.structs.replace(facts, **change)


def card(tag: str = "qwen2.5-coder:7b", **change: Any) -> ModelCard:
    return msgspec.structs.replace(catalogue.load().find(tag), **change)


def spec(model: str = "qwen2.5-coder:7b", **more: Any) -> ModelSpec:
    given: dict[str, Any] = {"cluster": "harbor-eu"}
    return ModelSpec(model=model, **(given | more))
