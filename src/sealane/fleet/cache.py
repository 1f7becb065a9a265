"""The objects of one kind in one cluster, held as bytes.

Dicts for a whole cluster cost ten times the memory and stop the event loop while the garbage collector walks them,
so the cache keeps each object's JSON as the watch gives it (without `managedFields`; packed when there are many, see
`fleet.packing`) in a small header. An object is decoded when somebody looks at it; a few decoded ones are remembered
(`fleet.memo`). Views decode only the fields that a reader named, as the objects come (`fleet.views`).

Nothing here waits or takes long for one change; what concerns all objects (`replacing`, `repacking`, `catching_up`) is
a generator that the feed drives, with turns for everybody else in between. Decoded objects are shared between readers:
treat them as frozen.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from sealane.fleet.index import Index, Key, Order
from sealane.fleet.memo import Memo
from sealane.fleet.packing import Packing
from sealane.fleet.views import Kept, View, announced
from sealane.kube.errors import UNREADABLE
from sealane.kube.resources import Resource
from sealane.kube.watch import Upsert
from sealane.kube.wire import Meta, RawObject

T = TypeVar("T")
Keys = list[Key]
Objects = list[dict[str, Any]]  # inside the class `list` is the call

INDEXED_LABELS = frozenset(
    {"app.kubernetes.io/managed-by", "app.kubernetes.io/name", "kai.scheduler/queue", "runai-gpu-group"}
)
"""Labels looked up without a scan; any other label is found by scanning headers (10 ms at 100,000)."""

AT_ONCE = 5_000
"""Objects that a read decodes for a view that it is the first to ask for; 25 ms."""

STEP = 200
"""Changes between two turns for everybody else, in what concerns all objects; some 5 ms."""

_REVISIONS = itertools.count(1)
_CACHES = itertools.count(1)
_SHARED = 8_192
_RUN = 4_000  # keys that find their places together while many come


class Header(msgspec.Struct, frozen=True, gc=False):
    """What is known of an object without decoding it. `links` are uids: its owners, and what an event is about."""

    namespace: str
    name: str
    uid: str
    version: str
    labels: dict[str, str]
    links: tuple[str, ...]


class _Entry(Header, frozen=True, gc=False):
    """A header with the object itself, so that a hundred thousand of them need no pairs."""

    raw: bytes


Entries = list[_Entry]


class _Involved(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _About(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    involved_object: _Involved = _Involved()


_ABOUT = msgspec.json.Decoder(_About)
_ANY = msgspec.json.Decoder()


class KindCache:
    """Objects of one kind by (namespace, name), with an index on links and on `INDEXED_LABELS`."""

    def __init__(self, resource: Resource, *, memo: Memo | None = None, packing: Packing | None = None) -> None:
        self.resource = resource
        self.packing = packing or Packing()
        self._id = next(_CACHES)
        self._memo = Memo() if memo is None else memo
        self._entries: dict[Key, _Entry] = {}
        self._order = Order()
        self._index = Index()
        self._shapes: dict[type, View[Any]] = {}
        self._views: dict[View[Any], Kept[Any]] = {view: Kept(view, ()) for view in announced(resource)}
        self._shared: dict[Hashable, Any] = {}
        self.revision = next(_REVISIONS)
        """Grows with every change, and is no other cache's: whoever derives something knows when to do it again."""

    def __len__(self) -> int:
        return len(self._entries)

    # -- changes --------------------------------------------------------------------------------------------------

    def admit(self, item: RawObject, before: int) -> RawObject:
        """The form in which an object of a full answer waits for its end, when `before` others came: packed, without
        what the cache does not use."""
        meta = item.meta
        owners = meta.owner_references
        slim = Meta(
            name=meta.name,
            namespace=self._shared_value(meta.namespace, meta.namespace),
            uid=meta.uid,
            resource_version=meta.resource_version,
            labels=self._shared_value(tuple(meta.labels.items()), meta.labels) if meta.labels else None,
            owner_references=self._shared_value(owners, owners) if owners else (),
        )
        return RawObject(slim, self.packing.pack(item.raw, among=before))

    def upsert(self, item: RawObject | Upsert) -> bool:
        """Take a new or changed object. False when this very version is here already."""
        meta = item.meta
        held = self._entries.get(meta.key)
        if held is not None and held.version == meta.resource_version and held.uid == meta.uid and held.version:
            return False
        raw = self.packing.unpack(item.raw) if self._views or self.resource.kind == "Event" else item.raw
        entry = self._entry(item, raw)
        key = (entry.namespace, entry.name)
        if held is None:
            self._order.add(key)
        else:
            self._forget(key, held)
        self._entries[key] = entry
        self.revision = next(_REVISIONS)
        for term in _terms(entry):
            self._index.add(term, key)
        for kept in self._views.values():
            kept.take(key, raw)
        return True

    def remove(self, namespace: str, name: str) -> bool:
        """Drop an object. False when it was not here."""
        key = (namespace, name)
        held = self._entries.pop(key, None)
        if held is None:
            return False
        self.revision = next(_REVISIONS)
        self._order.remove(key)
        self._forget(key, held)
        for kept in self._views.values():
            kept.forget(key)
        return True

    def replace(self, objects: Iterable[RawObject], *, namespace: str = "") -> bool:
        """`replacing` in one go: for few objects. True when anything changed."""
        before = self.revision
        for _ in self.replacing(objects, namespace=namespace):
            pass
        return self.revision != before

    def replacing(self, objects: Iterable[RawObject], *, namespace: str = "") -> Iterator[None]:
        """Take a full list (of one namespace when given): what is not in it is gone. In steps of `STEP` changes."""
        present: set[Key] = set()
        for count, item in enumerate(objects, start=1):
            present.add(item.meta.key)
            self.upsert(item)
            if count % STEP == 0:
                yield
            if count % _RUN == 0:
                self._order.all()  # keys find their places now and then, and not all at the end
        yield
        if not namespace and len(present) == len(self._entries):
            return
        keys = self._order.namespace(namespace) if namespace else self._order.all()
        yield from self._removing([key for key in keys if key not in present])

    def keeping(self, namespaces: Iterable[str]) -> Iterator[None]:
        """Drop what is in other namespaces, in steps: nobody would hear of its end any more."""
        kept = frozenset(namespaces)
        yield from self._removing([key for key in self._order.all() if key[0] not in kept])

    def close(self) -> None:
        """The kind is watched no more: let everything go now, and not when the collector finds a cycle around it."""
        self._memo.forget_all(self._id)
        self._entries, self._order, self._index = {}, Order(), Index()
        self._views, self._shared = {}, {}

    def repacking(self) -> Iterator[None]:
        """Pack what came before the dictionary, in steps."""
        for count, key in enumerate(tuple(self._entries), start=1):
            held = self._entries.get(key)
            if held is not None:
                self._entries[key] = msgspec.structs.replace(held, raw=self._packed(held.raw))
            if count % STEP == 0:
                yield

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The decoded object, or None. Shared: never change it."""
        key = (namespace, name)
        held = self._entries.get(key)
        return None if held is None else self._decoded(key, held)

    def raw(self, namespace: str, name: str) -> bytes | None:
        """The object's JSON, or None."""
        held = self._entries.get((namespace, name))
        return None if held is None else self.packing.unpack(held.raw)

    def list(self, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> Objects:
        """Decoded objects, ordered by namespace and name. Shared: never change them. Some 40 µs each: of a large kind
        take `headers`, and `get` those that are shown."""
        found = self._matching(namespace, labels or {})
        return [self._decoded((held.namespace, held.name), held) for held in found]

    def headers(self, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> Iterator[Header]:
        """Headers alone, in the same order; nothing is decoded."""
        return iter(self._matching(namespace, labels or {}))

    def linked(self, uid: str) -> Objects:
        """Objects owned by `uid`, or events about it."""
        return [self._decoded(key, self._entries[key]) for key in sorted(self._index.get(f"uid/{uid}"))]

    def views(self, view: type[T] | View[T]) -> Sequence[T]:
        """What `view` keeps of every object: a `View`, or a msgspec Struct that names the fields wanted. Complete
        unless `behind`."""
        if not isinstance(view, View):
            view = self._shapes.setdefault(view, View(view))
        kept = self._views.get(view)
        if kept is None:
            kept = self._views[view] = Kept(view, self._entries)
        if kept.backlog:
            kept.catch_up(self._entries, self.packing.unpack, most=AT_ONCE)
        return kept.listed(self._order.all, self.revision)

    @property
    def behind(self) -> bool:
        """Whether some view has not seen all objects yet, because it was first asked for when they were many."""
        return any(kept.backlog for kept in self._views.values())

    def catching_up(self) -> Iterator[None]:
        """Let every view see all objects, in steps; the revision grows at the end, so that readers look again."""
        for kept in tuple(self._views.values()):
            while kept.backlog:
                kept.catch_up(self._entries, self.packing.unpack, most=STEP)
                yield
        self.revision = next(_REVISIONS)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _entry(self, item: RawObject | Upsert, raw: bytes) -> _Entry:
        """The entry; what it has alike with others is held once."""
        meta = item.meta
        links = tuple(owner.uid for owner in meta.owner_references if owner.uid)
        if self.resource.kind == "Event":
            links += _about(raw)
        labels = meta.labels or {}
        return _Entry(
            self._shared_value(meta.namespace, meta.namespace),
            meta.name,
            meta.uid,
            meta.resource_version,
            self._shared_value(tuple(labels.items()), labels),
            self._shared_value(("links", links), links),
            self._packed(item.raw),
        )

    def _shared_value(self, key: Hashable, value: T) -> T:
        """The same value for the same key, so that what many objects have alike is held once."""
        if len(self._shared) > _SHARED:
            self._shared.clear()
        found: T = self._shared.setdefault(key, value)
        return found

    def _packed(self, raw: bytes) -> bytes:
        return self.packing.pack(raw, among=len(self._entries))

    def _removing(self, keys: Keys) -> Iterator[None]:
        for count, key in enumerate(keys, start=1):
            self.remove(*key)
            if count % STEP == 0:
                yield

    def _matching(self, namespace: str, labels: Mapping[str, str]) -> Entries:
        indexed = [f"label/{key}={value}" for key, value in labels.items() if key in INDEXED_LABELS]
        pools = sorted((self._index.get(term) for term in indexed), key=len)
        keys: Iterable[Key]
        if pools:
            keys = sorted(key for key in pools[0] if not namespace or key[0] == namespace)
        else:
            keys = self._order.namespace(namespace) if namespace else self._order.all()
        found = [self._entries[key] for key in keys]
        if not labels:
            return found
        wanted = labels.items()
        # Labels that are alike are one dict, so each is compared once.
        alike = {id(held.labels): held.labels for held in found}
        fitting = {which for which, held in alike.items() if wanted <= held.items()}
        return [held for held in found if id(held.labels) in fitting]

    def _decoded(self, key: Key, held: _Entry) -> dict[str, Any]:
        found = self._memo.get(self._id, key)
        if found is not None:
            return found
        raw = self.packing.unpack(held.raw)
        decoded: dict[str, Any] = _ANY.decode(raw)
        decoded.setdefault("kind", self.resource.kind)
        decoded.setdefault("apiVersion", self.resource.api_version)
        self._memo.put(self._id, key, decoded, size=len(raw))
        return decoded

    def _forget(self, key: Key, held: _Entry) -> None:
        self._memo.forget(self._id, key)
        for term in _terms(held):
            self._index.discard(term, key)


def _about(raw: bytes) -> tuple[str, ...]:
    """The uid of what an event is about, if it says."""
    try:
        uid = _ABOUT.decode(raw).involved_object.uid
    except UNREADABLE:
        return ()
    return (uid,) if uid else ()


def _terms(header: Header) -> Iterator[str]:
    yield from (f"uid/{uid}" for uid in header.links)
    yield from (f"label/{key}={value}" for key, value in header.labels.items() if key in INDEXED_LABELS)
