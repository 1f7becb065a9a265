"""A cluster as the planner sees it: cards, queues, switches and rights, as plain values.

Made by `gpus.inventory` from the live cache; read by `models.plan` and `models.fit`, which do no I/O. GPU amounts are
devices (0.25 is a quarter of a card); memory is MiB of one card; None means unlimited for quotas and unknown elsewhere.
"""

from __future__ import annotations

import msgspec


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One physical GPU. `free` is 0–1 of it; `group` is KAI's id of a shared card ("" when whole or untouched)."""

    index: int
    free: float
    group: str = ""
    users: tuple[str, ...] = ()  # `namespace/pod`


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node. `memory_mib` is per card (None: the label is missing)."""

    name: str
    ready: bool
    schedulable: bool
    product: str
    memory_mib: int | None
    cards: tuple[Card, ...]
    region: str = ""
    zone: str = ""
    cpu_free: float = 0.0  # cores
    memory_free: int = 0  # bytes
    taints: tuple[str, ...] = ()


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One KAI queue: GPUs in devices. `quota` is guaranteed, `limit` the most it may hold; None is unlimited."""

    name: str
    parent: str
    quota: float | None
    limit: float | None
    weight: float
    allocated: float
    allocated_non_preemptible: float
    requested: float
    children: tuple[str, ...] = ()

    @property
    def leaf(self) -> bool:
        return not self.children


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision about one cluster may rest on. None in a switch means not known."""

    name: str
    version: str
    kai: bool
    gpu_sharing: bool | None
    region: str
    nodes: tuple[Node, ...]
    queues: tuple[Queue, ...]
    namespaces: tuple[str, ...] | None  # None: not allowed to list them
    storage_class: str  # the default class, "" when there is none
    deployments: tuple[tuple[str, str, str], ...] = ()  # (namespace, name, managed-by)
    sandbox: bool = False
    nodes_known: bool = True  # False: not allowed to list them, so `nodes` says nothing
    queues_known: bool = True  # False: not allowed to list them, so `queues` says nothing
    pods_known: bool = True  # False: not all pods may be listed, so who is on a card is only known in part
