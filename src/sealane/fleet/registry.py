"""The fleet: every cluster that the user's contexts name, each on its own.

Entering returns at once. Clusters connect in the background and keep trying; one that cannot be reached is listed with
its cause and slows nothing. Leaving cancels every watch and closes every connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from sealane.fleet.cluster import Cluster
from sealane.fleet.errors import UnknownCluster
from sealane.fleet.ports import ClientFactory, Reflect
from sealane.fleet.subscriptions import PACE, Hub, Pair, Subscription
from sealane.kube import watch
from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.lib.clock import SYSTEM, Clock


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
        self._group: asyncio.TaskGroup | None = None
        self._probes: list[asyncio.Task[None]] = []
        make = make_client or (lambda context: Client(context, clock=clock))
        self.clusters: dict[str, Cluster] = {
            context.name: Cluster(
                context,
                make(context),
                reflect=reflect or watch.reflect,
                clock=clock,
                publish=self._hub.publish,
                sandbox=sandbox,
            )
            for context in contexts
        }

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name. Raises UnknownCluster with the nearest names."""
        found = self.clusters.get(name)
        if found is None:
            raise UnknownCluster.named(name, self.clusters)
        return found

    def subscribe(self, *, pace: float = PACE) -> Subscription[Pair]:
        """Batches of what changed, merged and bounded, at most one each `pace` seconds; the caller closes it."""
        return self._hub.subscribe(pace=pace)

    async def __aenter__(self) -> Fleet:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        for cluster in self.clusters.values():
            self._probes += cluster.start(self._group)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.close()
        for task in [*self._probes, *(task for cluster in self.clusters.values() for task in cluster.tasks())]:
            task.cancel()
        try:
            if self._group is not None:
                await self._group.__aexit__(None, None, None)
        finally:
            self._group = None
            for cluster in self.clusters.values():
                await cluster.client.close()
