"""Headers and bytes: what is kept, what is cut out, and that nothing else changes."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_server import compact, pod, pod_list

from sealane.kube import credentials, errors, failures, wire
from sealane.kube.errors import Target

TARGET = Target(context="c", server="https://c")
texts = st.text(max_size=20) | st.just('"managedFields":[{"a":1}]')
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def test_the_header_holds_what_lists_are_joined_by() -> None:
    body = pod("web", version="7", app="x")
    body["metadata"] |= {
        "generation": 3,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"apiVersion": "v1", "kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True}],
    }
    meta = wire.raw_object(compact(body)).meta
    assert meta.key == ("team-a", "web")
    assert (meta.uid, meta.resource_version, meta.generation) == ("uid-web", "7", 3)
    assert meta.labels == {"app": "x"}
    assert meta.owner_references[0].kind == "ReplicaSet"
    assert meta.deletion_timestamp == "2026-01-01T00:00:00Z"


def test_managed_fields_are_cut_out_of_the_bytes() -> None:
    item = wire.raw_object(compact(pod("web")))
    assert b"managedFields" not in item.raw
    assert item.decode()["spec"] == {}


@given(values, values, st.booleans())
def test_cutting_changes_nothing_else(before: Any, managed: Any, first: bool) -> None:
    fields = [("name", "x"), ("annotations", {"text": '"managedFields":1', "more": json.dumps(before)})]
    fields.insert(0 if first else 2, ("managedFields", managed))
    body = {"spec": before, "metadata": dict(fields), "status": managed}
    raw = compact(body)
    expected = json.loads(raw)
    del expected["metadata"]["managedFields"]
    assert json.loads(wire.raw_object(raw).raw) == expected


def test_an_object_of_managed_fields_and_a_name_alone_stays_json() -> None:
    only = b'{"metadata":{"managedFields":[],"name":"x"}}'
    assert wire.raw_object(only).raw == b'{"metadata":{"name":"x"}}'


def test_items_of_a_list_get_the_kind_of_the_list() -> None:
    page = wire.page(compact(pod_list(pod("a"), pod("b"), version="9", token="t", remaining=5)), target=TARGET)
    assert [item.decode()["kind"] for item in page.objects] == ["Pod", "Pod"]
    assert [item.decode()["apiVersion"] for item in page.objects] == ["v1", "v1"]
    assert (page.resource_version, page.continue_token, page.remaining) == ("9", "t", 5)


def test_items_that_carry_their_kind_keep_it() -> None:
    body = {"kind": "QueueList", "apiVersion": "x/v1", "metadata": {}, "items": [{"apiVersion": "x/v1", "kind": "Q"}]}
    body["items"][0]["metadata"] = {"name": "q"}  # type: ignore[index]
    assert wire.page(compact(body), target=TARGET).objects[0].decode() == {
        "apiVersion": "x/v1",
        "kind": "Q",
        "metadata": {"name": "q"},
    }


def test_a_list_may_be_null() -> None:
    assert wire.page(b'{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":null}', target=TARGET).objects == []


@pytest.mark.parametrize("body", [b"<html>", b'{"message":"sign in"}', b'{"items":[', b"[]"])
def test_what_is_no_list_is_a_broken_connection(body: bytes) -> None:
    with pytest.raises(errors.Disconnected, match="no list of objects"):
        wire.page(body, target=TARGET)


@pytest.mark.parametrize("odd", [b"{}", b"7", b"null", b'{"spec":{}}', b'{"metadata":{"name":7}}'])
def test_one_item_without_a_name_does_not_cost_the_list(odd: bytes) -> None:
    body = b'{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}},%b]}' % odd
    page = wire.page(body, target=TARGET)
    assert [item.meta.name for item in page.objects] == ["a"]
    assert page.unreadable == 1


@given(
    st.dictionaries(st.sampled_from(["labels", "ownerReferences", "uid", "generation", "creationTimestamp"]), values)
)
def test_odd_metadata_costs_its_odd_parts_and_not_the_object(odd: dict[str, Any]) -> None:
    raw = compact({"metadata": {"name": "a", "namespace": "n", "resourceVersion": "7", **odd}})
    found = wire.raw_object(raw)
    assert found.meta.key == ("n", "a")
    assert found.meta.resource_version == "7"
    assert all(isinstance(text, str) for text in (found.meta.labels or {}).values())


def test_bookmarks_and_errors_that_make_no_sense_say_nothing() -> None:
    assert wire.bookmark(b"7") == ("", False)
    assert wire.status(b'"oops"').code == 0


def test_headers_are_invisible_to_the_garbage_collector() -> None:
    item = wire.raw_object(compact(pod("web")))
    assert not gc.is_tracked(item)
    assert not gc.is_tracked(item.meta)


def test_raw_objects_do_not_keep_their_page_alive() -> None:
    page = wire.page(compact(pod_list(pod("a"))), target=TARGET)
    assert type(page.objects[0].raw) is bytes
    assert len(page.objects[0].raw) < 300


def test_only_the_marked_bookmark_ends_the_initial_events() -> None:
    end = {"metadata": {"resourceVersion": "5", "annotations": {"k8s.io/initial-events-end": "true"}}}
    assert wire.bookmark(msgspec.Raw(compact(end))) == ("5", True)
    assert wire.bookmark(msgspec.Raw(b'{"metadata":{"resourceVersion":"6"}}')) == ("6", False)


class Parts:
    """A body that arrives in given parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    async def readany(self) -> bytes:
        return self._parts.pop(0) if self._parts else b""


