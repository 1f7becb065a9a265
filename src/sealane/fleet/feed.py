"""One kind of one cluster, kept right by watches from the moment somebody first asks for it.

A feed owns the kind's cache and its freshness, applies what the watches say, and tells the hub. It watches the whole
cluster where that is allowed, and else each namespace that is known and may be read, so that people with rights in one
namespace see that namespace. Rights change while it runs, and a watch that is no longer allowed goes on working: so at
each review of rights the feed compares what it watches with what it may, starts and ends watches, and forgets at once
what may no longer be seen. It never raises: a fault of ours is logged and the watches begin anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sealane.fleet import scopes, states
from sealane.fleet.cache import STEP, KindCache
from sealane.fleet.ports import Reflect
from sealane.fleet.scopes import EVERYWHERE, Rights, Scope
from sealane.kube.client import Client
from sealane.kube.watch import Change, Condition, Gone, Synced, Upsert
from sealane.lib import memory
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

_log = logging.getLogger(__name__)
RESTART_AFTER = 5.0
MANY = 20_000
"""Objects of a full answer from which on the memory that it took meanwhile is given back."""
REFUSED_FOR = 20.0
"""Seconds for which a server's own refusal of the whole cluster counts more than an access review's yes."""


class Feed:
    """Cache and freshness of one kind. `notify` is called when either changed, `trouble` when the server is lost."""

    def __init__(
        self,
        client: Client,
        cache: KindCache,
        *,
        reflect: Reflect,
        clock: Clock,
        rights: Rights,
        notify: Callable[[], None],
        trouble: Callable[[SealaneError | None], None],
    ) -> None:
        self.resource = cache.resource
        self.cache = cache
        self.looked_at = clock.monotonic()
        self._late = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._settled = asyncio.Event()
        self._client = client
        self._reflect = reflect
        self._clock = clock
        self._rights = rights
        self._notify = notify
        self._trouble = trouble
        self._scopes: dict[str, Scope] = {EVERYWHERE: Scope()}
        self._narrow = False
        self._refused_at = float("-inf")
        self._wide_cause: SealaneError | None = None
        self._shown = ("loading", False)
        self._since = clock.monotonic()
        self._again = asyncio.Event()

    def reconsider(self) -> None:
        """Rights were reviewed, or a namespace became known: compare what is watched with what may be."""
        self._choose()
        self._again.set()

    async def settled(self) -> None:
        """Return once there is an answer: fully read, forbidden or not served; for each namespace where need be."""
        await self._settled.wait()
        for scope in list(self._scopes.values()):
            await scope.answered.wait()
        while self.cache.behind:
            await self._caught_up.wait()

    @property
    def namespaces(self) -> tuple[str, ...] | None:
        """The namespaces that alone are read; None where the whole cluster is."""
        if not self._narrow:
            return None
        return tuple(sorted(name for name, scope in self._scopes.items() if scope.condition != "forbidden"))

    def freshness(self, *, doubted: bool = False) -> states.Freshness:
        """How far the cache may be trusted now; `doubted` while the cluster fails to answer otherwise."""
        condition, cause = scopes.together(self._scopes.values())
        return states.freshness(
            self.resource,
            condition="loading" if condition == "live" and self.cache.behind else condition,
            loaded=any(scope.loaded for scope in self._scopes.values()) and not self.cache.behind,
            quiet_for=max(0.0, self._clock.monotonic() - self._since),
            cause=cause or (self._wide_cause if condition == "forbidden" else None),
            skipped=sum(scope.skipped for scope in self._scopes.values()),
            doubted=doubted,
        )

    def attend(self) -> None:
        """Somebody read a view: one that has not seen all objects yet is to catch up."""
        if self.cache.behind and not self._late.is_set():
            self._caught_up.clear()
            self._late.set()
            self._notify()

    def close(self) -> None:
        """Nobody looks any more; who waits is let go. The task of `run` is the caller's to end."""
        self._settled.set()
        for scope in self._scopes.values():
            scope.answered.set()
        self._caught_up.set()
        self.cache.close()

    def not_served(self) -> None:
        """The server does not have this kind: empty, and rightly so."""
        for scope in self._scopes.values():
            scope.condition, scope.cause = "gone", None
            scope.answered.set()
        self._settled.set()
        self._tell()

    async def run(self) -> None:
        """Follow the kind for ever; ends only by cancellation."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pack(), name=f"packing of {self.resource.plural}")
                    group.create_task(self._catch_up(), name=f"views of {self.resource.plural}")
                    await self._keep_watching(group)
            except Exception:  # noqa: BLE001 - a task's border: one kind's fault must not end the fleet
                _log.exception("the watch of %s failed and begins anew", self.resource.plural)
            await self._clock.sleep(RESTART_AFTER)

    async def _pack(self) -> None:
        """Once there are many objects: learn how they are alike, then pack those that are here."""
        packing = self.cache.packing
        await packing.wanted.wait()
        await packing.train()
        for _ in self.cache.repacking():
            await asyncio.sleep(0)

    async def _catch_up(self) -> None:
        """Let views that came late see all objects, in steps."""
        while True:
            await self._late.wait()
            for _ in self.cache.catching_up():
                await asyncio.sleep(0)
            self._late.clear()
            self._caught_up.set()
            self._notify()

    async def _keep_watching(self, group: asyncio.TaskGroup) -> None:
        """One task for each scope that is wanted; scopes come and go while it runs."""
        running: dict[str, tuple[Scope, asyncio.Task[None]]] = {}
        self._choose()
        while True:
            self._again.clear()
            for namespace, (scope, task) in list(running.items()):
                if self._scopes.get(namespace) is not scope:
                    task.cancel()
                    del running[namespace]
            for namespace, scope in self._scopes.items():
                if namespace not in running and not scope.barred:
                    where = f" in {namespace}" if namespace else ""
                    name = f"watch {self.resource.plural}{where} of {self._client.context.name}"
                    running[namespace] = (scope, group.create_task(self._follow(namespace, scope), name=name))
            await self._again.wait()

    # -- what is watched ----------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Make the scopes what rights allow; what falls out of them leaves the cache in the same step."""
        wide = self._rights.may("watch", self.resource, EVERYWHERE)
        refused_lately = self._clock.monotonic() - self._refused_at < REFUSED_FOR
        if not self.resource.namespaced:
            self._bar(EVERYWHERE, scopes.cause_of(wide))
            return
        if wide.denied and not self._narrow:
            self._wide_cause = scopes.cause_of(wide)
            self._become(narrow=True)
        elif wide.answer == "yes" and self._narrow and not refused_lately:
            self._become(narrow=False)
        if self._narrow:
            self._choose_namespaces()

    def _choose_namespaces(self) -> None:
        wanted = [name for name, tried in self._rights.candidates() if self._wanted(name, tried=tried)]
        for namespace in [name for name in self._scopes if name not in wanted]:
            self._scopes.pop(namespace).answered.set()
            self._purge(namespace)
        for namespace in wanted:
            self._scopes.setdefault(namespace, Scope())
        self._tell()

    def _wanted(self, namespace: str, *, tried: bool) -> bool:
        verdict = self._rights.may("watch", self.resource, namespace)
        return verdict.answer == "yes" or (tried and not verdict.denied)

    def _become(self, *, narrow: bool) -> None:
        """From the whole cluster to single namespaces, or back. What was read stays where it may still be seen; the new
        watches bring it up to date."""
        for scope in self._scopes.values():
            scope.answered.set()
        self._narrow = narrow
        self._scopes = {} if narrow else {EVERYWHERE: Scope()}
        if narrow:
            self._choose_namespaces()
            for namespace in {header.namespace for header in self.cache.headers()} - self._scopes.keys():
                self._purge(namespace)
            self._settled.set()
        self._tell()

    def _bar(self, namespace: str, cause: SealaneError | None) -> None:
        """Do not ask for what is known to be refused; begin anew when it is allowed again."""
        scope = self._scopes[namespace]
        if cause is None and scope.barred:
            self._scopes[namespace] = Scope()
        elif cause is not None and not scope.barred:
            self._scopes[namespace] = scope = Scope(condition="forbidden", cause=cause, barred=True)
            scope.answered.set()
            self._settled.set()
            self._purge(namespace)
        self._tell()

    def _purge(self, namespace: str) -> None:
        if self.cache.replace([], namespace=namespace):
            self._notify()

    # -- what the watches say -----------------------------------------------------------------------------------

    async def _follow(self, namespace: str, scope: Scope) -> None:
        stream = self._reflect(
            self._client, self.resource, namespace=namespace, clock=self._clock, admit=self.cache.admit
        )
        async with contextlib.aclosing(stream) as changes:
            count, owing = 0, False
            async for change in changes:
                if self._scopes.get(namespace) is not scope:
                    return
                if owing:  # only now has everybody let go of the answer before
                    await memory.give_back()
                owing = isinstance(change, Synced) and len(change.objects) >= MANY
                if isinstance(change, Synced):
                    await self._take_all(change, namespace, scope)
                else:
                    self._apply(change, namespace, scope)
                count += 1
                if count % STEP == 0:
                    await asyncio.sleep(0)  # a burst must not keep everybody else waiting

    async def _take_all(self, change: Synced, namespace: str, scope: Scope) -> None:
        """Take a full answer in steps. When the scope goes meanwhile nothing more of it may get in."""
        before = self.cache.revision
        for _ in self.cache.replacing(change.objects, namespace=namespace):
            await asyncio.sleep(0)
            if self._scopes.get(namespace) is not scope:
                return
        first, scope.loaded = not scope.loaded, True
        scope.condition, scope.cause = "live", None
        self._answered(scope)
        if first or self.cache.revision != before:
            self._notify()

    def _apply(self, change: Change, namespace: str, scope: Scope) -> None:
        if isinstance(change, Condition):
            self._take_condition(change, namespace, scope)
            return
        if self._shown[0] == "live":
            self._heard()
        if isinstance(change, Upsert):
            if self.cache.upsert(change):
                self._notify()
        elif isinstance(change, Gone) and self.cache.remove(change.meta.namespace, change.meta.name):
            self._notify()

    def _take_condition(self, change: Condition, namespace: str, scope: Scope) -> None:
        if change.state == "forbidden":
            self._refused(change, namespace, scope)
            return
        scope.condition, scope.cause, scope.skipped = change.state, change.error, change.skipped
        if change.state in {"unauthorized", "gone"}:
            self._answered(scope)
        self._tell()
        if change.state in {"reconnecting", "unreachable", "unauthorized"}:
            self._trouble(change.error)

    def _refused(self, change: Condition, namespace: str, scope: Scope) -> None:
        """The server says no: what was read here may no longer be seen."""
        if scope.condition != "forbidden":
            self._rights.doubt()
        if namespace == EVERYWHERE and self.resource.namespaced:
            self._refused_at, self._wide_cause = self._clock.monotonic(), change.error
            self._become(narrow=True)
            self._again.set()
            return
        if scope.loaded:  # a watch that goes on would bring back changes alone, and not what is forgotten here
            scope.answered.set()
            self._scopes[namespace] = scope = Scope()
            self._again.set()
        scope.condition, scope.cause = "forbidden", change.error
        self._purge(namespace)
        self._answered(scope)

    def _answered(self, scope: Scope) -> None:
        self._settled.set()
        scope.answered.set()
        self._tell()

    def _tell(self) -> None:
        """Notify when what is said of the whole kind is another than before."""
        condition, _ = scopes.together(self._scopes.values())
        shown = (condition, self._narrow)
        if condition == "live":
            self._heard()
        if shown != self._shown:
            self._shown = shown
            self._notify()

    def _heard(self) -> None:
        """Ages count from the last sign of life, and not from when its lack was noticed."""
        self._since = self._clock.monotonic()
