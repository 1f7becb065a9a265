"""The objects of one cluster, with one global revision: what etcd and the registry are in a real API server.

Every write makes one revision and one entry in the log; watches and controllers read the log from a revision on, so
nobody holds a queue that could grow, and history can be compacted (then readers start over, as with a real 410).
Objects are plain JSON dicts and are never changed in place: a reader may keep one for ever. What an object may look
like is not decided here but by two hooks, `prepare` (defaults, which the writer then owns) and `settle` (what is the
server's own, and checks); who owns which field is kept by `ownership`. Single-threaded: all calls come from one event
loop.
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from sealane.sandbox.api import errors, lifecycle, ownership
from sealane.sandbox.api.kinds import NAMESPACES, Kind, Registry
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj, clone, same_but, stamp, utc_now

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str]
Objs = list[Obj]
Events = list["StoreEvent"]
Prepare = Callable[[Kind, Obj, Obj | None], None]
"""`(kind, new, old)`: complete or check a new object in place; raises StatusError."""

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_AFTER_RESTART: Final = 10_000


class Expired(Exception):
    """The log no longer reaches back to the revision that was asked for."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {asked} ({oldest})")


class StoreEvent(msgspec.Struct, frozen=True):
    """One change. `object` is the new state (for DELETED the last one), `previous` the state before, if any."""

    type: EventType
    kind: Kind
    object: Obj
    revision: int
    previous: Obj | None = None


