"""A reflector: what a server holds of one kind, and every change to it, for as long as somebody reads.

A view that goes stale without a word is worse than none, so the stream carries its own truthfulness: a `Condition` each
time that it stops or starts being live, and one with every sign of life. Three layers of generators: one connection's
batches of events (`Client.watch_raw`), one stretch of being in step (`_stretch`: take everything, then follow), and the
endless loop that outlives cuts, expiries, restarts and missing rights (`run`). It ends only by being closed; it raises
nothing but bugs.

What exists is taken by WatchList (`sendInitialEvents`) and, where a server refuses it, by a paged list. After an expiry
(410) everything is taken again and compared with what was known, so that deletions in between are not lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random as randomness
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Literal, Protocol

import msgspec

from sealane.kube import errors, failures, wire
from sealane.kube.config import Context
from sealane.kube.errors import Target
from sealane.kube.resources import Resource
from sealane.kube.wire import Meta, RawEvent, RawObject, RawPage
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import SealaneError

State = Literal["live", "reconnecting", "forbidden", "unauthorized", "unreachable", "gone"]


class Synced(msgspec.Struct, frozen=True):
    """Everything that exists, once: before it nothing is known, "empty" included."""

    objects: list[RawObject]


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """An object appeared or changed. `raw` is its JSON without managedFields."""

    meta: Meta
    raw: bytes


class Gone(msgspec.Struct, frozen=True, gc=False):
    """An object was deleted; its last known header."""

    meta: Meta


class Condition(msgspec.Struct, frozen=True):
    """How far to trust what was said so far. `live` is repeated with each bookmark, as a sign of life.

    `reconnecting`: it was live, and is being mended. `unreachable`, `unauthorized`, `forbidden`: `error` says why.
    `gone`: the server does not serve this kind (a CRD that is not installed); tried again now and then.
    """

    state: State
    error: SealaneError | None = None


Change = Synced | Upsert | Gone | Condition
LIVE = Condition("live")
_STEADY = 5.0  # seconds in step after which earlier failures no longer count


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `watch`: a watch's length (once to twice it); `silence`: API servers send a bookmark each minute;
    `initial`: silence before the initial events are complete; `first`, `longest`: waits after failures, doubling
    (short enough to be back within five seconds of a restart); `denied`: the longest wait for rights or a kind."""

    watch: float = 300.0
    silence: float = 90.0
    initial: float = 20.0
    first: float = 0.5
    longest: float = 4.0
    denied: float = 30.0


class Source(Protocol):
    """What a reflector needs of a client."""

    @property
    def context(self) -> Context:
        """Whose server it is, for sentences."""

    def list_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[RawPage]:
        """Pages of one consistent list."""

    def watch_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        resource_version: str = "",
        initial_events: bool = False,
        seconds: int = 300,
        silence: float = 90.0,
    ) -> contextlib.AbstractAsyncContextManager[AsyncIterator[list[RawEvent]]]:
        """One watch connection: entered when the server has accepted it."""


def reflect(
    client: Source,
    resource: Resource,
    *,
    namespace: str = "",
    label_selector: str = "",
    clock: Clock = SYSTEM,
    patience: Patience | None = None,
    random: Callable[[], float] = randomness.random,
) -> AsyncGenerator[Change, None]:
    """`Synced` once, then changes and conditions for ever. Close it (`contextlib.aclosing`, or cancel its reader)."""
    selection = _Selection(resource=resource, namespace=namespace, label_selector=label_selector)
    return _Reflector(client, selection, clock=clock, patience=patience or Patience(), random=random).run()


class _Selection(msgspec.Struct, frozen=True, kw_only=True):
    resource: Resource
    namespace: str
    label_selector: str


class _NoWatchList(Exception):
    """The server does not give initial events; a list will do."""


