"""One kind of one cluster, kept right by a watch from the moment somebody first asks for it.

A feed owns the kind's cache and its freshness, applies what the watch says, and tells the hub. When the whole
cluster may not be read it watches the namespaces that are known by name instead (the context's own, and those
that somebody asked for), so that people with rights in one namespace see that namespace. It never raises: a fault
of ours is logged and the watch begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sealane.fleet import states
from sealane.fleet.cache import KindCache
from sealane.fleet.ports import Reflect
from sealane.kube.client import Client
from sealane.kube.resources import Resource
from sealane.kube.watch import Change, Condition, Gone, Synced, Upsert
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

_log = logging.getLogger(__name__)
RESTART_AFTER = 5.0


class Feed:
    """Cache and freshness of one kind. `notify` is called when either changed, `trouble` when the server is lost."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        reflect: Reflect,
        clock: Clock,
        notify: Callable[[], None],
        trouble: Callable[[SealaneError | None], None],
    ) -> None:
        self.resource = resource
        self.cache = KindCache(resource)
        self._settled = asyncio.Event()
        self._client = client
        self._reflect = reflect
        self._clock = clock
        self._notify = notify
        self._trouble = trouble
        self._condition = "loading"
        self._cause: SealaneError | None = None
        self._loaded = False
        self._since = clock.monotonic()
        self._namespaces: dict[str, asyncio.Event] = {}
        self._narrow = False
        self._more_namespaces = asyncio.Event()

    def hint(self, namespace: str) -> None:
        """Remember a namespace by name: it is watched by itself where the whole cluster may not be read."""
        if namespace and namespace not in self._namespaces and self.resource.namespaced:
            self._namespaces[namespace] = asyncio.Event()
            self._more_namespaces.set()

    async def settled(self) -> None:
        """Return once there is an answer: fully read, forbidden or not served; for each namespace where need be."""
        await self._settled.wait()
        if self._narrow:
            for answered in list(self._namespaces.values()):
                await answered.wait()

    def freshness(self) -> states.Freshness:
        """How far the cache may be trusted now."""
        return states.freshness(
            self.resource,
            condition=self._condition,
            loaded=self._loaded,
            quiet_for=max(0.0, self._clock.monotonic() - self._since),
            cause=self._cause,
        )

    def not_served(self) -> None:
        """The server does not have this kind: empty, and rightly so."""
        self._set("gone", None)
        self._settled.set()

    async def run(self) -> None:
        """Follow the kind for ever; ends only by cancellation."""
        while True:
            try:
                await self._follow_cluster()
                if self._narrow:
                    await self._follow_namespaces()
            except Exception:  # noqa: BLE001 - a task's border: one kind's fault must not end the fleet
                _log.exception("the watch of %s failed and begins anew", self.resource.plural)
            await self._clock.sleep(RESTART_AFTER)

    async def _follow_cluster(self) -> None:
        self._narrow = False
        stream = self._reflect(self._client, self.resource, clock=self._clock)
        async with contextlib.aclosing(stream) as changes:
            async for change in changes:
                if self._refused(change) and self._namespaces:
                    self._narrow = True
                    self._settled.set()
                    return
                self._apply(change, namespace="")

    async def _follow_namespaces(self) -> None:
        """One watch a namespace; new hints join while it runs."""
        started: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                self._more_namespaces.clear()
                for namespace in [name for name in self._namespaces if name not in started]:
                    started.add(namespace)
                    name = f"watch {self.resource.plural} in {namespace}"
                    group.create_task(self._follow_namespace(namespace), name=name)
                await self._more_namespaces.wait()

    async def _follow_namespace(self, namespace: str) -> None:
        stream = self._reflect(self._client, self.resource, namespace=namespace, clock=self._clock)
        async with contextlib.aclosing(stream) as changes:
            async for change in changes:
                if not (self._refused(change) and self._condition == "live"):
                    self._apply(change, namespace=namespace)
                if isinstance(change, Synced) or self._refused(change):
                    self._namespaces[namespace].set()

    @staticmethod
    def _refused(change: Change) -> bool:
        return isinstance(change, Condition) and change.state == "forbidden"

    def _apply(self, change: Change, *, namespace: str) -> None:
        if isinstance(change, Condition):
            self._take_condition(change)
        elif isinstance(change, Synced):
            changed = self.cache.replace(change.objects, namespace=namespace)
            first = not self._loaded
            self._loaded = True
            self._set("live", None)
            self._settled.set()
            if changed or first:
                self._notify()
        elif isinstance(change, Upsert):
            if self.cache.upsert(change):
                self._notify()
        elif isinstance(change, Gone) and self.cache.remove(change.meta.namespace, change.meta.name):
            self._notify()

    def _take_condition(self, change: Condition) -> None:
        self._set(change.state, change.error)
        if change.state in {"forbidden", "unauthorized", "gone"}:
            self._settled.set()
        if change.state in {"reconnecting", "unreachable", "unauthorized"}:
            self._trouble(change.error)

    def _set(self, condition: str, cause: SealaneError | None) -> None:
        if condition == "live" or self._condition == "live":
            self._since = self._clock.monotonic()
        same = condition == self._condition
        self._condition, self._cause = condition, cause
        if not same:
            self._notify()