class Store:
    """See the module. `history` is how many changes the log keeps at least before it is compacted."""

    def __init__(
        self,
        *,
        registry: Registry | None = None,
        now: Callable[[], datetime.datetime] = utc_now,
        history: int = 5_000,
    ) -> None:
        self.kinds = registry or Registry()
        self.revision = 1
        self.prepare: Prepare = lambda _kind, _new, _old: None
        self.settle: Prepare = lambda _kind, _new, _old: None
        self.shape_of: Callable[[Kind], Node] = ownership.shape_of
        self.listeners: list[Callable[[StoreEvent], None]] = []
        self.withheld: list[Callable[[Any], bool]] = []
        self.now = now
        self._history = history
        self._objects: dict[Key, dict[tuple[str, str], Obj]] = {}
        self._log: list[StoreEvent] = []
        self._oldest = 1
        self._waiting: set[asyncio.Future[None]] = set()

    # reading

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The object as it is now, or None. Not to be changed."""
        return self._objects.get(kind.key, {}).get((namespace if kind.namespaced else "", name))

    def list(self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str] | None = None) -> Objs:
        """All objects of a kind ("" namespace: everywhere) ordered by namespace and name."""
        found = self._objects.get(kind.key, {})
        return [
            found[place]
            for place in sorted(found)
            if (not namespace or place[0] == namespace) and (not labels or _has(found[place], labels))
        ]

    def list_at(self, kind: Kind, revision: int) -> Objs:
        """What `list` gave at a past revision, by unwinding the log. Raises Expired."""
        state = dict(self._objects.get(kind.key, {}))
        for event in reversed(self.since(revision, {kind.key})):
            if event.previous is None:
                state.pop(_place(event.object), None)
            else:
                state[_place(event.object)] = event.previous
        return [state[place] for place in sorted(state)]

    def since(self, revision: int, keys: Collection[Key]) -> Sequence[StoreEvent]:
        """All changes after a revision, of these kinds (none: of all). Raises Expired."""
        if revision < self._oldest:
            raise Expired(revision, self._oldest)
        return [event for event in self._log[revision - self._oldest :] if not keys or event.kind.key in keys]

    async def changed(self, after: int) -> None:
        """Return once there is a revision later than `after`."""
        if self.revision > after:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    async def subscribe(self, *kinds: Kind) -> AsyncIterator[StoreEvent]:
        """What is there (as ADDED), then every change, for ever. No kinds: all of them.

        A subscriber too slow for the log gets the difference instead: what changed and what went.
        """
        keys = {kind.key for kind in kinds}
        seen: dict[tuple[Key, tuple[str, str]], StoreEvent] = {}
        cursor = self.revision
        for event in self._as_added(keys):
            seen[event.kind.key, _place(event.object)] = event
            yield event
        while True:
            await self.changed(cursor)
            try:
                events = self.since(cursor, keys)
            except Expired:
                events = self._catch_up(seen, keys)
            cursor = self.revision
            for event in events:
                place = (event.kind.key, _place(event.object))
                if event.type == "DELETED":
                    seen.pop(place, None)
                else:
                    seen[place] = event
                yield event

    # writing

    def create(self, kind: Kind, obj: Obj, *, manager: str, dry_run: bool = False, applied: bool = False) -> Obj:
        """Add an object. Raises StatusError (AlreadyExists, NotFound for the namespace, Invalid, …)."""
        new = clone(obj)
        if not applied:
            new.get("metadata", {}).pop("managedFields", None)
        meta = self._identify(kind, new)
        self._check_namespace(kind, meta)
        self.prepare(kind, new, None)
        if not applied:
            self._track(kind, None, new, manager)
        self.settle(kind, new, None)
        if self.get(kind, meta.get("namespace", ""), meta["name"]) is not None:
            raise errors.already_exists(kind.group, kind.plural, meta["name"])
        return new if dry_run else self._commit("ADDED", kind, new, None)

    def update(
        self,
        kind: Kind,
        obj: Obj,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
        applied: bool = False,
        by_scale: bool = False,
    ) -> Obj:
        """Replace an object: its status only through `subresource="status"`, all else only without it.

        A resourceVersion or uid inside `obj` must be the current one. Writes nothing if nothing changes. `applied`:
        the ownership in `obj` was worked out by server-side apply; `by_scale`: what changes is owned as written
        through the scale subresource. Raises StatusError.
        """
        meta = obj.get("metadata") or {}
        old = self._require(kind, meta.get("namespace", ""), meta.get("name", ""))
        lifecycle.check_same(kind, old, uid=meta.get("uid") or "")
        lifecycle.check_preconditions(kind, old, uid="", resource_version=meta.get("resourceVersion") or "")
        new = lifecycle.merged(kind, old, obj, subresource=subresource)
        if subresource in {"", "ephemeralcontainers"}:
            self.prepare(kind, new, old)
        if applied:
            new["metadata"]["managedFields"] = meta.get("managedFields") or []
        elif not _equal_but_ownership(old, new):
            self._track(kind, old, new, manager, "scale" if by_scale else subresource)
        if subresource in {"", "ephemeralcontainers"}:
            self.settle(kind, new, None if subresource else old)  # what is added to a pod is checked as if it were new
        lifecycle.count_generation(kind, old, new)
        if new == old:
            return old
        if dry_run:
            return new
        if lifecycle.is_finished(kind, new):
            return self._commit("DELETED", kind, new, old)
        return self._commit("MODIFIED", kind, new, old)

    def mutate(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[Obj], None],
        *,
        manager: str,
        subresource: str = "",
    ) -> Obj | None:
        """Read, let `change` edit a copy, write; None when there is no such object, no write when nothing changed."""
        old = self.get(kind, namespace, name)
        if old is None:
            return None
        draft = clone(old)
        change(draft)
        return old if draft == old else self.update(kind, draft, manager=manager, subresource=subresource)

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """Remove an object, or only mark it (deletionTimestamp) while finalizers or a pod's grace hold it.

        Gives its last state; `is_gone` tells which of the two happened. Raises StatusError.
        """
        old = self._require(kind, namespace, name)
        lifecycle.check_preconditions(kind, old, uid=uid, resource_version=resource_version)
        new = lifecycle.marked(kind, old, now=self.now(), grace_seconds=grace_seconds, propagation=propagation)
        if new is None or dry_run:
            return (
                old
                if dry_run or new is not None
                else self._commit("DELETED", kind, lifecycle.last_state(kind, old, now=self.now()), old)
            )
        return old if new == old else self._commit("MODIFIED", kind, new, old)

    def is_gone(self, kind: Kind, obj: Obj) -> bool:
        """Whether this very object is no longer there."""
        now = self.get(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        return now is None or now["metadata"]["uid"] != obj["metadata"]["uid"]

    def wake(self) -> None:
        """Let everyone who waits for a change look again."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def compact(self) -> None:
        """Forget all history: older revisions are Expired from now on."""
        self._log.clear()
        self._oldest = self.revision

    # keeping

    def dump(self) -> Obj:
        """Everything, for a snapshot: `{revision, objects: [[group, plural, object], …]}`."""
        return {
            "revision": self.revision,
            "objects": [[*key, obj] for key, found in self._objects.items() for obj in found.values()],
        }

    def load(self, dumped: Obj) -> None:
        """Take over a snapshot. The revision jumps ahead, for clients may have seen later ones than were saved."""
        for group, plural, obj in dumped["objects"]:
            self._objects.setdefault((group, plural), {})[_place(obj)] = obj
        self.revision = self._oldest = int(dumped["revision"]) + _AFTER_RESTART
        self._log.clear()

    # inside

    def _identify(self, kind: Kind, new: Obj) -> Obj:
        meta: Obj = new.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))
        if not meta.get("name"):
            cause = errors.Cause(
                "FieldValueRequired", "Required value: name or generateName is required", "metadata.name"
            )
            raise errors.invalid(kind.group, kind.kind, "", [cause])
        if not kind.namespaced:
            meta.pop("namespace", None)
        new.setdefault("apiVersion", kind.api_version)
        new.setdefault("kind", kind.kind)
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            meta.pop(key, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = stamp(self.now())
        lifecycle.first_generation(kind, meta)
        return meta

    def _check_namespace(self, kind: Kind, meta: Obj) -> None:
        if not kind.namespaced:
            return
        name = meta.get("namespace") or ""
        namespace = self.get(NAMESPACES, "", name)
        if namespace is None:
            raise errors.not_found("", "namespaces", name)
        if namespace["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {name} because it is being terminated"
            error = errors.forbidden(kind.group, kind.plural, meta["name"], why)
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            error.details = (error.details or {}) | {"causes": [cause]}
            raise error

    def _require(self, kind: Kind, namespace: str, name: str) -> Obj:
        found = self.get(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind.group, kind.plural, name)
        return found

    def _track(self, kind: Kind, old: Obj | None, new: Obj, manager: str, subresource: str = "") -> None:
        ownership.track(
            kind, old, new, manager=manager, now=stamp(self.now()), subresource=subresource, shape=self.shape_of(kind)
        )

    def _commit(self, change: EventType, kind: Kind, new: Obj, old: Obj | None) -> Obj:
        self.revision += 1
        new["metadata"]["resourceVersion"] = str(self.revision)
        found = self._objects.setdefault(kind.key, {})
        if change == "DELETED":
            found.pop(_place(new), None)
        else:
            found[_place(new)] = new
        event = StoreEvent(change, kind, new, self.revision, old)
        self._log.append(event)
        if len(self._log) > 2 * self._history:
            del self._log[: self._history]
            self._oldest += self._history
        for listener in self.listeners:
            listener(event)
        self.wake()
        return new

    def _as_added(self, keys: Collection[Key]) -> Events:
        return [
            StoreEvent("ADDED", self._kind_of(key), obj, self.revision)
            for key, found in tuple(self._objects.items())
            if not keys or key in keys
            for obj in found.values()
        ]

    def _catch_up(self, seen: Mapping[tuple[Key, tuple[str, str]], StoreEvent], keys: Collection[Key]) -> Events:
        now = {(event.kind.key, _place(event.object)): event for event in self._as_added(keys)}
        gone = [
            StoreEvent("DELETED", event.kind, event.object, self.revision, event.object)
            for place, event in seen.items()
            if place not in now or now[place].object["metadata"]["uid"] != event.object["metadata"]["uid"]
        ]
        fresh = [
            event if place not in seen else msgspec.structs.replace(event, type="MODIFIED")
            for place, event in now.items()
            if place not in seen or seen[place].object is not event.object
        ]
        return gone + fresh

    def _kind_of(self, key: Key) -> Kind:
        return self.kinds.find(*key) or Kind(key[0], "v1", key[1], key[1])


def _place(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _has(obj: Obj, labels: Mapping[str, str]) -> bool:
    own: dict[str, Any] = obj["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def _equal_but_ownership(old: Obj, new: Obj) -> bool:
    return same_but(old, new, "metadata") and same_but(old["metadata"], new["metadata"], "managedFields")
