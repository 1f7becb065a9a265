"""Reads: one object, a page of objects, and a watch.

Pages of one list are cut from one revision, kept in the continue token, so that a list read in pieces is the list of
one moment. A watch reads the Store's log from a revision on; objects that begin or cease to match the selector appear
as added or deleted. Items of built-in lists carry no apiVersion and kind, as on a real server.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from sealane.kube import selectors
from sealane.kube.selectors import FieldSelector, Selector
from sealane.sandbox.api import errors, options, tables
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Expired, Store, StoreEvent
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.versions import shown
from sealane.sandbox.api.wire import Reply, Request, Stream, as_json, encode

BOOKMARK_SECONDS: Final = 30.0
_ALWAYS_SELECTABLE: Final = ("metadata.name", "metadata.namespace")
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class Choice(msgspec.Struct, frozen=True):
    """Which objects of a kind a request is about."""

    kind: Kind
    namespace: str
    labels: Selector
    fields: FieldSelector

    def has(self, obj: Obj) -> bool:
        """Whether it is about this object."""
        meta = obj["metadata"]
        return (
            (not self.namespace or meta.get("namespace") == self.namespace)
            and self.labels.matches(meta.get("labels"))
            and self.fields.matches(lambda path: _field(obj, path))
        )


def chosen(target: Target, request: Request) -> Choice:
    """Selectors of a request. Raises StatusError (400)."""
    try:
        labels = selectors.parse(request.query.get("labelSelector", ""))
        text = request.query.get("fieldSelector", "")
        if text and "=" not in text:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
        fields = selectors.parse_fields(text)
    except selectors.BadSelector as error:
        raise errors.bad_request(error.sentence.rstrip(".")) from error
    for requirement in fields.requirements:
        if requirement.path not in (*_ALWAYS_SELECTABLE, *target.kind.selectable):
            raise errors.bad_request(_unknown_field(target.kind, requirement.path))
    return Choice(target.kind, target.namespace, labels, fields)


def get(store: Store, target: Target, request: Request) -> Reply:
    """One object, or the table of one."""
    obj = store.get(target.kind, target.namespace, target.name)
    if obj is None:
        raise errors.not_found(target.kind.group, target.kind.plural, target.name)
    if request.wants_table:
        return as_json(tables.table(store, target.kind, [obj], request, version=obj["metadata"]["resourceVersion"]))
    if request.wants_metadata:
        return as_json(_metadata_of(obj))
    return as_json(shown(target.kind, obj))


def page(store: Store, target: Target, request: Request) -> Reply:
    """A page of a list, or all of it. Raises StatusError (400, 410)."""
    options.of_list(request)
    choice = chosen(target, request)
    revision, after = _where(store, request)
    try:
        everything = store.list(choice.kind) if revision == store.revision else store.list_at(choice.kind, revision)
    except Expired as error:
        message = "The provided continue parameter is too old to display a consistent list result."
        raise errors.expired(message if after else str(error)) from error
    found = [obj for obj in everything if _place(obj) > after and choice.has(obj)]
    limit = request.number("limit") or 0
    meta: Obj = {"resourceVersion": str(revision)}
    if 0 < limit < len(found):
        meta["continue"] = _token(revision, _place(found[limit - 1]))
        if not (request.query.get("labelSelector") or request.query.get("fieldSelector")):
            meta["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    if request.wants_table:
        table = tables.table(store, choice.kind, found, request, version=str(revision))
        table["metadata"] = meta
        return as_json(table)
    if request.wants_metadata:
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
        return as_json(head | {"items": [_metadata_of(obj) for obj in found]})
    return as_json(as_list(choice.kind, found, meta))


def as_list(kind: Kind, items: list[Obj], meta: Obj) -> Obj:
    """A list object of a kind."""
    shapes = (shown(kind, obj) for obj in items)
    bare = (
        shapes if kind.custom else ({k: v for k, v in obj.items() if k not in {"apiVersion", "kind"}} for obj in shapes)
    )
    if kind.custom:
        meta = {"continue": "", **meta}
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": list(bare)}


def watch(store: Store, target: Target, request: Request, *, is_cut: Callable[[], bool]) -> Stream:
    """Changes as lines of JSON. Raises StatusError for bad selectors; an old version is an ERROR line."""
    options.of_watch(request)
    choice = chosen(target, request)
    version = request.query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise errors.StatusError(500, "", _not_a_version(version))
    return Stream(_lines(store, choice, request, is_cut), content_type="application/json;stream=watch")


class CutWatch(Exception):
    """A fault cuts this watch: the connection breaks in the middle."""


async def _lines(store: Store, choice: Choice, request: Request, is_cut: Callable[[], bool]) -> AsyncIterator[bytes]:
    present = _presenter(store, choice.kind, request)
    bookmarks = request.flag("allowWatchBookmarks")
    version = request.query.get("resourceVersion", "")
    initial = request.flag("sendInitialEvents")
    from_now = request.query.get("sendInitialEvents", "") and not initial
    cursor = store.revision if initial or version in {"", "0"} else int(version)
    if initial or (version in {"", "0"} and not from_now):
        for obj in store.list(choice.kind):
            if choice.has(obj):
                yield present("ADDED", obj)
        if initial and bookmarks:
            yield _bookmark(choice.kind, cursor, {INITIAL_EVENTS_END: "true"})
    loop = asyncio.get_running_loop()
    marked = loop.time()  # in its time, however much of other kinds changes: a client takes silence for a loss
    ends = marked + (request.number("timeoutSeconds") or random.uniform(1800, 3600))  # noqa: S311 - spreads load
    while loop.time() < ends:
        if is_cut():
            raise CutWatch
        try:
            events = store.since(cursor, {choice.kind.key})
        except Expired as error:
            yield encode({"type": "ERROR", "object": errors.expired(str(error)).status()}) + b"\n"
            return
        cursor = max(cursor, store.revision)
        for event in events:
            line = _line(choice, event, present)
            if line:
                yield line
        try:
            async with asyncio.timeout_at(min(ends, marked + BOOKMARK_SECONDS)):
                await store.changed(cursor)
        except TimeoutError:
            marked = loop.time()
            if bookmarks and marked < ends:
                yield _bookmark(choice.kind, cursor, {})


def _line(choice: Choice, event: StoreEvent, present: Callable[[str, Obj], bytes]) -> bytes:
    now = event.type != "DELETED" and choice.has(event.object)
    before = event.previous is not None and choice.has(event.previous)
    if now:
        return present("MODIFIED" if before else "ADDED", event.object)
    return present("DELETED", event.object) if before else b""


def _presenter(store: Store, kind: Kind, request: Request) -> Callable[[str, Obj], bytes]:
    if not request.wants_table:
        view = _metadata_of if request.wants_metadata else lambda obj: shown(kind, obj)
        return lambda change, obj: encode({"type": change, "object": view(obj)}) + b"\n"
    first = True

    def as_table(change: str, obj: Obj) -> bytes:
        nonlocal first
        version = obj["metadata"]["resourceVersion"]
        table = tables.table(store, kind, [obj], request, version=version, headed=first)
        first = False
        return encode({"type": change, "object": table}) + b"\n"

    return as_table


def _metadata_of(obj: Obj) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _bookmark(kind: Kind, revision: int, annotations: dict[str, str]) -> bytes:
    meta: Obj = {"resourceVersion": str(revision)}
    if annotations:
        meta["annotations"] = annotations
    obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return encode({"type": "BOOKMARK", "object": obj}) + b"\n"


def _where(store: Store, request: Request) -> tuple[int, tuple[str, str]]:
    """The revision that a list is read at, and the place after which it goes on."""
    token = request.query.get("continue", "")
    if token:
        try:
            revision, namespace, name = msgspec.json.decode(base64.urlsafe_b64decode(token), type=tuple[int, str, str])
        except (ValueError, msgspec.DecodeError) as error:
            raise errors.bad_request(
                "invalid continue token: continue key is not valid: invalid character in token"
            ) from error
        return revision, (namespace, name)
    version = request.query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise errors.bad_request(f"invalid resource version: {_not_a_version(version)}")
    if int(version or 0) > store.revision:
        raise errors.too_large_version(int(version), store.revision)
    if request.query.get("resourceVersionMatch") == "Exact":
        return int(version), ("", "")
    return store.revision, ("", "")


def _unknown_field(kind: Kind, path: str) -> str:
    if kind.selectable:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _not_a_version(version: str) -> str:
    detail = f'strconv.ParseUint: parsing "{version}": invalid syntax'
    return f'resourceVersion: Invalid value: "{version}": {detail}'


def _token(revision: int, place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(encode((revision, *place))).decode()


def _place(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _field(obj: Obj, path: str) -> str:
    if path == "source":
        source: Any = obj.get("source") or {}
        return str(source.get("component", obj.get("reportingComponent", "")))
    text = selectors.field_of(obj, path)
    return "false" if not text and path in {"spec.unschedulable", "spec.hostNetwork"} else text
