"""How controllers run: changes become keys, keys are reconciled, failures come again.

One pump a cluster reads the Store's changes and only ever marks keys, so that it never falls behind; each controller
works its own keys off in one task. Reconciling is a plain function of what the Store says now (level-triggered):
missed, repeated or reordered changes do no harm. A reconcile may ask to be called again after some simulated seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import ClassVar

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj

log = logging.getLogger(__name__)

Key = tuple[str, ...]


class Controller:
    """Base of all controllers. `kinds` are watched; `pace` is how long a burst of changes is gathered (simulated s),
    `warm_pace` the same while the sandbox warms up (real s)."""

    name: ClassVar[str] = "controller"
    kinds: ClassVar[tuple[str, ...]] = ()
    pace: ClassVar[float] = 0.0
    warm_pace: ClassVar[float] = 0.0

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        """Which keys a change touches; by default the object's own."""
        del change, plural
        return (objects.key(obj),)

    def reconcile(self, key: Key) -> float | None:
        """Bring the Store nearer to what it should be; seconds until it should be looked at again, or None."""
        raise NotImplementedError

    async def run(self) -> None:
        """A controller's own background work, if any; ends at once by default."""


class Worker:
    """Works off the keys of one controller."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._pending: dict[Key, None] = {}
        self._later: dict[Key, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def mark(self, keys: Iterable[Key]) -> None:
        """These keys need a look."""
        for key in keys:
            self._pending[key] = None
        if self._pending:
            self._wake.set()

    def notice(self, change: str, plural: str, obj: Obj) -> None:
        """Mark the keys that a change touches; an object that the controller cannot read holds up no other."""
        try:
            self.mark(self.controller.keys(change, plural, obj))
        except Exception:
            place = "/".join(objects.key(obj))
            log.warning("%s: %s cannot read %s %s", self.controller.cluster.name, self.controller.name, plural, place)
            log.debug("cause", exc_info=True)

    async def run(self) -> None:
        """Reconcile for ever; one failing key holds up no other."""
        cluster = self.controller.cluster
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                controller = self.controller
                pace = controller.warm_pace * cluster.clock.speed if cluster.warm else controller.pace
                if pace:
                    await cluster.clock.sleep(pace)
                while self._pending:
                    key = next(iter(self._pending))
                    del self._pending[key]
                    again = self._reconcile(key)
                    if again is not None:
                        self._come_back(group, key, again)
                    await asyncio.sleep(0)

    def _reconcile(self, key: Key) -> float | None:
        try:
            return self.controller.reconcile(key)
        except Exception:
            log.warning("%s: %s failed on %s; trying again", self.controller.cluster.name, self.controller.name, key)
            log.debug("cause", exc_info=True)
            return 1.0

    def _come_back(self, group: asyncio.TaskGroup, key: Key, seconds: float) -> None:
        earlier = self._later.pop(key, None)
        if earlier is not None:
            earlier.cancel()
        self._later[key] = group.create_task(self._wait(key, seconds), name=f"{self.controller.name} again")

    async def _wait(self, key: Key, seconds: float) -> None:
        await self.controller.cluster.clock.sleep(seconds)
        self._later.pop(key, None)
        self.mark((key,))


async def run(cluster: Cluster, controllers: Sequence[Controller]) -> None:
    """Run the controllers of one cluster until cancelled."""
    workers = [Worker(controller) for controller in controllers]
    async with asyncio.TaskGroup() as group:
        group.create_task(_pump(cluster, workers), name=f"pump {cluster.name}")
        for worker in workers:
            group.create_task(worker.run(), name=f"{worker.controller.name} {cluster.name}")
            group.create_task(worker.controller.run(), name=f"{worker.controller.name} background {cluster.name}")


async def _pump(cluster: Cluster, workers: Sequence[Worker]) -> None:
    interested: dict[str, list[Worker]] = {}
    for worker in workers:
        for plural in worker.controller.kinds:
            interested.setdefault(plural, []).append(worker)
    kinds = [kind for kind in (cluster.kind(plural) for plural in interested if plural != "*") if kind is not None]
    everywhere = interested.get("*", [])
    async for event in cluster.store.subscribe(*([] if everywhere else kinds)):
        plural = event.kind.plural
        cluster.learn(event.kind)
        for worker in (*interested.get(plural, ()), *everywhere):
            worker.notice(event.type, plural, event.object)
