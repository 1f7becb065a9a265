"""Clusters from the fleet. Facts are built from the live cache and kept for a second, for live pages ask oftener."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from sealane.console.services import ClusterRow
from sealane.fleet import Fleet
from sealane.fleet.cluster import Cluster
from sealane.fleet.states import Freshness
from sealane.gpus import inventory
from sealane.gpus.facts import ClusterFacts
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import SealaneError

_KEPT = 1.0  # seconds
_SETTLE = 3.0  # seconds that a page may wait for a cluster's first full answer


class RealClusters:
    """The fleet, as the console sees it."""

    def __init__(self, fleet: Fleet, *, clock: Clock = SYSTEM) -> None:
        self._fleet = fleet
        self._clock = clock
        self._facts: tuple[ClusterFacts, ...] = ()
        self._read_at = float("-inf")

    def rows(self) -> Sequence[ClusterRow]:
        """Every cluster with its state; a cause is the fleet's own sentence."""
        return [self._row(cluster) for cluster in self._fleet.clusters.values()]

    def facts(self) -> Sequence[ClusterFacts]:
        """Facts of the clusters that have been read at least once, old as they may be (`rows` says how old)."""
        now = self._clock.monotonic()
        if now - self._read_at >= _KEPT:
            self._facts = tuple(inventory.facts(item) for item in self._fleet.clusters.values() if _readable(item))
            self._read_at = now
        return self._facts

    async def settle(self) -> None:
        """Give clusters that were never read a moment to be; those that do not answer are left to their own state."""
        waiting = [item for item in self._fleet.clusters.values() if not _readable(item) and _hopeful(item)]
        if not waiting:
            return
        await asyncio.gather(*(_read(item) for item in waiting))
        self._read_at = float("-inf")

    async def changes(self) -> AsyncIterator[None]:
        """One turn for each batch of the fleet."""
        subscription = self._fleet.subscribe(kinds=inventory.KINDS)
        try:
            async for _ in subscription:
                self._read_at = min(self._read_at, self._clock.monotonic() - _KEPT / 2)
                yield None
        finally:
            subscription.close()

    def _row(self, cluster: Cluster) -> ClusterRow:
        state, behind = cluster.state, _behind(cluster)
        return ClusterRow(
            name=cluster.name,
            state=state.state,
            sentence="" if state.state == "live" else state.sentence,
            version=cluster.version,
            server=cluster.context.server,
            user=cluster.context.user,
            age=max(0.0, (self._clock.now() - state.since).total_seconds()) if state.state != "live" else 0.0,
            error=state.error,
            warnings=cluster.context.warnings,
            behind=behind.age if behind else 0.0,
            behind_why=behind.sentence if behind else "",
        )


def _behind(cluster: Cluster) -> Freshness | None:
    """The oldest of what is shown of a cluster; None while all of it is live. Looks at what is watched anyway."""
    old = [each for each in cluster.watched_freshness() if each.state in {"reconnecting", "stale"}]
    return max(old, key=lambda each: each.age, default=None)


def _readable(cluster: Cluster) -> bool:
    """Whether every kind that facts are made of has been read once, or is known to be out of reach. What was read stays
    known while the cluster is away; its age is told beside it."""
    # A kind is watched from the first time that it is asked for, so all of them are asked for, not the first alone.
    states = {cluster.freshness(kind).state for kind in inventory.KINDS}
    return "loading" not in states and (cluster.state.answers or bool(states & {"live", "reconnecting", "stale"}))


def _hopeful(cluster: Cluster) -> bool:
    return cluster.state.answers or cluster.state.state == "connecting"


async def _read(cluster: Cluster) -> None:
    with contextlib.suppress(SealaneError):
        await cluster.synced(*inventory.KINDS, timeout=_SETTLE)
