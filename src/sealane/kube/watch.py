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

import msgspec

from sealane.kube import errors, failures, wire
from sealane.kube.changes import LIVE, Change, Condition, Gone, State, Synced, Upsert
from sealane.kube.errors import Target
from sealane.kube.known import Answer, Known, Oddities, is_older
from sealane.kube.resources import Resource
from sealane.kube.source import Patience, Source
from sealane.kube.wire import RawEvent, RawObject
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import SealaneError
from sealane.lib.text import duration

__all__ = ["LIVE", "Admit", "Change", "Condition", "Gone", "Patience", "Source", "State", "Synced", "Upsert", "reflect"]

Admit = Callable[[RawObject, int], RawObject]
"""An object of a full answer, and how many came before it → the form in which it is kept."""

_STEADY = 5.0  # seconds in step after which earlier failures no longer count
_QUICK = 1.0  # seconds: a watch that ends sooner was not ended in the server's own time
_HASTY = 3  # quick ends without a word, in a row, that are still taken for chance
_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED"})
_DENIALS = (errors.Unauthorized, errors.Forbidden, errors.NotFound)
_TOO_LARGE = "Too large resource version"
_REWOUND = "the server's history went back, as after a restored backup"


def reflect(
    client: Source,
    resource: Resource,
    *,
    namespace: str = "",
    label_selector: str = "",
    clock: Clock = SYSTEM,
    patience: Patience | None = None,
    random: Callable[[], float] = randomness.random,
    admit: Admit = lambda item, _: item,
) -> AsyncGenerator[Change, None]:
    """`Synced` once, then changes and conditions for ever. Close it (`contextlib.aclosing`, or cancel its reader).

    `admit` may give each object of a full answer a smaller form as it arrives, so that a hundred thousand of them are
    never held as they came; the reader gets what it gave.
    """
    selection = _Selection(resource=resource, namespace=namespace, label_selector=label_selector)
    made = _Reflector(client, selection, clock=clock, patience=patience or Patience(), random=random, admit=admit)
    return made.run()


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
        admit: Admit,
    ) -> None:
        self._admit = admit
        self._source = source
        self._selection = selection
        self._clock = clock
        self._patience = patience
        self._random = random
        self._known = Known()
        self._oddities = Oddities()
        self._version = ""  # "" means that everything must be taken anew
        self._synced = False
        self._live = False
        self._watch_list = True
        self._endless = 0  # initial events without an end, in a row
        self._paged = True
        self._failures = 0
        self._denials = 0  # in a row
        self._heard = False  # whether the watch that is open has said anything
        self._silences = 0  # watches that said nothing, in a row
        self._taken_at = float("-inf")  # when everything was last taken

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
                if self._live:  # taken anew in its own time, which takes longer now than "live" may be said
                    self._live = False
                    yield Condition("reconnecting")
                continue
            except SealaneError as failure:
                error = failure
            lasted = self._clock.monotonic() - started
            if lasted >= _STEADY:
                self._failures = 0
            error = error or self._hasty(lasted)
            if error is not None:
                for change in self._broken(error):
                    yield change
            elif lasted >= _QUICK:
                continue  # the server ended the watch in its own time: go on at once
            await self._clock.sleep(self._wait(error))

    def _hasty(self, lasted: float) -> SealaneError | None:
        """A server that ends watch after watch at once, without a word, is followed by nobody."""
        if self._heard or lasted >= _QUICK:
            return None
        self._failures += 1
        if self._failures <= _HASTY:
            return None
        return errors.Disconnected("the server ends every watch at once", target=self._target())

    async def _stretch(self) -> AsyncGenerator[Iterable[Change], None]:
        """Take everything if that is due, then follow one watch to its end."""
        self._heard = False
        unproved = self._clock.monotonic() - self._taken_at >= self._patience.unproved
        if unproved and (self._silences or self._oddities.skipped):
            self._version = ""  # without bookmarks, or with gaps, only a full answer proves that nothing was missed
        if not self._version and not self._watch_list:
            yield await self._list()
        async with self._open(initial=not self._version and self._watch_list) as batches:
            yield self._in_step() if self._version else await self._initial(batches)
            while (batch := await self._next(batches, limit=self._patience.silence)) is not None:
                yield self._changes(batch)

    @contextlib.asynccontextmanager
    async def _open(self, *, initial: bool) -> AsyncIterator[AsyncIterator[list[RawEvent]]]:
        wanted, patience = self._selection, self._patience
        length = patience.watch * (1.0 + self._random())
        if self._silences:  # a server that sends no bookmarks shows that it lives by ending watches in time
            length = patience.silence * (0.85 + 0.1 * self._random())
        opened = self._source.watch_raw(
            wanted.resource,
            namespace=wanted.namespace,
            label_selector=wanted.label_selector,
            resource_version=self._version,
            initial_events=initial,
            seconds=int(length),
            silence=patience.silence,
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(patience.opening):
                    batches = await stack.enter_async_context(opened)
                yield batches
        except TimeoutError as error:
            raise self._silent(patience.opening) from error
        except errors.Invalid as error:
            if not initial:
                raise
            self._watch_list = False
            raise _NoWatchList from error

    async def _next(self, batches: AsyncIterator[list[RawEvent]], *, limit: float) -> list[RawEvent] | None:
        """The next events, None at the watch's end. Silence is the lack of events: a proxy's blank lines are no life.

        A watch that said nothing at all may follow a history that is no more (a restored backup): it is not resumed.
        """
        try:
            async with asyncio.timeout(limit):
                return await anext(batches, None)
        except (TimeoutError, errors.TimedOut) as error:
            if not self._heard:
                self._silences += 1
                self._version = ""
            raise self._silent(limit) from error

    async def _initial(self, batches: AsyncIterator[list[RawEvent]]) -> Iterable[Change]:
        """The initial events up to their closing bookmark, as one `Synced` or as the difference to what was known.

        Changes may come between them. A server that does not know this kind of watch never ends them.
        """
        found = Answer()
        grown = self._clock.monotonic()
        self._oddities.forget()
        while True:
            try:
                batch = await self._next(batches, limit=self._patience.initial)
            except errors.TimedOut as error:
                raise self._without_end() from error
            if batch is None:
                raise errors.Disconnected("the initial events broke off", target=self._target())
            before = len(found)
            for position, event in enumerate(batch):
                if event.type == "BOOKMARK":
                    version, complete = wire.bookmark(event.object)
                    if complete and version:
                        self._endless = 0
                        rest = self._changes(batch[position + 1 :])
                        return itertools.chain(self._replace(found, version), self._in_step(), rest)
                elif (item := self._object(event)) is not None:
                    if event.type == "DELETED":
                        found.remove(item.meta.key)
                    else:
                        found.put(self._admit(item, len(found)))
            if len(found) > before:
                grown = self._clock.monotonic()
            elif self._clock.monotonic() - grown >= self._patience.initial:
                raise self._without_end()

    def _without_end(self) -> _NoWatchList:
        """Once may be the network's fault; twice in a row it is the server's."""
        self._endless += 1
        self._watch_list = False
        return _NoWatchList()

    async def _list(self) -> list[Change]:
        """Everything by a paged list; unpaged when the server forgets versions faster than pages can be read."""
        wanted = self._selection
        found = Answer()
        version = ""
        unreadable = 0
        pages = self._source.list_raw(
            wanted.resource,
            namespace=wanted.namespace,
            label_selector=wanted.label_selector,
            limit=500 if self._paged else 0,
        )
        try:
            async for page in pages:
                for item in page.objects:
                    found.put(self._admit(item, len(found)))
                version = page.resource_version
                unreadable += page.unreadable
        except errors.Expired:
            self._paged = False
            raise
        if not version:
            raise errors.Disconnected("the list has no resource version to watch from", target=self._target())
        self._oddities.forget()
        self._oddities.skipped = unreadable
        self._watch_list = self._endless == 1
        return list(self._replace(found, version))

    def _changes(self, batch: Iterable[RawEvent]) -> Iterable[Change]:
        for event in batch:
            if event.type == "ERROR":
                raise self._failure(event)
            self._heard, self._failures = True, 0
            if event.type == "BOOKMARK":
                version, _ = wire.bookmark(event.object)
                self._advance(version)
                self._silences = 0
                yield self._alive()
            elif event.type in _TYPES and (item := self._object(event)) is not None:
                meta = item.meta
                self._advance(meta.resource_version)
                yield from self._known.remove(meta) if event.type == "DELETED" else self._known.put(item)
            elif event.type in _TYPES:
                yield self._alive()

    def _replace(self, answer: Answer, version: str) -> Iterable[Change]:
        """Make the known set equal to the answer, and say what that changed."""
        self._version, self._taken_at = version, self._clock.monotonic()
        self._heard, self._failures = True, 0
        if self._synced:
            yield from self._known.replace(answer)
        else:
            self._synced = True
            yield Synced(self._known.begin(answer))

    def _advance(self, version: str) -> None:
        """Servers tell their history in its order. One that goes back has another, or repeats itself: what it says from
        here on cannot be told apart, so everything is taken anew."""
        if is_older(version, self._version):
            raise errors.Expired(410, "Expired", _REWOUND, target=self._target())
        self._version = version or self._version

    def _in_step(self) -> Iterable[Change]:
        self._live, self._denials = True, 0
        yield self._alive()

    def _alive(self) -> Condition:
        return Condition("live", skipped=self._oddities.skipped) if self._oddities.skipped else LIVE

    def _broken(self, error: SealaneError) -> Iterable[Change]:
        """What a failure means for the reader, and for what is known.

        A refusal after it was live is believed when it is repeated: an API server that starts refuses everybody until
        it has read its own rules, and a proxy says 404 when it means that nobody is behind it.
        """
        self._failures += 1
        was_live, self._live = self._live, False
        answered = isinstance(error, errors.ApiError)
        if isinstance(error, errors.Expired | errors.Refused) or _TOO_LARGE in error.sentence:
            self._version = ""  # a server that was down may be back with another history
        self._denials = self._denials + 1 if isinstance(error, _DENIALS) else 0
        if self._denials == 1 and self._synced:
            yield Condition("reconnecting", error)
            return
        if isinstance(error, (*_DENIALS, errors.ConfigError)):
            self._version = ""  # tried again so seldom that a restart, and another history, may go unseen
        if isinstance(error, errors.NotFound):
            yield from self._known.clear()
        yield Condition(_state(error, mending=was_live or (answered and self._synced)), error)

    def _wait(self, error: SealaneError | None) -> float:
        """Seconds before the next try: doubling with jitter; none before the first retaking after an expiry."""
        patience = self._patience
        if isinstance(error, errors.Expired) and self._failures <= 1:
            return 0.0
        longest = patience.denied if isinstance(error, (*_DENIALS, errors.ConfigError)) else patience.longest
        full = min(patience.first * 2.0 ** min(max(self._failures - 1, 0), 16), longest)
        if self._denials == 1 and self._synced:
            full = max(full, 2 * patience.first)
        asked = min(error.retry_after, patience.asked) if isinstance(error, errors.ApiError) else 0.0
        jitter = self._random()
        return max(full * (0.5 + 0.5 * jitter), asked and asked + patience.first * jitter)

    def _object(self, event: RawEvent) -> RawObject | None:
        """The event's object; None when it was skipped, for good reason."""
        if event.type == "ERROR":
            raise self._failure(event)
        if event.type not in _TYPES:
            return None
        try:
            return wire.raw_object(event.object)
        except msgspec.DecodeError as error:
            if self._oddities.is_the_servers(event.object, error):
                return None
            raise errors.Disconnected("the watch sent an object that is cut short", target=self._target()) from error

    def _failure(self, event: RawEvent) -> SealaneError:
        """What a watch says in its midst. Whether we still may is for the next request to find out."""
        found = failures.status_error(wire.status(event.object), http=500, target=self._target())
        if isinstance(found, _DENIALS):
            return errors.Disconnected(f"the server ended the watch ({found.sentence})", target=self._target())
        return found

    def _silent(self, seconds: float) -> errors.TimedOut:
        where = self._target()
        return errors.TimedOut(f"{where.server} said nothing for {duration(seconds)}", target=where)

    def _target(self) -> Target:
        path = self._selection.resource.path(namespace=self._selection.namespace)
        return self._source.context.target(f"GET {path}")


def _state(error: SealaneError, *, mending: bool) -> State:
    if isinstance(error, errors.Unauthorized | errors.ConfigError):
        return "unauthorized"
    if isinstance(error, errors.Forbidden):
        return "forbidden"
    if isinstance(error, errors.NotFound):
        return "gone"
    return "reconnecting" if mending else "unreachable"
