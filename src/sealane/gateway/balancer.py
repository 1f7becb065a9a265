"""Hands out places at replicas: the routing choice, a bounded line for when all are full, and the memory of who
failed.

The line is per model and strictly first come, first served: a place that becomes free is given to the head of the
line at once, so that a newcomer cannot take it. All of it lives in the event loop's thread; nothing here awaits but
the line.
"""

from __future__ import annotations

import asyncio
import math
import shlex
from collections import deque
from collections.abc import Iterator

from sealane.gateway import routing
from sealane.gateway.errors import NoReplica, QueueFull, UnknownModel
from sealane.gateway.routes import Entry, ReplicaSource, Routes
from sealane.gateway.routing import Slot
from sealane.gateway.settings import Settings
from sealane.lib import text
from sealane.lib.clock import Clock
from sealane.lib.errors import NextStep


class _Waiter:
    __slots__ = ("name", "place", "tried")

    def __init__(self, name: str, tried: list[Slot]) -> None:
        self.name = name
        self.tried = tried
        self.place: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()


class Balancer:
    """One gateway's view of its replicas. `metrics` reads `slots()` and `queued()`."""

    def __init__(self, source: ReplicaSource, *, settings: Settings, clock: Clock) -> None:
        self._source = source
        self._settings = settings
        self._clock = clock
        self._routes: Routes | None = None
        self._by_id: dict[tuple[str, str], Slot] = {}
        self._by_name: dict[str, list[Slot]] = {}
        self._lines: dict[str, deque[_Waiter]] = {}
        self._seconds: dict[str, float] = {}
        self._turn = 0

    def entry(self, name: str) -> Entry:
        """What `name` means. Raises UnknownModel with the nearest names, NoReplica when no copy is ready."""
        self._update()
        routes = self._source.routes
        entry = routes.by_name.get(name)
        if entry is None:
            raise _unknown(name, routes)
        if not entry.replicas:
            why = entry.waiting or "No copy of it is ready yet."
            raise NoReplica(f"Model `{entry.model}` is hosted but does not answer: {why}", retry_after=5)
        return entry

    async def acquire(self, entry: Entry, *, name: str, tried: list[Slot]) -> Slot | None:
        """A place at a replica of `entry`, waiting in line if need be; None when every replica was tried already.

        Raises QueueFull. Give the place back with `release`. A cancelled wait holds no place.
        """
        slots = self._by_name.get(name, [])
        if all(slot in tried for slot in slots):
            return None
        line = self._lines.get(entry.model)
        if not line:
            slot = self._take(name, entry.model, tried)
            if slot is not None:
                return slot
            line = self._lines.setdefault(entry.model, deque())
        if len(line) >= self._settings.queue:
            raise self._full(entry, len(line), slots)
        waiter = _Waiter(name, tried)
        line.append(waiter)
        try:
            return await waiter.place
        except asyncio.CancelledError:
            self._abandon(entry.model, waiter)
            raise

    def release(self, slot: Slot, *, model: str, seconds: float) -> None:
        """Give a place back; the head of the line gets it. `seconds` is how long it was held."""
        slot.in_flight -= 1
        known = self._seconds.get(model)
        self._seconds[model] = seconds if known is None else known * 0.9 + seconds * 0.1
        if self._lines:
            self._serve(model)

    def succeeded(self, slot: Slot, model: str) -> None:
        """The replica answered: it is well, and has that model loaded."""
        slot.ejected_until = 0.0
        if model not in slot.loaded:
            slot.loaded = slot.loaded | {model}

    def failed(self, slot: Slot) -> None:
        """The replica did not answer: avoid it for a while."""
        slot.ejected_until = self._clock.monotonic() + self._settings.eject

    def tick(self) -> None:
        """See what changed (replicas came, ejections ended) and serve the lines."""
        self._update()
        for model in list(self._lines):
            self._serve(model)

    def slots(self) -> Iterator[Slot]:
        """Every replica known now."""
        self._update()
        return iter(self._by_id.values())

    def queued(self) -> dict[str, int]:
        """How many requests wait, by model."""
        return {model: len(line) for model, line in self._lines.items() if line}

    def ejected(self) -> int:
        """How many replicas are avoided now."""
        now = self._clock.monotonic()
        return sum(slot.ejected_until > now for slot in self._by_id.values())

    def _take(self, name: str, model: str, tried: list[Slot]) -> Slot | None:
        self._turn += 1
        slots = self._by_name.get(name, [])
        slot = routing.choose(slots, model=model, now=self._clock.monotonic(), turn=self._turn, tried=tried)
        if slot is not None:
            slot.in_flight += 1
        return slot

    def _serve(self, model: str) -> None:
        line = self._lines.get(model)
        while line:
            head = line[0]
            slot = self._take(head.name, model, head.tried)
            if slot is None:
                return
            line.popleft()
            head.place.set_result(slot)
        self._lines.pop(model, None)

    def _abandon(self, model: str, waiter: _Waiter) -> None:
        """The one who waited went away: leave the line, or pass on the place that had just been given."""
        if waiter.place.done() and not waiter.place.cancelled():
            waiter.place.result().in_flight -= 1
        line = self._lines.get(model)
        if line is not None and waiter in line:
            line.remove(waiter)
        self._serve(model)

    def _full(self, entry: Entry, waiting: int, slots: list[Slot]) -> QueueFull:
        places = sum(slot.limit for slot in slots) or 1
        seconds = self._seconds.get(entry.model, 1.0) * waiting / places
        return QueueFull(
            f"{text.count(waiting, 'request')} already wait for model `{entry.model}`, which is the limit.",
            retry_after=max(1, min(60, math.ceil(seconds))),
            next_steps=(NextStep(title="Add a copy of the model", command="sealane scale NAME --copies N"),),
        )

    def _update(self) -> None:
        routes = self._source.routes
        if routes is self._routes:
            return
        self._routes = routes
        old, self._by_id = self._by_id, {}
        for entry in routes.models:
            for replica in entry.replicas:
                identity = (replica.id, replica.uid)
                slot = old.get(identity)
                if slot is None:
                    slot = Slot(replica, self._source.reach(replica), limit=routing.limit_of(replica))
                elif slot.replica != replica:  # the same slot, because requests under way give their places back to it
                    slot.replica, slot.upstream = replica, self._source.reach(replica)
                    slot.limit = routing.limit_of(replica)
                self._by_id[identity] = slot
        self._by_name = {
            name: [self._by_id[(r.id, r.uid)] for r in entry.replicas] for name, entry in routes.by_name.items()
        }


_LONGEST_NAME = 200  # characters of a name that are compared and said again; bodies may be of any size


def _unknown(name: str, routes: Routes) -> UnknownModel:
    known = [entry.model for entry in routes.models]
    name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    near = text.nearest(name, known)
    if near:
        hint = f"did you mean {text.listing([f'`{model}`' for model in near], word='or')}?"
    elif known:
        hint = f"hosted are {text.listing([f'`{model}`' for model in known[:5]])}."
    else:
        hint = "no model is hosted yet."
    steps = (NextStep(title="Host it", command=f"sealane host {shlex.quote(name)} --cluster CLUSTER"),)
    return UnknownModel(f"No replica serves a model named `{name}`; {hint}", next_steps=steps)
