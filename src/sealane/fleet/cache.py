"""The objects of one kind in one cluster, held as bytes.

Dicts for a whole cluster cost ten times the memory and stop the event loop while the garbage collector walks them,
so the cache keeps each object's JSON as the watch gives it (without `managedFields`) beside a small header. An object
is decoded when somebody looks at it; a few decoded ones are remembered. Typed views (`views`) decode only the fields
that a reader named, once per version of the object.

Decoded objects are shared between readers: treat them as frozen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from sealane.kube.resources import Resource
from sealane.kube.watch import Upsert
from sealane.kube.wire import RawObject

T = TypeVar("T")
Key = tuple[str, str]
Keys = list[Key]
Objects = list[dict[str, Any]]  # inside the class `list` is the call

INDEXED_LABELS = frozenset(
    {"app.kubernetes.io/managed-by", "app.kubernetes.io/name", "kai.scheduler/queue", "runai-gpu-group"}
)
"""Labels looked up without a scan; any other label is found by scanning headers (8 ms at 100,000)."""


class Header(msgspec.Struct, frozen=True, gc=False):
    """What is known of an object without decoding it. `links` are uids: its owners, and what an event is about."""

    namespace: str
    name: str
    uid: str
    version: str
    labels: dict[str, str]
    links: tuple[str, ...]


class _Involved(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _About(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    involved_object: _Involved = _Involved()


_ABOUT = msgspec.json.Decoder(_About)
_ANY = msgspec.json.Decoder()


def _header(resource: Resource, item: RawObject | Upsert) -> Header:
    meta = item.meta
    links = tuple(owner.uid for owner in meta.owner_references if owner.uid)
    if resource.kind == "Event":
        about = _ABOUT.decode(item.raw).involved_object.uid
        links += (about,) if about else ()
    return Header(meta.namespace, meta.name, meta.uid, meta.resource_version, meta.labels or {}, links)


class KindCache:
    """Objects of one kind by (namespace, name), with an index on links and on `INDEXED_LABELS`."""

    def __init__(self, resource: Resource, *, memo: int = 512) -> None:
        self.resource = resource
        self._memo_limit = memo
        self._entries: dict[Key, tuple[Header, bytes]] = {}
        self._index: dict[str, set[Key]] = {}
        self._memo: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._views: dict[type, dict[Key, Any]] = {}
        self.revision = 0
        """Grows with every change, so that whoever derives something from all objects knows when to do it again."""

    def __len__(self) -> int:
        return len(self._entries)

    def upsert(self, item: RawObject | Upsert) -> bool:
        """Take a new or changed object. False when this very version is here already."""
        header = _header(self.resource, item)
        key = (header.namespace, header.name)
        held = self._entries.get(key)
        if held is not None and held[0].version == header.version and held[0].uid == header.uid and header.version:
            return False
        if held is not None:
            self._forget(key, held[0])
        self._entries[key] = (header, item.raw)
        self.revision += 1
        for term in _terms(header):
            self._index.setdefault(term, set()).add(key)
        return True

    def remove(self, namespace: str, name: str) -> bool:
        """Drop an object. False when it was not here."""
        held = self._entries.pop((namespace, name), None)
        if held is None:
            return False
        self.revision += 1
        self._forget((namespace, name), held[0])
        return True

    def replace(self, objects: Iterable[RawObject], *, namespace: str = "") -> bool:
        """Take a full list (of one namespace when given): what is not in it is gone. True when anything changed."""
        changed = False
        present: set[Key] = set()
        for item in objects:
            present.add(item.meta.key)
            changed |= self.upsert(item)
        for key in [key for key in self._entries if key not in present and (not namespace or key[0] == namespace)]:
            changed |= self.remove(*key)
        return changed

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The decoded object, or None. Shared: never change it."""
        key = (namespace, name)
        held = self._entries.get(key)
        return None if held is None else self._decoded(key, held[1])

    def raw(self, namespace: str, name: str) -> bytes | None:
        """The object's JSON, or None."""
        held = self._entries.get((namespace, name))
        return None if held is None else held[1]

    def list(self, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> Objects:
        """Decoded objects, ordered by namespace and name. Shared: never change them."""
        return [self._decoded(key, self._entries[key][1]) for key in self._matching(namespace, labels or {})]

    def headers(self, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> Iterator[Header]:
        """Headers alone, in the same order; nothing is decoded."""
        return (self._entries[key][0] for key in self._matching(namespace, labels or {}))

    def linked(self, uid: str) -> Objects:
        """Objects owned by `uid`, or events about it."""
        keys = sorted(self._index.get(f"uid/{uid}", ()))
        return [self._decoded(key, self._entries[key][1]) for key in keys]

    def views(self, shape: type[T]) -> Sequence[T]:
        """Every object as `shape` (a msgspec Struct that names the fields wanted); each is decoded once a version."""
        held: dict[Key, T] = self._views.setdefault(shape, {})
        if len(held) != len(self._entries):
            decoder = msgspec.json.Decoder(shape)
            for key, (_, raw) in self._entries.items():
                if key not in held:
                    held[key] = decoder.decode(raw)
        return [held[key] for key in sorted(held)]

    def _matching(self, namespace: str, labels: Mapping[str, str]) -> Keys:
        indexed = [f"label/{key}={value}" for key, value in labels.items() if key in INDEXED_LABELS]
        pools = sorted((self._index.get(term, set()) for term in indexed), key=len)
        pool: Iterable[Key] = pools[0] if pools else self._entries
        wanted = labels.items()
        return sorted(
            key
            for key in pool
            if (not namespace or key[0] == namespace) and wanted <= self._entries[key][0].labels.items()
        )

    def _decoded(self, key: Key, raw: bytes) -> dict[str, Any]:
        found = self._memo.get(key)
        if found is not None:
            self._memo.move_to_end(key)
            return found
        decoded: dict[str, Any] = _ANY.decode(raw)
        decoded.setdefault("kind", self.resource.kind)
        decoded.setdefault("apiVersion", self.resource.api_version)
        self._memo[key] = decoded
        while len(self._memo) > self._memo_limit:
            self._memo.popitem(last=False)
        return decoded

    def _forget(self, key: Key, header: Header) -> None:
        self._memo.pop(key, None)
        for held in self._views.values():
            held.pop(key, None)
        for term in _terms(header):
            keys = self._index.get(term)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._index[term]


def _terms(header: Header) -> Iterator[str]:
    yield from (f"uid/{uid}" for uid in header.links)
    yield from (f"label/{key}={value}" for key, value in header.labels.items() if key in INDEXED_LABELS)
