"""Bytes of the API server ⇄ a small header and the object's own bytes.

Decoding whole objects into dicts is what makes other clients slow and fat: 10,000 pods are 300 MB of dicts, and the
garbage collector walks all of them. So a list or an event is decoded only as far as its header (`Meta`, invisible to
the collector); the object stays JSON until somebody looks at it. `managedFields`, about a third of an object and read
by nobody here, is cut out of the bytes on the way in.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import aiohttp
import msgspec

from sealane.kube.errors import UNREADABLE, Disconnected, Target
from sealane.kube.failures import Status
from sealane.kube.http import next_part

LONGEST_EVENT = 32 * 1024 * 1024
"""Bytes of one line of a watch. The largest object that etcd takes has 1.5 MB."""

_MANAGED_KEY = b'"managedFields":'
_EVENT_HEADS = {b'{"type":"%s","object":' % kind.encode(): kind for kind in ("ADDED", "MODIFIED", "DELETED")}


class Owner(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One entry of `metadata.ownerReferences`."""

    kind: str
    name: str
    uid: str = ""
    controller: bool = False


class Meta(msgspec.Struct, frozen=True, rename="camel", gc=False, kw_only=True):
    """The part of `metadata` that lists are filtered and joined by."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """`(namespace, name)`: unique within a kind at any moment."""
        return (self.namespace, self.name)


class RawObject(msgspec.Struct, frozen=True, gc=False):
    """One object: its header, and its JSON without managedFields."""

    meta: Meta
    raw: bytes

    def decode(self) -> dict[str, Any]:
        """The object as plain values; about 30 µs for a pod."""
        return cast("dict[str, Any]", msgspec.json.decode(self.raw))


class RawPage(msgspec.Struct, frozen=True):
    """One page of a list. `continue_token` "" marks the last; `remaining` is the server's estimate of what follows."""

    objects: list[RawObject]
    resource_version: str
    continue_token: str = ""
    remaining: int = 0
    unreadable: int = 0
    """Items that have no name; they are left out of `objects`."""


class RawEvent(msgspec.Struct, frozen=True):
    """One line of a watch: type ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and the object's bytes as sent.

    The object of the first three may still be broken; `raw_object` finds that out.
    """

    type: str
    object: bytes | msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _FullMeta(Meta, frozen=True, rename="camel", gc=False, kw_only=True):
    managed_fields: msgspec.Raw = msgspec.Raw(b"")


class _Header(msgspec.Struct, gc=False):
    metadata: _FullMeta


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int = 0


class _RawList(msgspec.Struct, rename="camel"):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    kind: str = ""
    api_version: str = ""


class _BookmarkMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMeta


_header = msgspec.json.Decoder(_Header)
_list = msgspec.json.Decoder(_RawList)
_event = msgspec.json.Decoder(_Event)
_bookmark = msgspec.json.Decoder(_Bookmark)
_status = msgspec.json.Decoder(Status)


def raw_object(data: bytes | msgspec.Raw) -> RawObject:
    """Header and trimmed bytes of one object's JSON. Odd parts of its metadata are left out rather than the object.

    `msgspec.ValidationError` when it is JSON without a name, any other `msgspec.DecodeError` when it is no JSON.
    """
    try:
        metadata = _header.decode(data).metadata
    except msgspec.ValidationError:
        return RawObject(_salvaged(data), bytes(data))
    except RecursionError as error:
        raise msgspec.ValidationError("the object nests without end") from error
    raw = bytes(data)
    if metadata.managed_fields:
        raw = without_managed_fields(raw, bytes(metadata.managed_fields))
    meta = Meta(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        creation_timestamp=metadata.creation_timestamp,
        deletion_timestamp=metadata.deletion_timestamp,
        labels=metadata.labels,
        owner_references=metadata.owner_references,
    )
    return RawObject(meta, raw)


def _salvaged(data: bytes | msgspec.Raw) -> Meta:
    """As much of a header as can be made of metadata that is not as it should be."""
    try:
        body = msgspec.json.decode(data)
    except RecursionError as error:
        raise msgspec.ValidationError("the object nests without end") from error
    found: Any = body.get("metadata") if isinstance(body, dict) else None
    found = found if isinstance(found, dict) else {}
    name = found.get("name")
    if not isinstance(name, str) or not name:
        raise msgspec.ValidationError("the object has no name")

    def text(field: str) -> str:
        value = found.get(field)
        return value if isinstance(value, str) else ""

    labels = found.get("labels")
    pairs = labels.items() if isinstance(labels, dict) else ()
    return Meta(
        name=name,
        namespace=text("namespace"),
        uid=text("uid"),
        resource_version=text("resourceVersion"),
        creation_timestamp=text("creationTimestamp") or None,
        deletion_timestamp=text("deletionTimestamp") or None,
        labels={key: value for key, value in pairs if isinstance(value, str)} or None,
        owner_references=tuple(_owners(found.get("ownerReferences"))),
    )


