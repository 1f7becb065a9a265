"""The fleet: every cluster that the user's contexts name, each on its own.

Entering returns at once. Clusters connect in the background and keep trying; one that cannot be reached is listed with
its cause and slows nothing. Leaving cancels every watch and closes every connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from types import TracebackType

import msgspec

from sealane.fleet.cluster import Cluster
from sealane.fleet.errors import UnknownCluster
from sealane.fleet.memo import Memo
from sealane.fleet.ports import ClientFactory, Reflect
from sealane.fleet.subscriptions import PACE, Hub, Pair, Subscription
from sealane.kube import watch
from sealane.kube.client import Client
from sealane.kube.config import Context, same_person
from sealane.kube.resources import Resource
from sealane.lib.clock import SYSTEM, Clock


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """Names of clusters that a change began and ended to follow; one that is in both is another cluster by now."""

    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Fleet:
    """Many clusters as one. An async context manager; `clusters` is by context name, in the order given."""

    def __init__(
        self,
        contexts: Sequence[Context],
        *,
        sandbox: bool = False,
        clock: Clock = SYSTEM,
        make_client: ClientFactory | None = None,
        reflect: Reflect | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self._hub: Hub[Pair] = Hub(clock)
        self._memo = Memo()
        self._group: asyncio.TaskGroup | None = None
        self._make_client = make_client or (lambda context: Client(context, clock=clock))
        self._reflect = reflect or watch.reflect
        self._replacing = asyncio.Lock()
        self.clusters: dict[str, Cluster] = {context.name: self._made(context) for context in contexts}

    def _made(self, context: Context) -> Cluster:
        return Cluster(
            context,
            self._make_client(context),
            reflect=self._reflect,
            clock=self.clock,
            hub=self._hub,
            memo=self._memo,
            sandbox=self.sandbox,
        )

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name. Raises UnknownCluster with the nearest names."""
        found = self.clusters.get(name)
        if found is None:
            raise UnknownCluster.named(name, self.clusters)
        return found

    def subscribe(self, *, pace: float = PACE, kinds: Collection[Resource] = ()) -> Subscription[Pair]:
        """Batches of what changed, merged and bounded, at most one each `pace` seconds; the caller closes it. `kinds`
        that were looked at once stay watched meanwhile, also in quiet times in which nobody reads them."""
        return self._hub.subscribe(pace=pace, kinds=kinds)

    async def __aenter__(self) -> Fleet:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        for cluster in self.clusters.values():
            cluster.start(self._group)
        return self

    async def replace(self, contexts: Sequence[Context]) -> Replaced:
        """Follow these contexts from now on. A cluster whose context means the same person at the same server goes on
        with its cache and watches; others are closed, and new ones connect in the background.

        `clusters` becomes another dict, so who walks through the former one is not disturbed; every subscription is
        told to read everything anew.
        """
        async with self._replacing:
            before, after = self.clusters, dict[str, Cluster]()
            for context in contexts:
                known = before.get(context.name)
                if known is None or not same_person(known.context, context):
                    known = self._made(context)
                known.adopt(context)
                after[context.name] = known
            left = [cluster for name, cluster in before.items() if after.get(name) is not cluster]
            new = [cluster for name, cluster in after.items() if before.get(name) is not cluster]
            self.clusters = after
            if self._group is not None:
                for cluster in new:
                    cluster.start(self._group)
            self._hub.publish_all()
            for cluster in left:
                await cluster.stop()
        return Replaced(new=tuple(cluster.name for cluster in new), left=tuple(cluster.name for cluster in left))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.close()
        for cluster in self.clusters.values():
            for task in cluster.tasks():
                task.cancel()
        try:
            if self._group is not None:
                await self._group.__aexit__(None, None, None)
        finally:
            self._group = None
            for cluster in self.clusters.values():
                await cluster.client.close()