async def read_events(parts: list[bytes]) -> list[tuple[str, bytes]]:
    batches = wire.events(Parts(parts), target=TARGET)  # type: ignore[arg-type]
    return [(one.type, bytes(one.object)) async for batch in batches for one in batch]


LINES = [
    b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}',
    b'{ "type": "MODIFIED", "object": {"metadata":{"name":"b"}} }',
    b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5"}}}',
    b'{"object":{"metadata":{"name":"c"}},"type":"DELETED"}',
]
EVENTS = [
    ("ADDED", b'{"metadata":{"name":"a"}}'),
    ("MODIFIED", b'{"metadata":{"name":"b"}}'),
    ("BOOKMARK", b'{"metadata":{"resourceVersion":"5"}}'),
    ("DELETED", b'{"metadata":{"name":"c"}}'),
]


@given(st.lists(st.integers(0, 260), max_size=12), st.booleans())
def test_events_are_the_same_wherever_the_stream_is_cut_into_parts(cuts: list[int], closed: bool) -> None:
    body = b"\n".join(LINES) + (b"\n" if closed else b"")
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    parts = [body[start:end] for start, end in pairwise(edges) if start < end]
    assert asyncio.run(read_events(parts)) == EVENTS


async def test_what_came_whole_before_a_broken_line_still_counts() -> None:
    batches = wire.events(Parts([LINES[0] + b"\n" + b'{"typ\n']), target=TARGET)  # type: ignore[arg-type]
    assert [one.type for one in await anext(batches)] == ["ADDED"]
    with pytest.raises(errors.Disconnected, match="cut a watch event short"):
        await anext(batches)


async def test_a_stream_that_ends_within_a_line_was_cut() -> None:
    with pytest.raises(errors.Disconnected):
        await read_events([LINES[0][:-5]])


async def test_a_line_that_does_not_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_EVENT", 1000)
    parts = [LINES[0] + b"\n", *[b"x" * 100] * 50]
    with pytest.raises(errors.Disconnected, match="does not end"):
        await read_events(parts)
    assert len(parts) > 30


@pytest.mark.parametrize(
    "broken", [b'{"metadata":{"name":"a"}', b'{"metadata":{}}', b"7", b'{"metadata":{"name":"a"}},']
)
def test_an_object_that_is_none_is_found_when_its_header_is_read(broken: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.raw_object(broken)


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("where", [b'{"metadata":{"name":"a"},"spec":%s}', b'{"metadata":{"name":7,"x":%s}}'])
def test_an_object_that_nests_without_end_is_the_servers_and_no_crash(where: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.raw_object(where % DEEP)


async def test_answers_that_nest_without_end_are_no_answers() -> None:
    with pytest.raises(errors.Disconnected):
        wire.page(b'{"items":[%s]}' % DEEP, target=TARGET)
    with pytest.raises(errors.Disconnected):
        await read_events([b'{"what":%s}\n' % DEEP])
    assert wire.bookmark(DEEP) == ("", False)
    assert wire.status(DEEP) == failures.Status()
    assert failures.parse_status(b'{"kind":"Status","more":%s}' % DEEP) is None
    assert credentials.claims(f"e30.{base64.urlsafe_b64encode(DEEP).decode()}.x") == {}
