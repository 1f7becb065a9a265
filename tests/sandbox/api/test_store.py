"""The Store keeps objects as the API server's registry and etcd do."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.kinds import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS
from sealane.sandbox.api.store import Expired, Store

NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def store() -> Store:
    store = Store(now=lambda: NOON)
    namespace = {"metadata": {"name": "team"}, "spec": {"finalizers": ["kubernetes"]}}
    store.create(NAMESPACES, namespace, manager="test")
    return store


def config(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team"}, "data": data}


def pod(name: str = "pod", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {"containers": [{"name": "c"}]} | spec}


def deployment(replicas: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "team"}, "spec": {"replicas": replicas}, "status": {"replicas": 0}}


def test_a_created_object_gets_identity_time_version_and_kind(store: Store) -> None:
    made = store.create(DEPLOYMENTS, deployment(), manager="test")
    meta = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("apps/v1", "Deployment")
    assert meta["creationTimestamp"] == "2026-06-01T12:00:00Z"
    assert meta["generation"] == 1
    assert int(meta["resourceVersion"]) == store.revision
    assert len(meta["uid"]) == 36
    assert meta["managedFields"][0]["manager"] == "test"


def test_generate_name_makes_distinct_names(store: Store) -> None:
    names = {
        store.create(CONFIGMAPS, {"metadata": {"generateName": "x-", "namespace": "team"}}, manager="t")["metadata"][
            "name"
        ]
        for _ in range(5)
    }
    assert len(names) == 5
    assert all(name.startswith("x-") and len(name) == 7 for name in names)


def test_an_object_without_a_name_is_invalid(store: Store) -> None:
    with pytest.raises(StatusError, match="name or generateName is required") as caught:
        store.create(CONFIGMAPS, {"metadata": {"namespace": "team"}}, manager="t")
    assert caught.value.code == 422


def test_a_taken_name_is_refused_in_the_servers_words(store: Store) -> None:
    store.create(DEPLOYMENTS, deployment(), manager="test")
    with pytest.raises(StatusError) as caught:
        store.create(DEPLOYMENTS, deployment(), manager="test")
    assert caught.value.status()["message"] == 'deployments.apps "web" already exists'
    assert caught.value.status()["reason"] == "AlreadyExists"
    assert caught.value.code == 409


def test_the_namespace_must_be_there(store: Store) -> None:
    with pytest.raises(StatusError, match='namespaces "nowhere" not found'):
        store.create(CONFIGMAPS, {"metadata": {"name": "x", "namespace": "nowhere"}}, manager="t")


def test_nothing_new_enters_a_namespace_that_is_going(store: Store) -> None:
    store.delete(NAMESPACES, "", "team")
    assert store.get(NAMESPACES, "", "team")["status"]["phase"] == "Terminating"
    with pytest.raises(StatusError, match="is being terminated") as caught:
        store.create(CONFIGMAPS, config(), manager="t")
    assert caught.value.code == 403
    assert caught.value.details["causes"][0]["reason"] == "NamespaceTerminating"


def test_a_write_that_rests_on_an_old_version_is_refused(store: Store) -> None:
    first = store.create(CONFIGMAPS, config(a="1"), manager="t")
    store.update(CONFIGMAPS, {**first, "data": {"a": "2"}}, manager="t")
    with pytest.raises(StatusError, match="the object has been modified") as caught:
        store.update(CONFIGMAPS, {**first, "data": {"a": "3"}}, manager="t")
    assert caught.value.reason == "Conflict"
    assert store.get(CONFIGMAPS, "team", "settings")["data"] == {"a": "2"}


def test_status_is_written_apart(store: Store) -> None:
    made = store.create(DEPLOYMENTS, deployment(), manager="t")
    plain = store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 3}, "status": {"replicas": 9}}, manager="t")
    assert (plain["spec"]["replicas"], plain["status"]["replicas"]) == (3, 0)
    status = {**plain, "spec": {"replicas": 7}, "status": {"replicas": 3}}
    after = store.update(DEPLOYMENTS, status, manager="t", subresource="status")
    assert (after["spec"]["replicas"], after["status"]["replicas"]) == (3, 3)


def test_generation_counts_changes_of_the_spec_only(store: Store) -> None:
    made = store.create(DEPLOYMENTS, deployment(), manager="t")
    labelled = store.update(DEPLOYMENTS, {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}, manager="t")
    assert labelled["metadata"]["generation"] == 1
    scaled = store.update(DEPLOYMENTS, {**labelled, "spec": {"replicas": 2}}, manager="t")
    assert scaled["metadata"]["generation"] == 2
    assert "generation" not in store.create(CONFIGMAPS, config(), manager="t")["metadata"]


def test_a_write_that_changes_nothing_makes_no_version(store: Store) -> None:
    made = store.create(CONFIGMAPS, config(a="1"), manager="t")
    before = store.revision
    assert (
        store.update(CONFIGMAPS, made, manager="other")["metadata"]["resourceVersion"]
        == made["metadata"]["resourceVersion"]
    )
    assert store.mutate(CONFIGMAPS, "team", "settings", lambda _obj: None, manager="t") is made
    assert store.revision == before


def test_mutate_of_what_is_not_there_is_none(store: Store) -> None:
    assert store.mutate(CONFIGMAPS, "team", "gone", lambda obj: obj.clear(), manager="t") is None


def test_mutate_does_not_touch_what_readers_hold(store: Store) -> None:
    held = store.create(CONFIGMAPS, config(a="1"), manager="t")
    store.mutate(CONFIGMAPS, "team", "settings", lambda obj: obj["data"].update(a="2"), manager="t")
    assert held["data"] == {"a": "1"}


def test_a_client_cannot_change_what_the_server_owns(store: Store) -> None:
    made = store.create(NODES, {"metadata": {"name": "n"}}, manager="t")
    forged = {"metadata": {"name": "n", "creationTimestamp": "1999-01-01T00:00:00Z"}, "spec": {"unschedulable": True}}
    after = store.update(NODES, forged, manager="t")
    assert after["metadata"]["uid"] == made["metadata"]["uid"]
    assert after["metadata"]["creationTimestamp"] == "2026-06-01T12:00:00Z"


def test_dry_run_answers_and_writes_nothing(store: Store) -> None:
    before = store.revision
    assert store.create(CONFIGMAPS, config(), manager="t", dry_run=True)["metadata"]["uid"]
    assert store.get(CONFIGMAPS, "team", "settings") is None
    made = store.create(CONFIGMAPS, config(), manager="t")
    store.update(CONFIGMAPS, {**made, "data": {"a": "9"}}, manager="t", dry_run=True)
    store.delete(CONFIGMAPS, "team", "settings", dry_run=True)
    assert store.get(CONFIGMAPS, "team", "settings") is made
    assert store.revision == before + 1


def test_a_finalizer_holds_an_object_until_it_is_taken_off(store: Store) -> None:
    obj = config()
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    store.create(CONFIGMAPS, obj, manager="t")
    marked = store.delete(CONFIGMAPS, "team", "settings")
    assert marked["metadata"]["deletionTimestamp"] == "2026-06-01T12:00:00Z"
    assert not store.is_gone(CONFIGMAPS, marked)
    store.mutate(CONFIGMAPS, "team", "settings", lambda item: item["metadata"].pop("finalizers"), manager="t")
    assert store.is_gone(CONFIGMAPS, marked)


def test_a_running_pod_gets_its_grace_and_a_pending_one_does_not(store: Store) -> None:
    store.create(PODS, pod("bound", nodeName="n", terminationGracePeriodSeconds=5), manager="t")
    store.create(PODS, pod("pending"), manager="t")
    assert store.delete(PODS, "team", "bound")["metadata"]["deletionTimestamp"] == "2026-06-01T12:00:05Z"
    assert store.is_gone(PODS, store.delete(PODS, "team", "pending"))
    again = store.delete(PODS, "team", "bound", grace_seconds=0)
    assert store.is_gone(PODS, again)


def test_foreground_deletion_waits_with_a_finalizer(store: Store) -> None:
    store.create(DEPLOYMENTS, deployment(), manager="t")
    marked = store.delete(DEPLOYMENTS, "team", "web", propagation="Foreground")
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_the_uid_is_a_precondition_of_a_delete(store: Store) -> None:
    store.create(CONFIGMAPS, config(), manager="t")
    with pytest.raises(StatusError, match="the UID in the precondition"):
        store.delete(CONFIGMAPS, "team", "settings", uid="other")


def test_list_can_be_narrowed_by_namespace_and_labels(store: Store) -> None:
    store.create(NAMESPACES, {"metadata": {"name": "other"}}, manager="t")
    for namespace, name, label in (("team", "a", "x"), ("team", "b", "y"), ("other", "a", "x")):
        meta = {"name": name, "namespace": namespace, "labels": {"l": label}}
        store.create(CONFIGMAPS, {"metadata": meta}, manager="t")
    assert [item["metadata"]["name"] for item in store.list(CONFIGMAPS, "team")] == ["a", "b"]
    assert [item["metadata"]["namespace"] for item in store.list(CONFIGMAPS, labels={"l": "x"})] == ["other", "team"]


def test_a_past_revision_can_be_read_until_it_is_compacted(store: Store) -> None:
    store.create(CONFIGMAPS, config("a", v="1"), manager="t")
    then = store.revision
    store.mutate(CONFIGMAPS, "team", "a", lambda obj: obj["data"].update(v="2"), manager="t")
    store.create(CONFIGMAPS, config("b"), manager="t")
    store.delete(CONFIGMAPS, "team", "a")
    assert [(item["metadata"]["name"], item["data"]) for item in store.list_at(CONFIGMAPS, then)] == [("a", {"v": "1"})]
    store.compact()
    with pytest.raises(Expired, match=r"too old resource version"):
        store.list_at(CONFIGMAPS, then)


def test_the_log_is_bounded() -> None:
    store = Store(history=10)
    store.create(NODES, {"metadata": {"name": "n"}, "spec": {"v": 0}}, manager="t")
    for value in range(100):
        store.mutate(NODES, "", "n", lambda obj, value=value: obj["spec"].update(v=value + 1), manager="t")
    assert len(store.since(store.revision - 10, ())) == 10
    with pytest.raises(Expired):
        store.since(1, ())


def test_a_snapshot_brings_everything_back_and_old_versions_are_expired(store: Store) -> None:
    made = store.create(CONFIGMAPS, config(a="1"), manager="t")
    fresh = Store()
    fresh.load(store.dump())
    assert fresh.get(CONFIGMAPS, "team", "settings") == made
    assert fresh.revision > store.revision
    with pytest.raises(Expired):
        fresh.since(store.revision, ())
    fresh.mutate(CONFIGMAPS, "team", "settings", lambda obj: obj["data"].update(a="2"), manager="t")
    assert fresh.get(CONFIGMAPS, "team", "settings")["data"] == {"a": "2"}


async def gathered(store: Store, count: int, *kinds: Any) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    async with contextlib.aclosing(store.subscribe(*kinds)) as events:
        async for event in events:
            seen.append((event.type, event.object["metadata"]["name"]))
            if len(seen) == count:
                return seen
    return seen


async def test_a_subscriber_sees_what_is_there_and_then_each_change(store: Store) -> None:
    store.create(CONFIGMAPS, config("a"), manager="t")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(gathered(store, 4, CONFIGMAPS))
        await asyncio.sleep(0)
        store.create(CONFIGMAPS, config("b"), manager="t")
        store.create(NODES, {"metadata": {"name": "n"}}, manager="t")
        await asyncio.sleep(0)
        store.mutate(CONFIGMAPS, "team", "a", lambda obj: obj.update(data={"x": "y"}), manager="t")
        store.delete(CONFIGMAPS, "team", "b")
    assert task.result() == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_subscriber_that_fell_behind_gets_the_difference(store: Store) -> None:
    for name in ("stays", "goes", "changes"):
        store.create(CONFIGMAPS, config(name), manager="t")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(gathered(store, 6, CONFIGMAPS))
        await asyncio.sleep(0)
        store.delete(CONFIGMAPS, "team", "goes")
        store.mutate(CONFIGMAPS, "team", "changes", lambda obj: obj.update(data={"x": "y"}), manager="t")
        store.create(CONFIGMAPS, config("new"), manager="t")
        store.compact()
    assert task.result()[:3] == [("ADDED", name) for name in ("stays", "goes", "changes")]
    assert sorted(task.result()[3:]) == [("ADDED", "new"), ("DELETED", "goes"), ("MODIFIED", "changes")]


operations = st.lists(
    st.tuples(st.sampled_from(["create", "change", "delete", "compact"]), st.sampled_from("abc"), st.integers(0, 2)),
    max_size=25,
)


@given(operations=operations, at=st.integers(0, 25))
def test_any_past_revision_is_what_the_store_held_then(operations: list[tuple[str, str, int]], at: int) -> None:
    store = Store()
    wanted: dict[str, Any] = {}
    revision = store.revision
    for step, (operation, name, value) in enumerate(operations):
        if step == at:
            wanted = {item["metadata"]["name"]: item for item in store.list(NODES)}
            revision = store.revision
        with contextlib.suppress(StatusError):
            if operation == "create":
                store.create(NODES, {"metadata": {"name": name}, "spec": {"v": value}}, manager="t")
            elif operation == "change":
                store.mutate(NODES, "", name, lambda obj, value=value: obj["spec"].update(v=value), manager="t")
            elif operation == "delete":
                store.delete(NODES, "", name)
            elif step < at:
                store.compact()
    assert (
        at >= len(operations) or {item["metadata"]["name"]: item for item in store.list_at(NODES, revision)} == wanted
    )
