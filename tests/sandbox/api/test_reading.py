"""Lists, pages and watches as clients see them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
import virtual_time
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import kinds, reading
from sealane.sandbox.api.kinds import NODES
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.wire import Request

PODS = "/api/v1/namespaces/team/pods"
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


def pod(name: str, **labels: str) -> dict[str, Any]:
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def names(api: Any, query: str) -> list[str]:
    answer = await api.call("GET", f"{PODS}?{query}")
    assert answer.status == 200, answer.body
    return [item["metadata"]["name"] for item in answer.json["items"]]


async def test_a_list_has_a_version_and_items_without_kind(api: Any) -> None:
    await api.call("POST", PODS, pod("a"))
    listed = (await api.call("GET", PODS)).json
    assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
    assert listed["metadata"]["resourceVersion"] == str(api.store.revision)
    assert "kind" not in listed["items"][0]


async def test_selectors_narrow_a_list(api: Any) -> None:
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        await api.call("POST", PODS, pod(name, app=app))
    assert await names(api, "labelSelector=app%3Dx") == ["a", "c"]
    assert await names(api, "labelSelector=app in (y)") == ["b"]
    assert await names(api, "fieldSelector=metadata.name!%3Da") == ["b", "c"]
    assert await names(api, "fieldSelector=status.phase%3DPending,spec.nodeName%3D") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("labelSelector=a in b", "unable to parse requirement"),
        ("fieldSelector=spec.volumes%3Dx", "field label not supported: spec.volumes"),
        ("limit=many", 'parsing "many": invalid syntax'),
        ("continue=rubbish!", "continue key is not valid"),
    ],
)
async def test_a_query_that_makes_no_sense_is_a_bad_request(api: Any, query: str, said: str) -> None:
    answer = await api.call("GET", f"{PODS}?{query}")
    assert answer.status == 400
    assert said in answer.json["message"]


async def test_pages_of_one_list_show_one_moment(api: Any) -> None:
    for name in "abcde":
        await api.call("POST", PODS, pod(name))
    first = (await api.call("GET", f"{PODS}?limit=2")).json
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await api.call("DELETE", f"{PODS}/d")
    await api.call("POST", PODS, pod("f"))
    second = (await api.call("GET", f"{PODS}?limit=9&continue={first['metadata']['continue']}")).json
    assert [item["metadata"]["name"] for item in second["items"]] == ["c", "d", "e"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_token_older_than_history_is_expired(api: Any) -> None:
    for name in "abc":
        await api.call("POST", PODS, pod(name))
    token = (await api.call("GET", f"{PODS}?limit=1")).json["metadata"]["continue"]
    await api.call("POST", PODS, pod("d"))
    api.store.compact()
    answer = await api.call("GET", f"{PODS}?limit=1&continue={token}")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")


async def test_a_token_is_opaque_text_fit_for_a_url(api: Any) -> None:
    for name in "ab":
        await api.call("POST", PODS, pod(name))
    token = (await api.call("GET", f"{PODS}?limit=1")).json["metadata"]["continue"]
    assert json.loads(base64.urlsafe_b64decode(token))[1:] == ["team", "a"]


async def test_a_watch_goes_on_from_a_version(api: Any) -> None:
    await api.call("POST", PODS, pod("before"))
    version = (await api.call("GET", PODS)).json["metadata"]["resourceVersion"]
    async with api.watch(f"{PODS}?watch=1&resourceVersion={version}") as following:
        made = (await api.call("POST", PODS, pod("a", app="x"))).json
        made["metadata"]["labels"]["app"] = "y"
        await api.call("PUT", f"{PODS}/a", made)
        await api.call("DELETE", f"{PODS}/a")
        seen = [await following() for _ in range(3)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]
    assert seen[0]["object"]["kind"] == "Pod"


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Any) -> None:
    await api.call("POST", PODS, pod("there"))
    async with api.watch(f"{PODS}?watch=true") as following:
        assert (await following())["object"]["metadata"]["name"] == "there"


async def test_a_watch_list_ends_its_beginning_with_a_marked_bookmark(api: Any) -> None:
    await api.call("POST", PODS, pod("there"))
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with api.watch(f"{PODS}?{query}") as following:
        assert (await following())["type"] == "ADDED"
        mark = await following()
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["object"]["metadata"]["resourceVersion"] == str(api.store.revision)


def test_a_quiet_kind_is_bookmarked_while_another_changes_all_the_time() -> None:
    marked: list[float] = []

    async def main() -> None:
        store = Store()
        query = b"watch=1&allowWatchBookmarks=true&timeoutSeconds=100"
        scope = {"type": "http", "method": "GET", "path": PODS, "headers": [], "query_string": query}
        stream = reading.watch(store, Target(kinds.PODS), Request(scope, nothing), is_cut=lambda: False)
        busy = asyncio.create_task(_touch(store))
        loop = asyncio.get_running_loop()
        async for line in stream.chunks:
            event = json.loads(line)
            assert (event["type"], event["object"]["metadata"]["resourceVersion"]) == ("BOOKMARK", str(store.revision))
            marked.append(loop.time())
        busy.cancel()

    virtual_time.run(main())
    assert marked == [30.0, 60.0, 90.0]


async def _touch(store: Store) -> None:
    for number in range(1_000):
        store.create(NODES, {"metadata": {"name": f"n-{number}"}}, manager="test")
        await asyncio.sleep(7)


async def test_an_old_version_is_answered_with_an_error_line(api: Any) -> None:
    await api.call("POST", PODS, pod("a"))
    api.store.compact()
    async with api.watch(f"{PODS}?watch=1&resourceVersion=1") as following:
        event = await following()
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert event["object"]["message"].startswith("too old resource version: 1 (")
        assert await following() is None


async def test_a_watch_ends_after_its_time(api: Any) -> None:
    async with api.watch(f"{PODS}?watch=1&resourceVersion={api.store.revision}&timeoutSeconds=1") as following:
        assert await following() is None


async def test_objects_that_begin_or_cease_to_match_appear_and_go(api: Any) -> None:
    made = (await api.call("POST", PODS, pod("a", app="x"))).json
    version = made["metadata"]["resourceVersion"]
    async with api.watch(f"{PODS}?watch=1&labelSelector=app%3Dy&resourceVersion={version}") as following:
        made["metadata"]["labels"]["app"] = "y"
        made = (await api.call("PUT", f"{PODS}/a", made)).json
        made["metadata"]["labels"]["app"] = "z"
        await api.call("PUT", f"{PODS}/a", made)
        assert [(await following())["type"] for _ in range(2)] == ["ADDED", "DELETED"]


async def test_a_watch_of_one_namespace_hears_nothing_of_another(api: Any) -> None:
    async with api.watch(f"/api/v1/namespaces/default/pods?watch=1&resourceVersion={api.store.revision}") as following:
        await api.call("POST", PODS, pod("elsewhere"))
        await api.call("POST", "/api/v1/namespaces/default/pods", pod("here"))
        assert (await following())["object"]["metadata"]["name"] == "here"


async def test_a_list_can_be_a_table(api: Any) -> None:
    await api.call("POST", PODS, pod("a"))
    table = (await api.call("GET", PODS, headers=TABLE)).json
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]][:5] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert table["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_watch_can_be_tables_with_columns_once(api: Any) -> None:
    for name in "ab":
        await api.call("POST", PODS, pod(name))
    async with api.watch(f"{PODS}?watch=1", headers=TABLE) as following:
        first, second = await following(), await following()
    assert first["object"]["columnDefinitions"]
    assert not second["object"]["columnDefinitions"]


async def test_what_is_not_there_is_not_found(api: Any) -> None:
    answer = await api.call("GET", f"{PODS}/nobody")
    assert answer.status == 404
    assert answer.json["message"] == 'pods "nobody" not found'
    assert answer.json["details"] == {"name": "nobody", "kind": "pods"}


async def test_a_resource_that_a_version_does_not_have_is_not_found(api: Any) -> None:
    answer = await api.call("GET", "/api/v1/unicorns")
    assert (answer.status, answer.json["message"]) == (404, "the server could not find the requested resource")


@pytest.mark.parametrize("path", ["/apis/nowhere/v1/things", "/api/v2/pods", "/nothing", "/apis/nowhere"])
async def test_a_path_that_nothing_is_served_under_is_not_found_in_plain_text(api: Any, path: str) -> None:
    answer = await api.call("GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


async def test_events_are_shown_in_both_groups(api: Any) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "team"},
        "message": "hello",
        "reason": "Said",
        "type": "Normal",
    }
    await api.call("POST", "/api/v1/namespaces/team/events", event)
    newer = (await api.call("GET", "/apis/events.k8s.io/v1/namespaces/team/events/e")).json
    assert newer["apiVersion"] == "events.k8s.io/v1"
    assert newer["note"] == "hello"
    assert newer["regarding"]["name"] == "a"


async def test_names_and_labels_alone_can_be_asked_for(api: Any) -> None:
    await api.call("POST", PODS, pod("a", app="x"))
    accept = {"accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    listed = (await api.call("GET", PODS, headers=accept)).json
    assert listed["kind"] == "PartialObjectMetadataList"
    assert listed["items"][0]["metadata"]["labels"] == {"app": "x"}
    assert "spec" not in listed["items"][0]
    one = {"accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
    assert set((await api.call("GET", f"{PODS}/a", headers=one)).json) == {"kind", "apiVersion", "metadata"}
    async with api.watch(f"{PODS}?watch=1", headers=one) as following:
        assert (await following())["object"]["kind"] == "PartialObjectMetadata"


async def test_a_version_that_was_never_reached_is_too_large(api: Any) -> None:
    answer = await api.call("GET", f"{PODS}?resourceVersion=999999")
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")
    assert answer.json["message"].startswith("Too large resource version: 999999, current: ")


async def test_an_encoding_that_is_not_written_here_is_not_acceptable(api: Any) -> None:
    answer = await api.call("GET", PODS, headers={"accept": "application/vnd.kubernetes.protobuf"})
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    both = {"accept": "application/vnd.kubernetes.protobuf,application/json"}
    assert (await api.call("GET", PODS, headers=both)).status == 200


@given(limit=st.integers(1, 7), count=st.integers(0, 6), changes=st.integers(0, 3))
async def test_pages_of_any_size_make_the_whole_list_of_one_moment(limit: int, count: int, changes: int) -> None:
    store = Store()
    for number in range(count):
        store.create(NODES, {"metadata": {"name": f"n{number}"}}, manager="t")
    target, seen, token = Target(NODES), [], ""
    while True:
        query = f"limit={limit}&continue={token}".encode()
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query}
        request = Request(scope, nothing)
        listed = json.loads(reading.page(store, target, request).body)
        seen += [item["metadata"]["name"] for item in listed["items"]]
        token = listed["metadata"].get("continue", "")
        if not token:
            break
        for number in range(changes):
            store.create(NODES, {"metadata": {"generateName": f"later{number}-"}}, manager="t")
    assert seen == [f"n{number}" for number in range(count)]


async def nothing() -> Any:
    """No body."""
    return {"type": "http.request", "body": b""}