class _Reflector:
    def __init__(
        self,
        source: Source,
        selection: _Selection,
        *,
        clock: Clock,
        patience: Patience,
        random: Callable[[], float],
    ) -> None:
        self._source = source
        self._selection = selection
        self._clock = clock
        self._patience = patience
        self._random = random
        self._known: dict[tuple[str, str], Meta] = {}
        self._version = ""  # "" means that everything must be taken anew
        self._synced = False
        self._live = False
        self._watch_list = True
        self._paged = True
        self._failures = 0

    async def run(self) -> AsyncGenerator[Change, None]:
        """Be in step, for ever."""
        while True:
            error: SealaneError | None = None
            started = self._clock.monotonic()
            try:
                async with contextlib.aclosing(self._stretch()) as batches:
                    async for changes in batches:
                        for change in changes:
                            yield change
            except _NoWatchList:
                self._watch_list = False
                continue
            except SealaneError as failure:
                error = failure
            lasted = self._clock.monotonic() - started
            if lasted >= _STEADY:
                self._failures = 0
            if error is not None:
                for change in self._broken(error):
                    yield change
            elif lasted >= 1.0:
                continue  # the server ended the watch in its own time: go on at once
            await self._clock.sleep(self._wait(error))

    async def _stretch(self) -> AsyncGenerator[Iterable[Change], None]:
        """Take everything if that is due, then follow one watch to its end."""
        if not self._version and not self._watch_list:
            yield await self._list()
        async with self._open(initial=not self._version and self._watch_list) as batches:
            if not self._version and self._watch_list:
                yield await self._initial(batches)
            if not self._live:
                self._live = True
                yield (LIVE,)
            async for batch in batches:
                yield self._changes(batch)

    @contextlib.asynccontextmanager
    async def _open(self, *, initial: bool) -> AsyncIterator[AsyncIterator[list[RawEvent]]]:
        wanted = self._selection
        seconds = int(self._patience.watch * (1.0 + self._random()))
        opened = self._source.watch_raw(
            wanted.resource,
            namespace=wanted.namespace,
            label_selector=wanted.label_selector,
            resource_version=self._version,
            initial_events=initial,
            seconds=seconds,
            silence=self._patience.silence,
        )
        try:
            async with opened as batches:
                yield batches
        except errors.Invalid as error:
            if initial:
                raise _NoWatchList from error
            raise

    async def _initial(self, batches: AsyncIterator[list[RawEvent]]) -> Iterable[Change]:
        """The initial events up to their closing bookmark, as one `Synced` or as the difference to what was known."""
        found: dict[tuple[str, str], RawObject] = {}
        while True:
            try:
                async with asyncio.timeout(self._patience.initial):
                    batch = await anext(batches)
            except TimeoutError as error:
                raise _NoWatchList from error
            except StopAsyncIteration as error:
                raise errors.Disconnected("the initial events broke off", target=self._target()) from error
            for position, event in enumerate(batch):
                if event.type == "ERROR":
                    raise self._failure(event)
                if event.type != "BOOKMARK":
                    item = self._object(event)
                    found[item.meta.key] = item
                    continue
                version, complete = wire.bookmark(event.object)
                if complete:
                    return itertools.chain(self._replace(found.values(), version), self._changes(batch[position + 1 :]))

    async def _list(self) -> list[Change]:
        """Everything by a paged list; unpaged when the server forgets versions faster than pages can be read."""
        wanted = self._selection
        found: list[RawObject] = []
        version = ""
        pages = self._source.list_raw(
            wanted.resource,
            namespace=wanted.namespace,
            label_selector=wanted.label_selector,
            limit=500 if self._paged else 0,
        )
        try:
            async for page in pages:
                found += page.objects
                version = page.resource_version
        except errors.Expired:
            self._paged = False
            raise
        return list(self._replace(found, version))

    def _changes(self, batch: Iterable[RawEvent]) -> Iterable[Change]:
        for event in batch:
            if event.type == "ERROR":
                raise self._failure(event)
            self._failures = 0
            if event.type == "BOOKMARK":
                self._version, _ = wire.bookmark(event.object)
                yield LIVE
            else:
                yield from self._change(event.type, self._object(event))

    def _change(self, kind: str, item: RawObject) -> Iterable[Change]:
        meta = item.meta
        self._version = meta.resource_version
        before = self._known.get(meta.key)
        if kind == "DELETED":
            if before is not None:
                del self._known[meta.key]
                yield Gone(meta)
            return
        if before is not None and before.uid != meta.uid:
            yield Gone(before)  # deleted and made anew under the same name while nobody told us
        self._known[meta.key] = meta
        yield Upsert(meta, item.raw)

    def _replace(self, objects: Iterable[RawObject], version: str) -> Iterable[Change]:
        """Make the known set equal to `objects`, and say what that changed."""
        fresh = {item.meta.key: item for item in objects}
        before, self._known = self._known, {key: item.meta for key, item in fresh.items()}
        self._version = version
        if not self._synced:
            self._synced = True
            yield Synced(list(fresh.values()))
        else:
            yield from _difference(before, fresh)
        self._live = True
        yield LIVE

    def _broken(self, error: SealaneError) -> Iterable[Change]:
        """What a failure means for the reader, and for what is known."""
        self._failures += 1
        was_live, self._live = self._live, False
        answered = isinstance(error, errors.ApiError)
        if isinstance(error, errors.Expired):
            self._version = ""
        if isinstance(error, errors.NotFound):
            self._version = ""
            known, self._known = self._known, {}
            yield from (Gone(meta) for meta in known.values())
        yield Condition(_state(error, mending=was_live or (answered and self._synced)), error)

    def _wait(self, error: SealaneError | None) -> float:
        """Seconds before the next try: doubling with jitter; none before the first retaking after an expiry."""
        if isinstance(error, errors.Expired) and self._failures <= 1:
            return 0.0
        denied = isinstance(error, errors.Unauthorized | errors.Forbidden | errors.NotFound | errors.ConfigError)
        longest = self._patience.denied if denied else self._patience.longest
        full = min(self._patience.first * 2.0 ** min(max(self._failures - 1, 0), 16), longest)
        asked = error.retry_after if isinstance(error, errors.ApiError) else 0.0
        return max(full * (0.5 + 0.5 * self._random()), asked)

    def _object(self, event: RawEvent) -> RawObject:
        try:
            return wire.raw_object(event.object)
        except msgspec.DecodeError as error:
            raise errors.Disconnected("the watch sent an object without a name", target=self._target()) from error

    def _failure(self, event: RawEvent) -> SealaneError:
        return failures.status_error(wire.status(event.object), http=500, target=self._target())

    def _target(self) -> Target:
        path = self._selection.resource.path(namespace=self._selection.namespace)
        return self._source.context.target(f"GET {path}")


def _difference(before: dict[tuple[str, str], Meta], fresh: dict[tuple[str, str], RawObject]) -> Iterable[Change]:
    """Deletions first, so that a name that was reused is never seen twice."""
    for key, meta in before.items():
        now = fresh.get(key)
        if now is None or now.meta.uid != meta.uid:
            yield Gone(meta)
    for key, item in fresh.items():
        was = before.get(key)
        if was is None or was.uid != item.meta.uid or was.resource_version != item.meta.resource_version:
            yield Upsert(item.meta, item.raw)


def _state(error: SealaneError, *, mending: bool) -> State:
    if isinstance(error, errors.Unauthorized | errors.ConfigError):
        return "unauthorized"
    if isinstance(error, errors.Forbidden):
        return "forbidden"
    if isinstance(error, errors.NotFound):
        return "gone"
    return "reconnecting" if mending else "unreachable"
