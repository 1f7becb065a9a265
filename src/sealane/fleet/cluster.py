"""One cluster: how it answers, and what is in it as of now.

How the server answers is the probe's to tell (`fleet.probing`); the kinds that it serves are asked for beside it. Kinds
are watched when first asked for. Reading is synchronous and never waits for the network: `get`, `list` and `views`
answer from the cache, `freshness` says what that answer is worth, and `synced` is for those who need to wait for a
first full answer.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sealane.fleet import states
from sealane.fleet.access import Access
from sealane.fleet.cache import Header, KindCache, Objects
from sealane.fleet.errors import ClusterUnavailable
from sealane.fleet.feed import MANY, Feed
from sealane.fleet.memo import Memo
from sealane.fleet.ports import Reflect
from sealane.fleet.probing import Probe
from sealane.fleet.rights import Verdict
from sealane.fleet.subscriptions import Hub, Pair
from sealane.fleet.views import View
from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.kube.resources import DEPLOYMENTS, NAMESPACES, PODS, Resource
from sealane.lib import memory, text
from sealane.lib.clock import Clock
from sealane.lib.errors import NextStep, SealaneError

T = TypeVar("T")

DISCOVER_EVERY = 60.0
UNUSED_AFTER = 300.0
"""Seconds without a look after which a kind is watched no more; the next look reads it anew."""
SWEEP_EVERY = 30.0
MOST_HINTS = 100
"""Namespaces known by name: each may cost a watch a kind, and names come from addresses that anybody may mistype."""
MOST_LISTED = 100
"""Namespaces of the server's own list whose rights are looked into where a kind may not be read everywhere."""

_SEEN = (DEPLOYMENTS, PODS)