def _owners(found: Any) -> Iterator[Owner]:
    for entry in found if isinstance(found, list) else ():
        with contextlib.suppress(msgspec.ValidationError):
            yield msgspec.convert(entry, Owner)


def without_managed_fields(raw: bytes, value: bytes) -> bytes:
    """`raw` without the member `"managedFields": value` and one comma beside it.

    Inside JSON strings quotes are escaped, so this key followed by exactly this value cannot stand in one.
    """
    start = raw.find(_MANAGED_KEY)
    while start >= 0:
        end = start + len(_MANAGED_KEY) + len(value)
        if raw[start + len(_MANAGED_KEY) : end] == value:
            break
        start = raw.find(_MANAGED_KEY, start + 1)
    else:
        return raw  # spaces around the colon: legal, but API servers write compact JSON
    if raw[start - 1 : start] == b",":
        start -= 1
    elif raw[end : end + 1] == b",":
        end += 1
    return raw[:start] + raw[end:]


def page(body: bytes, *, target: Target) -> RawPage:
    """Decode a list's answer; the objects get the kind that the list has, as items of built-in lists carry none.

    One item without a name does not cost the list; it is counted. `Disconnected` when the answer is no list (a proxy's
    page, a body cut short): it must not look like an empty one.
    """
    objects: list[RawObject] = []
    unreadable = 0
    try:
        found = _list.decode(body)
        if isinstance(found.items, msgspec.UnsetType):
            raise msgspec.ValidationError("there are no items")
        items = found.items or []
        prefix = _kind_prefix(found, items)
        for item in items:
            try:
                objects.append(raw_object(prefix + bytes(item)[1:] if prefix else item))
            except msgspec.DecodeError:  # the list as a whole is JSON, so this is about the item alone
                unreadable += 1
    except UNREADABLE as error:
        raise Disconnected(f"{target.server} sent something that is no list of objects", target=target) from error
    meta = found.metadata
    return RawPage(objects, meta.resource_version, meta.continue_, meta.remaining_item_count, unreadable)


def _kind_prefix(found: _RawList, items: list[msgspec.Raw]) -> bytes:
    """`{"kind":"Pod","apiVersion":"v1",` for items that lack it; nothing when they carry it (custom resources)."""
    if not items or bytes(memoryview(items[0])[:64]).lstrip(b"{ \n").startswith((b'"apiVersion"', b'"kind"')):
        return b""
    kind = found.kind.removesuffix("List")
    return b"".join(
        (b'{"kind":', msgspec.json.encode(kind), b',"apiVersion":', msgspec.json.encode(found.api_version), b",")
    )


async def events(content: aiohttp.StreamReader, *, target: Target) -> AsyncGenerator[list[RawEvent], None]:
    """A watch's body as it arrives → the events that each part completes; an unfinished line waits for the next part.

    `Disconnected` when a line is no event (a body cut short by a proxy) or does not end.
    """
    rest: list[bytes] = []
    held = 0
    while part := await next_part(content):
        lines = part.split(b"\n")
        if len(lines) == 1:
            rest.append(part)
            held += len(part)
            if held > LONGEST_EVENT:
                raise Disconnected(f"{target.server} sends a watch event that does not end", target=target)
            continue
        lines[0] = b"".join((*rest, lines[0]))
        rest = [lines.pop()]
        held = len(rest[0])
        batch, broken = _decoded(lines)
        if batch:
            yield batch
        if broken is not None:
            raise Disconnected(f"{target.server} cut a watch event short", target=target) from broken
    batch, broken = _decoded([b"".join(rest)])
    if batch:
        yield batch
    if broken is not None:
        raise Disconnected(f"{target.server} cut a watch event short", target=target) from broken


def _decoded(lines: list[bytes]) -> tuple[list[RawEvent], Exception | None]:
    """The events of whole lines, up to the first that is none: what came whole before it still counts."""
    batch: list[RawEvent] = []
    try:
        for line in lines:
            if line:
                batch.append(_one_event(line))
    except UNREADABLE as error:
        return batch, error
    return batch, None


def _one_event(line: bytes) -> RawEvent:
    """An event as API servers write it is cut apart by its head, which halves the work; any other is decoded."""
    end = line.find(b'"object":', 0, 40) + 9
    kind = _EVENT_HEADS.get(line[:end])
    if kind is not None and line.endswith(b"}"):
        return RawEvent(kind, line[end:-1])
    found = _event.decode(line)
    return RawEvent(found.type, found.object)


def bookmark(data: bytes | msgspec.Raw) -> tuple[str, bool]:
    """A BOOKMARK's resource version ("" when it has none), and whether it ends the initial events of a WatchList."""
    try:
        found = _bookmark.decode(data).metadata
    except UNREADABLE:
        return "", False
    return found.resource_version, (found.annotations or {}).get("k8s.io/initial-events-end") == "true"


def status(data: bytes | msgspec.Raw) -> Status:
    """The Status of an ERROR event; an empty one when it is something else."""
    try:
        return _status.decode(data)
    except UNREADABLE:
        return Status()
