"""Which replica gets a request: one pure choice over what is known, and the book in which it is known.

Order of preference: has the model loaded (a load blocks everything else on that Ollama), fewest requests in flight;
ties go round, so that equal replicas share. A full replica is never chosen: the caller waits. One that failed a
moment ago is chosen only when all others did too, because then a try costs nothing and a refusal would.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sealane.gateway.routes import Replica
from sealane.gateway.upstream import Upstream


class Slot:
    """What the gateway knows of one replica: requests in flight and their limit, what is loaded, its last failure."""

    __slots__ = ("ejected_until", "header", "in_flight", "limit", "loaded", "replica", "upstream")

    def __init__(self, replica: Replica, upstream: Upstream, *, limit: int) -> None:
        self.replica = replica
        self.upstream = upstream
        self.limit = limit
        self.header = (b"x-sealane-replica", replica.id.encode())
        self.in_flight = 0
        self.loaded: frozenset[str] = frozenset()
        self.ejected_until = 0.0


def choose(slots: Sequence[Slot], *, model: str, now: float, turn: int, tried: Collection[Slot] = ()) -> Slot | None:
    """The best of `slots` for `model`, or None when every candidate is full or was `tried` already.

    `now` is monotonic seconds; `turn` any number that grows by one a request, so that ties go round.
    """
    candidates = [slot for slot in slots if slot not in tried] if tried else slots
    healthy = [slot for slot in candidates if slot.ejected_until <= now]
    best: Slot | None = None
    best_rank = (True, 0, 0)
    pool = healthy or candidates
    size = len(pool)
    for index, slot in enumerate(pool):
        if slot.in_flight >= slot.limit:
            continue
        rank = (model not in slot.loaded, slot.in_flight, (index - turn) % size)
        if best is None or rank < best_rank:
            best, best_rank = slot, rank
    return best


def limit_of(replica: Replica) -> int:
    """How many requests one replica may hold: what it works on at once and as many again, so that it never idles.

    More would wait inside Ollama, which knows no bound and no other replica (OLLAMA_MAX_QUEUE bounds only loads).
    """
    return max(4, 2 * replica.parallel)
