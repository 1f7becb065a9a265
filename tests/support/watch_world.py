"""A small world around a reflector: an API server, a network and two clocks, and everything that can go wrong in them.

A schedule is a list of (seconds to wait, what happens). All of it runs in virtual time (`virtual_time`), so an hour of
outages takes milliseconds and the same schedule is the same run. `watch_reader` plays it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

from kube_server import bookmark, compact, event, expired, pod
from virtual_time import VirtualClock

from sealane.kube import errors, failures, wire
from sealane.kube.config import Context
from sealane.kube.errors import Target
from sealane.kube.resources import Resource
from sealane.kube.watch import Patience
from sealane.kube.wire import RawEvent, RawPage

Step = tuple[float, str, str]
NAMES = ("a", "b", "c", "d", "e", "f")
DELAYS = (0.0, 0.0, 0.3, 2.0, 20.0, 61.0, 200.0)
OPERATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *[("put", NAMES)] * 4,
    *[("delete", NAMES)] * 3,
    *[("recreate", NAMES)] * 2,
    ("burst", ("",)),
    ("nameless", ("",)),
    ("cut", ("",)),
    ("end", ("",)),
    ("compact", ("",)),
    ("half-open", ("",)),
    ("swallow", ("5", "40")),
    ("down", ("1", "30")),
    ("restart", ("0.1", "8")),
    ("restore", ("",)),
    ("hang", ("20", "90")),
    ("refuse", ("401", "403", "404", "429", "500", "503")),
    ("refuse-long", ("401", "403", "404", "429", "500", "503")),
    ("in-stream", ("401", "403", "429", "500", "junk")),
    ("garble", ("",)),
    ("cut-short", ("",)),
    ("replay", ("",)),
    ("sleep", ("30", "7200")),
    ("wall", ("-86400", "3600")),
    ("watch-list", ("full", "refused", "endless")),
    ("bookmarks", ("on", "off")),
    ("page-compaction", ("on", "off")),
)
TARGET = Target(context="world", server="http://world")
BOOKMARK_EVERY = 60.0
PATIENCE = Patience()
Uids = dict[str, tuple[str, str]]


def schedule(seed: int, *, steps: int = 40) -> list[Step]:
    """A random schedule, the same for the same seed."""
    dice = random.Random(seed)
    return [(dice.choice(DELAYS), *_operation(dice)) for _ in range(dice.randint(5, steps))]


def _operation(dice: random.Random) -> tuple[str, str]:
    name, arguments = dice.choice(OPERATIONS)
    return name, dice.choice(arguments)


class Connection:
    """One open watch. `dead` swallows everything; `failure` is what its next read meets."""

    def __init__(self) -> None:
        self.dead = False
        self.ended = False
        self.failure: Exception | None = None
        self.extra: list[RawEvent] = []
        self.changed = asyncio.Event()

    def meet(self, failure: Exception) -> None:
        self.failure = failure
        self.changed.set()


class World:
    """The server and the network to it. What `reflect` needs of a client is `context`, `list_raw` and `watch_raw`."""

    def __init__(self) -> None:
        self.context = Context(name="world", server="http://world")
        self.clock = VirtualClock()
        self.objects: dict[str, dict[str, Any]] = {}
        self.revision = 10
        self.compacted = 0
        self.vouched = True
        """Whether a reader may count on bookmarks: they are sent, and since they were off one has arrived."""
        self.open: set[Connection] = set()
        self._log: list[tuple[int, str, dict[str, Any]]] = []
        self._saved: tuple[int, dict[str, dict[str, Any]]] = (10, {})
        self._made = 0
        self._until: dict[str, float] = {}  # "down", "swallow", "hang" → the loop's time of their end
        self._refusals: list[str] = []
        self._modes = {"watch-list": "full", "bookmarks": "on", "page-compaction": "off"}
        self._garble = ""
        for name in NAMES[:4]:
            self._put(name)

    def listed(self) -> Uids:
        """What a fresh list would say."""
        return {name: _identity(item) for name, item in self.objects.items()}

    # -- what happens -------------------------------------------------------------------------------------------

    def happen(self, what: str, argument: str) -> None:
        """One step of a schedule."""
        if what in self._modes:
            self._modes[what] = argument
            self.vouched &= self._modes["bookmarks"] == "on"
        elif what in {"down", "swallow", "hang"}:
            self._lasts(what, float(argument))
        elif what in {"refuse", "refuse-long"}:
            self._refusals += [argument] * (1 if what == "refuse" else 4)
        else:
            self._do(what, argument)

    def _do(self, what: str, argument: str) -> None:
        match what:
            case "put" | "delete" | "recreate":
                self._write(what, argument)
            case "cut" | "end" | "half-open" | "in-stream" | "nameless" | "replay":
                self._to_connections(what, argument)
            case "garble" | "cut-short":
                self._garble = what
            case _:
                self._to_server(what, argument)

    def _to_server(self, what: str, argument: str) -> None:
        if what == "burst":
            for name in NAMES * 3:
                self._write("put", name)
        elif what == "wall":
            self.clock.set_wall(float(argument))
        elif what == "sleep":
            self.clock.suspend(float(argument))
            self._to_connections("half-open", "")
        elif what == "restore":
            self._restore()
        else:
            self.compacted = self.revision
            if what == "restart":
                self._lasts("down", float(argument))
                self._refusals += ["403", "503"]

    def _to_connections(self, what: str, argument: str) -> None:
        if what in {"in-stream", "nameless", "replay"}:
            self._tell(what, argument)
        elif what == "cut":
            self.cut()
        for connection in self.open:
            connection.ended |= what == "end"
            connection.dead |= what == "half-open"
            connection.changed.set()

    def heal(self) -> None:
        """Everything works again; what is open stays as it is."""
        self._refusals, self._garble = [], ""
        self._until = {what: end for what, end in self._until.items() if what == "down"}
        self._modes["page-compaction"] = "off"
        for connection in self.open:
            connection.changed.set()

    def cut(self) -> None:
        """Every connection breaks, with a word."""
        for connection in self.open:
            connection.meet(errors.Disconnected("cut", target=TARGET))

    def _lasts(self, what: str, seconds: float) -> None:
        if what != "down" and self._is("down"):
            return  # as in `_obscured`
        if what == "down":
            self.cut()
        if what == "swallow":
            for connection in self.open:
                connection.dead = True
        end = asyncio.get_running_loop().time() + seconds
        self._until[what] = max(end, self._until.get(what, 0.0))  # one that begins meanwhile ends none sooner

    def _is(self, what: str) -> bool:
        return asyncio.get_running_loop().time() < self._until.get(what, 0.0)

    def _restore(self) -> None:
        """etcd from a backup: history goes back and goes on differently. Its API servers are started anew."""
        revision, objects = self._saved
        if revision < self.revision and not self._obscured():
            self.revision, self.objects = revision, dict(objects)
            self._log = [entry for entry in self._log if entry[0] <= revision]
            self.compacted = min(self.compacted, revision)
            self._lasts("down", 6.0)

    def _obscured(self) -> bool:
        """Whether the outage of a restore would hide behind another one: who does not see it cannot know of it."""
        since = asyncio.get_running_loop().time() - 20.0
        return any(self._until.get(what, float("-inf")) > since for what in ("swallow", "hang"))

    def _tell(self, what: str, argument: str) -> None:
        if what == "nameless":
            self.revision += 1
            said = RawEvent("MODIFIED", b'{"metadata":{"resourceVersion":"%d"}}' % self.revision)
        elif what == "replay":
            if not self._log:
                return
            _, kind, item = self._log[len(self._log) // 2]
            said = _raw(event(kind, item))
        elif argument == "junk":
            said = RawEvent("ERROR", b'"oops"')
        else:
            status = {"kind": "Status", "code": int(argument), "message": "so it is", "reason": ""}
            said = _raw(event("ERROR", status))
        for connection in self.open:
            connection.extra.append(said)
            connection.changed.set()

    def _write(self, what: str, name: str) -> None:
        if what in {"delete", "recreate"} and name in self.objects:
            self.revision += 1
            last = self.objects.pop(name)
            self._note("DELETED", pod(name, version=str(self.revision), uid=last["metadata"]["uid"]))
        if what in {"put", "recreate"}:
            self._put(name)
        if self.revision % 7 == 0:
            self._saved = (self.revision, dict(self.objects))

    def _put(self, name: str) -> None:
        self.revision += 1
        old = self.objects.get(name)
        self._made += old is None
        uid = old["metadata"]["uid"] if old else f"uid-{self._made}"
        self.objects[name] = pod(name, version=str(self.revision), uid=uid)
        self._note("MODIFIED" if old else "ADDED", self.objects[name])

    def _note(self, kind: str, item: dict[str, Any]) -> None:
        self._log.append((self.revision, kind, item))
        for connection in self.open:
            connection.changed.set()

    # -- what is asked ------------------------------------------------------------------------------------------

    async def _admit(self) -> None:
        await asyncio.sleep(0.01)
        if self._is("swallow"):
            await asyncio.sleep(30.0)
            raise errors.TimedOut("no answer", target=TARGET)
        if self._is("down"):
            raise errors.Refused("refused", target=TARGET)
        if self._is("hang"):
            await asyncio.sleep(30.0)
            raise errors.TimedOut("no answer", target=TARGET)
        if self._refusals:
            refusal = self._refusals.pop(0)
            wait = 3.0 if refusal == "429" else 0.0
            raise failures.api_error(int(refusal), b"", target=TARGET, retry_after=wait)

    async def list_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[RawPage]:
        await self._admit()
        version, items = self.revision, list(self.objects.values())
        pages = [items] if limit == 0 else [items[at : at + 2] for at in range(0, len(items), 2)] or [[]]
        for page in pages:
            yield RawPage([wire.raw_object(compact(item)) for item in page], str(version))
            if page is not pages[-1]:
                await self._admit()
                if self._modes["page-compaction"] == "on":
                    raise failures.api_error(410, b"", target=TARGET)

    @contextlib.asynccontextmanager
    async def watch_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        resource_version: str = "",
        initial_events: bool = False,
        seconds: int = 300,
        silence: float = 90.0,
    ) -> AsyncIterator[AsyncIterator[list[RawEvent]]]:
        await self._admit()
        mode = self._modes["watch-list"]
        if initial_events and mode == "refused":
            raise failures.api_error(422, b"", target=TARGET)
        connection = Connection()
        self.open.add(connection)
        end = asyncio.get_running_loop().time() + seconds
        events = self._events(connection, resource_version, end, endless=mode == "endless")
        try:
            async with contextlib.aclosing(events):
                yield events
        finally:
            self.open.discard(connection)

    async def _events(
        self, connection: Connection, version: str, end: float, *, endless: bool
    ) -> AsyncIterator[list[RawEvent]]:
        if not version:
            position, items = self.revision, list(self.objects.values())
            for item in items:
                await self._arrives(connection)
                yield [_raw(event("ADDED", item))]
            if position < self.compacted:
                yield [_raw(expired())]
                return
            while due := [entry for entry in self._log if entry[0] > position][
                :2
            ]:  # changes before the closing bookmark
                position = due[-1][0]
                await self._arrives(connection)
                yield [_raw(event(kind, item)) for _, kind, item in due]
            if not endless:
                yield [_raw(bookmark(str(position), initial_end=True))]
        else:
            position = int(version)
        async for batch in self._follow(connection, position, end):
            yield batch

    async def _follow(self, connection: Connection, position: int, end: float) -> AsyncIterator[list[RawEvent]]:
        loop = asyncio.get_running_loop()
        marked = loop.time()
        while True:
            await self._arrives(connection)
            if position < self.compacted:
                yield [_raw(expired(str(position)))]
                return
            due = [entry for entry in self._log if entry[0] > position][:3]
            said, connection.extra = connection.extra, []
            if due or said:
                position = due[-1][0] if due else position
                yield self._damaged(connection, [_raw(event(kind, item)) for _, kind, item in due]) + said
            elif connection.ended or loop.time() >= end:
                return
            elif loop.time() >= marked + BOOKMARK_EVERY:
                marked = loop.time()
                if self._modes["bookmarks"] == "on" and position <= self.revision:
                    position, self.vouched = self.revision, True
                    yield [_raw(bookmark(str(position)))]
            else:
                await _any(connection.changed, min(end, marked + BOOKMARK_EVERY))

    async def _arrives(self, connection: Connection) -> None:
        """What is sent now arrives, or meets what the network is like."""
        await asyncio.sleep(0.002)
        while connection.dead and connection.failure is None:
            await _any(connection.changed, asyncio.get_running_loop().time() + 10_000.0)
        if connection.failure is not None:
            raise connection.failure

    def _damaged(self, connection: Connection, batch: list[RawEvent]) -> list[RawEvent]:
        damage, self._garble = (self._garble, "") if batch else ("", self._garble)
        if damage == "garble":
            return [RawEvent(batch[0].type, bytes(batch[0].object)[:-5]), *batch[1:]]
        if damage == "cut-short":
            connection.failure = errors.Disconnected("cut short", target=TARGET)
            return batch[:1]
        return batch


def _identity(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"]["uid"], item["metadata"]["resourceVersion"]


def _raw(line: dict[str, Any]) -> RawEvent:
    return RawEvent(line["type"], compact(line["object"]))


async def _any(changed: asyncio.Event, until: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await changed.wait()
    changed.clear()
