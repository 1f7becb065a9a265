"""Which replicas serve which model, as a value that requests read without waiting.

A source rebuilds its `Routes` when something changes and swaps the whole value in; a request sees one of them, never
half of each. Where the replicas come from (a fleet's live cache, a list in a test) is the source's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from sealane.gateway.upstream import Upstream


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One ready engine. `model` is the exact tag that it serves; `context` in tokens and `parallel` as deployed."""

    cluster: str
    namespace: str
    pod: str
    name: str  # of the Deployment
    model: str
    context: int = 0
    parallel: int = 1
    uid: str = ""

    @property
    def id(self) -> str:
        """`cluster/namespace/pod`, and the pod's uid where names come again (StatefulSets)."""
        return f"{self.cluster}/{self.namespace}/{self.pod}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One model as clients may name it, and who serves it. No replicas: none is ready yet, `waiting` says why."""

    model: str
    replicas: tuple[Replica, ...]
    waiting: str = ""


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be asked for: `by_name` has exact tags and their other spellings; `models` the exact tags."""

    models: tuple[Entry, ...] = ()
    by_name: Mapping[str, Entry] = {}


class ReplicaSource(Protocol):
    """Where replicas come from."""

    @property
    def routes(self) -> Routes:
        """What is known now; a new object when anything changed, the same one otherwise."""

    @property
    def ready(self) -> bool:
        """Whether the first look has been completed."""

    def reach(self, replica: Replica) -> Upstream:
        """The way to that replica. Cheap; called once for each new replica."""

    async def run(self) -> None:
        """Keep `routes` true until cancelled."""


def routes_of(replicas: Iterable[Replica], *, waiting: Mapping[tuple[str, str, str, str], str] | None = None) -> Routes:
    """Group replicas by model and add the spellings. `waiting`: (cluster, namespace, name, model) → sentence.

    Spellings, weakest first, so that an exact tag always wins: `cluster/namespace/name` (that deployment alone), the
    tag without `:latest`, the tag with it.
    """
    groups: dict[str, list[Replica]] = {}
    places: dict[str, tuple[str, list[Replica]]] = {}
    reasons: dict[str, str] = {}
    for replica in replicas:
        groups.setdefault(replica.model, []).append(replica)
        place = f"{replica.cluster}/{replica.namespace}/{replica.name}"
        places.setdefault(place, (replica.model, []))[1].append(replica)
    for (cluster, namespace, name, model), sentence in (waiting or {}).items():
        groups.setdefault(model, [])
        places.setdefault(f"{cluster}/{namespace}/{name}", (model, []))
        reasons.setdefault(model, sentence)
    entries = {
        model: Entry(model=model, replicas=tuple(found), waiting=reasons.get(model, ""))
        for model, found in sorted(groups.items())
    }
    by_name = {
        place: Entry(model=model, replicas=tuple(found), waiting=reasons.get(model, ""))
        for place, (model, found) in places.items()
    }
    for model, entry in entries.items():
        by_name[other_spelling(model)] = entry
    return Routes(models=tuple(entries.values()), by_name=by_name | entries)


def other_spelling(model: str) -> str:
    """`tiny` ↔ `tiny:latest`; a tag with a version has no other spelling and comes back as it is."""
    if model.endswith(":latest"):
        return model.removesuffix(":latest")
    return model if ":" in model.rsplit("/", 1)[-1] else f"{model}:latest"


class StaticReplicas:
    """A fixed set, each with its way: for tests, benchmarks and a gateway in front of plain addresses."""

    def __init__(self, ways: Mapping[Replica, Upstream]) -> None:
        self._ways: dict[str, Upstream] = {}
        self.routes = Routes()
        self.ready = True
        self.replace(ways)

    def replace(self, ways: Mapping[Replica, Upstream]) -> None:
        """Serve these from now on."""
        self._ways = {replica.id: way for replica, way in ways.items()}
        self.routes = routes_of(ways)

    def reach(self, replica: Replica) -> Upstream:
        """See ReplicaSource."""
        return self._ways[replica.id]

    async def run(self) -> None:
        """Nothing changes by itself."""
