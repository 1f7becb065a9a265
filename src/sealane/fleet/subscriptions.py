"""Who wants to know that something changed, and gets told at a pace that it can keep.

Changes are merged while a reader is busy: it gets one batch of what changed (for the fleet, pairs of cluster and
kind), never a queue of events, so a slow reader costs a set and not memory without end. Past `LIMIT` entries the
batch says "everything", which is always a right answer for somebody who reads the cache again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

from sealane.kube.resources import Resource
from sealane.lib.clock import Clock

LIMIT = 1024
PACE = 0.05
"""Seconds between batches: changes of a burst travel together."""

T = TypeVar("T", bound=Hashable)
Pair = tuple[str, Resource | None]
"""(cluster, kind); the kind is None when the cluster's own state changed."""


class Batch(Generic[T]):
    """What changed since the last batch. With `everything`, `changes` is beside the point: read all again."""

    __slots__ = ("changes", "everything")

    def __init__(self, changes: frozenset[T], *, everything: bool = False) -> None:
        self.changes = changes
        self.everything = everything

    def __iter__(self) -> Iterator[T]:
        return iter(self.changes)

    def __contains__(self, change: object) -> bool:
        return self.everything or change in self.changes


def touches(batch: Batch[Pair], *resources: Resource) -> bool:
    """True when any of these kinds changed anywhere in the fleet."""
    return batch.everything or any(kind in resources for _, kind in batch)


class Subscription(Generic[T]):
    """An endless iterator of batches, ended by `close()`. Begins with "everything" so that nobody misses the start."""

    def __init__(
        self, clock: Clock, *, limit: int = LIMIT, pace: float = PACE, kinds: Collection[Resource] = ()
    ) -> None:
        self.kinds = frozenset(kinds)
        """Kinds that are watched for as long as this is open, whether or not anybody reads them meanwhile."""
        self._clock = clock
        self._limit = limit
        self._pace = pace
        self._changes: set[T] = set()
        self._everything = True
        self._closed = False
        self._wake = asyncio.Event()
        self._wake.set()
        self._last = float("-inf")

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, change: T) -> None:
        """Note a change. Never blocks, never grows past the limit."""
        if not self._everything:
            self._changes.add(change)
            if len(self._changes) > self._limit:
                self._changes.clear()
                self._everything = True
        self._wake.set()

    def put_all(self) -> None:
        """Note that anything may have changed."""
        self._changes.clear()
        self._everything = True
        self._wake.set()

    def close(self) -> None:
        """End the iteration; what was not read yet is dropped."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> Batch[T]:
        await self._wake.wait()
        early = self._last + self._pace - self._clock.monotonic()
        if early > 0 and not self._closed:
            await self._clock.sleep(early)
        if self._closed:
            raise StopAsyncIteration
        self._wake.clear()
        self._last = self._clock.monotonic()
        batch = Batch(frozenset(self._changes), everything=self._everything)
        self._changes.clear()
        self._everything = False
        return batch


class Hub(Generic[T]):
    """Hands every change to every open subscription."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[Subscription[T]] = set()

    def subscribe(self, *, pace: float = PACE, kinds: Collection[Resource] = ()) -> Subscription[T]:
        """A new subscription; the caller closes it. `pace` is the least seconds between two batches, `kinds` what is to
        be watched meanwhile."""
        subscription: Subscription[T] = Subscription(self._clock, pace=pace, kinds=kinds)
        self._open.add(subscription)
        return subscription

    def wants(self, kind: Resource) -> bool:
        """Whether somebody who listens lives on this kind."""
        return any(kind in subscription.kinds for subscription in self._open if not subscription.closed)

    def publish_all(self) -> None:
        """Tell everybody to read everything anew: there are other clusters than before."""
        for subscription in self._open:
            subscription.put_all()

    def publish(self, change: T) -> None:
        """Tell everybody; closed subscriptions are forgotten on the way."""
        self._open = {subscription for subscription in self._open if not subscription.closed}
        for subscription in self._open:
            subscription.put(change)

    def close(self) -> None:
        """End all subscriptions."""
        for subscription in self._open:
            subscription.close()
        self._open.clear()