class Cluster:
    """Made by `Fleet`. `client` is for writing; reading goes through the cache."""

    def __init__(
        self,
        context: Context,
        client: Client,
        *,
        reflect: Reflect,
        clock: Clock,
        hub: Hub[Pair],
        memo: Memo | None = None,
        sandbox: bool = False,
    ) -> None:
        self.name = context.name
        self.context = context
        self.client = client
        self.sandbox = sandbox
        self._reflect = reflect
        self._clock = clock
        self._hub = hub
        self._publish = hub.publish
        self._memo = Memo() if memo is None else memo
        self._feeds: dict[Resource, Feed] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._own: list[asyncio.Task[None]] = []
        self._hints: set[str] = {context.namespace} if context.namespace else set()
        self.access = Access(
            client, context=context.name, base=context.namespace, clock=clock, reviewed=self._rights_reviewed
        )
        self._served: frozenset[tuple[str, str]] | None = None
        self._discovered_at = float("-inf")
        self._group: asyncio.TaskGroup | None = None
        self._probe = Probe(
            client, clock=clock, answered=self._discover, refused=self._kinds_hidden, changed=self._state_changed
        )

    @property
    def state(self) -> states.ClusterState:
        """How the cluster answers now."""
        return self._probe.state

    @property
    def version(self) -> str:
        """The server's version as it said last; "" before."""
        return self._probe.version

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """The object as of now, or None. Shared between readers: never change it."""
        return self._feed(resource, namespace).cache.get(namespace, name)

    def list(self, resource: Resource, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> Objects:
        """Objects as of now, by namespace and name. An empty list means nothing without `freshness`."""
        return self._feed(resource, namespace).cache.list(namespace=namespace, labels=labels)

    def headers(
        self, resource: Resource, *, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> Sequence[Header]:
        """Names, uids and labels alone; nothing is decoded."""
        return tuple(self._feed(resource, namespace).cache.headers(namespace=namespace, labels=labels))

    def linked(self, resource: Resource, uid: str) -> Objects:
        """Objects of this kind that `uid` owns; for events, those about it."""
        return self._feed(resource, "").cache.linked(uid)

    def views(self, resource: Resource, view: type[T] | View[T]) -> Sequence[T]:
        """What a view keeps of all objects of a kind: a `View`, or a msgspec Struct that names the fields wanted. One
        that is first asked for when there are thousands of objects is complete once `freshness` is no longer
        `loading`."""
        feed = self._feed(resource, "")
        found = feed.cache.views(view)
        feed.attend()
        return found

    def freshness(self, resource: Resource) -> states.Freshness:
        """How far the answers about this kind may be trusted now."""
        return self._feed(resource, "").freshness(doubted=self._doubted)

    def watched_freshness(self) -> Sequence[states.Freshness]:
        """The same of every kind that is watched now. Asking keeps none of them alive."""
        return tuple(feed.freshness(doubted=self._doubted) for feed in self._feeds.values())

    @property
    def _doubted(self) -> bool:
        return self.state.state in {"reconnecting", "unreachable"}

    def revision(self, resource: Resource) -> int:
        """A number that grows whenever an object of the kind changes."""
        return self._feed(resource, "").cache.revision

    @property
    def watched(self) -> frozenset[Resource]:
        """The kinds that are watched now. Asking keeps none of them alive."""
        return frozenset(self._feeds)

    def now(self) -> datetime.datetime:
        """The time by which ages of what is in this cluster are told."""
        return self._clock.now()

    def serves(self, resource: Resource) -> bool | None:
        """Whether the server has this kind; None while that is not known."""
        if "." not in resource.group or resource.group.endswith(".k8s.io"):
            return True
        return None if self._served is None else (resource.group, resource.plural) in self._served

    async def synced(self, *resources: Resource, timeout: float = 10.0) -> None:
        """Wait until each kind is settled: fully read, forbidden, or not served. Raises ClusterUnavailable with the
        cause: at once when the last probe found the cluster unreachable, else after `timeout` seconds."""
        feeds = [self._feed(resource, "") for resource in resources]
        try:
            async with asyncio.timeout(timeout):
                await self._probe.first.wait()
                if self.state.state in {"unreachable", "unauthorized"}:
                    raise self._unavailable(self.state.sentence)
                for feed in feeds:
                    await feed.settled()
        except TimeoutError:
            within = f"The cluster {self.name} did not answer within {text.duration(timeout)}."
            raise self._unavailable(f"{within} {self.state.sentence}") from None

    def _unavailable(self, sentence: str) -> ClusterUnavailable:
        cause = self.state.error
        return ClusterUnavailable(
            sentence,
            evidence=cause.evidence if cause else (),
            next_steps=(
                *(cause.next_steps if cause else ()),
                NextStep(title="Check the connection", command="sealane doctor"),
            ),
        )

    def hint(self, namespace: str) -> None:
        """Say that a namespace exists: it is watched by itself where the whole cluster may not be read. At most
        `MOST_HINTS` are taken."""
        if namespace and namespace not in self._hints and len(self._hints) < MOST_HINTS:
            self._hints.add(namespace)
            self._reconsider()

    @property
    def hints(self) -> frozenset[str]:
        """The namespaces known by name, worth remembering for the next time."""
        return frozenset(self._hints)

    # -- rights -------------------------------------------------------------------------------------------------

    def may(self, verb: str, resource: Resource, namespace: str = "") -> Verdict:
        """Whether this identity may, as far as is known; `access` takes the finer questions."""
        return self.access.may(verb, resource, namespace)

    def doubt(self) -> None:
        """Look into all rights again, now: something was refused."""
        self.access.doubt()

    def candidates(self) -> Sequence[tuple[str, bool]]:
        """Namespaces to look into where a kind may not be read everywhere: those known by name (True: watched also
        while nothing is known of one's rights), then those of the server's list. No name is ever guessed."""
        named = self._hints | self.access.named()
        feed = self._feeds.get(NAMESPACES)
        listed = sorted(header.name for header in feed.cache.headers()) if feed is not None else []
        return [(name, True) for name in sorted(named)] + [
            (name, False) for name in listed[:MOST_LISTED] if name not in named
        ]

    def namespaces(self) -> tuple[str, ...]:
        """The namespaces in which something may be seen, as far as is known."""
        return tuple(
            name for name, _ in self.candidates() if any(self.may("list", kind, name).answer == "yes" for kind in _SEEN)
        )

    def reads(self, resource: Resource) -> tuple[str, ...] | None:
        """The namespaces that alone are read of a kind; None where the whole cluster is."""
        return self._feed(resource, "").namespaces

    def _rights_reviewed(self, changed: bool) -> None:
        self._reconsider()
        if changed:
            self._publish((self.name, None))

    def _reconsider(self, *, but: Resource | None = None) -> None:
        for feed in list(self._feeds.values()):
            if feed.resource != but:
                feed.reconsider()

    def _changed(self, resource: Resource) -> None:
        self._publish((self.name, resource))
        if not self.state.answers and self._feeds[resource].freshness().state == "live":
            self._probe.hope()
        if resource == NAMESPACES:
            self._reconsider(but=NAMESPACES)

    def _feed(self, resource: Resource, namespace: str) -> Feed:
        feed = self._feeds.get(resource)
        if feed is None:
            feed = self._feeds[resource] = Feed(
                self.client,
                KindCache(resource, memo=self._memo),
                reflect=self._reflect,
                clock=self._clock,
                rights=self,
                notify=lambda: self._changed(resource),
                trouble=self._trouble,
            )
            self._start_feed(feed)
        feed.looked_at = self._clock.monotonic()
        self.hint(namespace)
        return feed

    def _drop_unused(self) -> int:
        """End the watches that nobody looked at lately and nobody who listens lives on, and let their objects go. The
        namespaces' own stays while there is any other: it tells where to look. Gives back how many objects went."""
        before = self._clock.monotonic() - UNUSED_AFTER
        unused = [kind for kind, feed in self._feeds.items() if feed.looked_at < before and not self._hub.wants(kind)]
        if NAMESPACES in unused and len(unused) < len(self._feeds):
            unused.remove(NAMESPACES)
        gone = 0
        for kind in unused:
            feed = self._feeds.pop(kind)
            gone += len(feed.cache)
            feed.close()
            task = self._tasks.pop(kind, None)
            if task is not None:
                task.cancel()
            self._publish((self.name, kind))  # whoever shows it without having said so looks again
        return gone

    # -- running ------------------------------------------------------------------------------------------------

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin probing and start the watches already asked for; tasks belong to `group`."""
        self._group = group
        probe = group.create_task(self._probe.run(), name=f"probe {self.name}")
        reviews = group.create_task(self._review_for_ever(), name=f"rights in {self.name}")
        for feed in self._feeds.values():
            self._start_feed(feed)
        sweep = group.create_task(self._sweep_for_ever(), name=f"unused watches of {self.name}")
        self._own = [probe, reviews, sweep]

    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Everything that runs now: the probe and its like, and the watches."""
        return (*self._own, *self._tasks.values())

    def adopt(self, context: Context) -> None:
        """Go on as `context`, which is the same person at the same server: caches and watches go on."""
        if context == self.context:
            return
        self.context = context
        self.client.adopt(context)
        self.hint(context.namespace)
        self.access.doubt()
        self._probe.doubt()

    async def stop(self) -> None:
        """End every watch and close every connection; whoever still holds this cluster reads that it is left."""
        self._group = None
        why = "the kubeconfig does not name it any more, or means another"
        self._probe.leave(f"{self.name} is no longer followed: {why}.")
        tasks = self.tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for feed in self._feeds.values():
            feed.close()
        await self.client.close()

    def _start_feed(self, feed: Feed) -> None:
        """Watch a kind once the server is known to have it; CRDs wait for discovery."""
        if self._group is None or feed.resource in self._tasks:
            return
        served = self.serves(feed.resource)
        if served is False:
            feed.not_served()
        if served:
            name = f"watch {feed.resource.plural} of {self.name}"
            self._tasks[feed.resource] = self._group.create_task(feed.run(), name=name)

    def _trouble(self, error: SealaneError | None) -> None:
        """A watch lost its server: look at once instead of at the next turn."""
        self._probe.doubt()

    async def _sweep_for_ever(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_EVERY)
            if self._drop_unused() >= MANY:
                await memory.give_back()

    async def _review_for_ever(self) -> None:
        """Rights are asked for once the server was reached: before that nobody could answer."""
        await self._probe.first.wait()
        await self.access.run()

    def _kinds_hidden(self) -> None:
        """The server hides what it is: what it serves beyond the built-in kinds is taken for nothing."""
        self._served = self._served or frozenset()
        for feed in self._feeds.values():
            self._start_feed(feed)

    async def _discover(self) -> None:
        """Learn which kinds are served, now and then: KAI may be installed while we run."""
        now = self._clock.monotonic()
        if self._served is not None and now - self._discovered_at < DISCOVER_EVERY:
            return
        found = await self.client.discover()
        self._discovered_at = now
        self._served = frozenset((resource.group, resource.plural) for resource in found)
        for feed in self._feeds.values():
            self._start_feed(feed)

    def _state_changed(self, live_again: bool) -> None:
        if live_again:
            self.access.doubt()
        self._publish((self.name, None))
