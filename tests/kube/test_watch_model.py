"""Whatever happens, in any order, the reflected state ends equal to the server's own list.

A small model of an API server (one log, one revision counter, compaction) is driven by a random schedule of writes,
cuts, expiries, refusals and partial deliveries. The reflector must never lose a deletion, never give a reused name
without its end, and never say "synced" twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from kube_server import bookmark, compact, event, expired, pod

from sealane.kube import errors, failures, wire
from sealane.kube.config import Context
from sealane.kube.errors import Target
from sealane.kube.resources import PODS, Resource
from sealane.kube.watch import Condition, Gone, Synced, Upsert, reflect
from sealane.kube.wire import RawEvent, RawPage
from sealane.lib.clock import ManualClock

NAMES = ("a", "b", "c", "d", "e")
TARGET = Target(context="model", server="http://model")
Op = tuple[str, str]

writes = st.tuples(st.sampled_from(["put", "delete", "replace"]), st.sampled_from(NAMES))
deliveries = st.tuples(st.sampled_from(["one", "all", "bookmark", "foreign-error"]), st.just(""))
faults = st.tuples(st.sampled_from(["cut", "end", "compact", "compact-quietly", "no-watch-list"]), st.just(""))
refusals = st.tuples(st.just("refuse"), st.sampled_from(["401", "403", "404", "429", "500", "dns"]))
schedules = st.lists(st.one_of(writes, writes, deliveries, deliveries, faults, refusals), max_size=60)


class ModelServer:
    """One log of writes. Each point where the reflector waits for the server consumes the next step of the schedule."""

    def __init__(self, schedule: list[Op]) -> None:
        self.context = Context(name="model", server="http://model")
        self._steps = iter(schedule)
        self.done = False
        self.revision = 1
        self.compacted = 0
        self.objects: dict[str, dict[str, Any]] = {}
        self._log: list[tuple[int, str, dict[str, Any]]] = []
        self._made = 0
        self._watch_list = True
        self._refusal = ""
        for name in NAMES[:3]:
            self._put(name)

    def _step(self) -> str:
        """Do writes until something that concerns the reader comes up; that is given back ("" when all is over)."""
        for kind, argument in self._steps:
            if kind == "put":
                self._put(argument)
            elif kind == "delete":
                self._delete(argument)
            elif kind == "replace":
                self._delete(argument)
                self._put(argument)
            elif kind == "refuse":
                self._refusal = argument
            elif kind == "no-watch-list":
                self._watch_list = False
            elif kind == "compact-quietly":
                self.compacted = self.revision
            else:
                return kind
        return ""

    def _put(self, name: str) -> None:
        self.revision += 1
        old = self.objects.get(name)
        self._made += old is None
        uid = old["metadata"]["uid"] if old else f"uid-{self._made}"
        self.objects[name] = pod(name, version=str(self.revision), uid=uid)
        self._log.append((self.revision, "MODIFIED" if old else "ADDED", self.objects[name]))

    def _delete(self, name: str) -> None:
        if name in self.objects:
            self.revision += 1
            last = self.objects.pop(name)
            last = pod(name, version=str(self.revision), uid=last["metadata"]["uid"])
            self._log.append((self.revision, "DELETED", last))

    def _admit(self) -> None:
        refusal, self._refusal = self._refusal, ""
        if refusal == "dns":
            raise errors.NameNotFound("no such name", target=TARGET)
        if refusal:
            raise failures.api_error(int(refusal), b"", target=TARGET)

    async def list_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[RawPage]:
        self._step_through_faults()
        self._admit()
        version, items = self.revision, list(self.objects.values())
        pages = [items] if limit == 0 else [items[at : at + 2] for at in range(0, len(items), 2)] or [[]]
        for page in pages:
            yield RawPage([wire.raw_object(compact(item)) for item in page], str(version))
            self._step_through_faults()
            if page is not pages[-1] and version < self.compacted:
                raise failures.api_error(410, b"", target=TARGET)

    def _step_through_faults(self) -> None:
        fault = self._step()
        if fault == "compact":
            self.compacted = self.revision
        if fault == "cut":
            raise errors.Disconnected("cut", target=TARGET)

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
        self._step_through_faults()
        self._admit()
        if initial_events and not self._watch_list:
            raise failures.api_error(422, b"", target=TARGET)
        events = self._initial() if initial_events else self._follow(int(resource_version))
        async with contextlib.aclosing(events):
            yield events

    async def _initial(self) -> AsyncIterator[list[RawEvent]]:
        version, items = self.revision, list(self.objects.values())
        for item in items:
            self._step_through_faults()
            yield [_raw(event("ADDED", item))]
        if version < self.compacted:
            yield [_raw(expired())]
            return
        yield [_raw(bookmark(str(version), initial_end=True))]
        async for batch in self._follow(version):
            yield batch

    async def _follow(self, position: int) -> AsyncIterator[list[RawEvent]]:
        while True:
            step = self._step()
            if step == "cut":
                raise errors.TimedOut("silence", target=TARGET)
            if step == "end":
                return
            if step == "foreign-error":
                yield [_raw(event("ERROR", {"kind": "Status", "code": 500, "message": "etcd", "reason": ""}))]
                return
            if step == "compact":
                self.compacted = self.revision
            if position < self.compacted:
                yield [_raw(expired(str(position)))]
                return
            due = [entry for entry in self._log if entry[0] > position][: 1 if step == "one" else None]
            if due and step != "bookmark":
                position = due[-1][0]
                yield [_raw(event(kind, item)) for _, kind, item in due]
            elif step == "bookmark" and not due:
                yield [_raw(bookmark(str(position)))]
            elif not step:
                self.done = True
                yield [_raw(bookmark(str(position)))]


def _raw(line: dict[str, Any]) -> RawEvent:
    return RawEvent(line["type"], compact(line["object"]))


class Mirror:
    """What a reader believes; checks each change as it comes."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, str]] = {}
        self.synced = False

    def take(self, change: object) -> None:
        if isinstance(change, Synced):
            assert not self.synced
            self.synced = True
            self.objects = {item.meta.name: (item.meta.uid, item.meta.resource_version) for item in change.objects}
        elif isinstance(change, Upsert):
            assert self.synced
            known = self.objects.get(change.meta.name)
            assert known is None or known[0] == change.meta.uid, "a name was reused before its end was told"
            assert known is None or int(known[1]) < int(change.meta.resource_version), "time ran backwards"
            self.objects[change.meta.name] = (change.meta.uid, change.meta.resource_version)
        elif isinstance(change, Gone):
            known = self.objects.pop(change.meta.name)
            assert known[0] == change.meta.uid
        else:
            assert isinstance(change, Condition)
            note(change.state)


async def _mirrored(server: ModelServer) -> Mirror:
    mirror = Mirror()
    changes = reflect(server, PODS, clock=ManualClock(), random=lambda: 0.5)
    async with contextlib.aclosing(changes), asyncio.timeout(20):
        async for change in changes:
            mirror.take(change)
            if server.done:
                break
    return mirror


@settings(max_examples=400, deadline=None)
@given(schedules)
def test_any_order_of_writes_cuts_expiries_and_refusals_ends_equal_to_the_servers_list(schedule: list[Op]) -> None:
    server = ModelServer(schedule)
    mirror = asyncio.run(_mirrored(server))
    assert mirror.objects == {
        name: (item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for name, item in server.objects.items()
    }
