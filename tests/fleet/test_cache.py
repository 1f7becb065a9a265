"""The cache of one kind: what is in it, what is found in it, and that it ends equal to what the server holds."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sealane.fleet.cache import KindCache
from sealane.kube import resources, wire
from sealane.kube.wire import RawObject


def item(name: str, *, namespace: str = "team-a", version: int = 1, **more: Any) -> RawObject:
    metadata = {"name": name, "namespace": namespace, "uid": f"u-{name}", "resourceVersion": str(version)}
    metadata.update(more.pop("metadata", {}))
    return wire.raw_object(msgspec.json.encode({"metadata": metadata, **more}))


def filled(*items: RawObject, kind: resources.Resource = resources.PODS) -> KindCache:
    cache = KindCache(kind)
    for each in items:
        cache.upsert(each)
    return cache


def test_an_object_comes_back_whole_with_its_kind() -> None:
    cache = filled(item("a", spec={"nodeName": "n1"}))
    found = cache.get("team-a", "a")
    assert found is not None
    assert (found["apiVersion"], found["kind"], found["spec"]) == ("v1", "Pod", {"nodeName": "n1"})


def test_what_is_not_there_is_none() -> None:
    assert filled().get("team-a", "a") is None
    assert filled().raw("team-a", "a") is None


def test_the_revision_grows_with_changes_only() -> None:
    cache = filled(item("a"))
    before = cache.revision
    cache.upsert(item("a"))
    cache.remove("team-a", "none")
    assert cache.revision == before
    cache.upsert(item("a", version=2))
    cache.remove("team-a", "a")
    assert cache.revision == before + 2


def test_the_same_version_again_is_no_change() -> None:
    cache = filled(item("a"))
    assert cache.upsert(item("a")) is False
    assert cache.upsert(item("a", version=2)) is True


def test_a_name_made_anew_is_a_change_even_at_the_same_version() -> None:
    cache = filled(item("a"))
    assert cache.upsert(item("a", metadata={"uid": "another"})) is True


def test_a_decoded_object_is_remembered_until_it_changes() -> None:
    cache = filled(item("a", spec={"x": 1}))
    first = cache.get("team-a", "a")
    assert cache.get("team-a", "a") is first
    cache.upsert(item("a", version=2, spec={"x": 2}))
    assert cache.get("team-a", "a") != first


def test_the_memory_of_decoded_objects_is_bounded() -> None:
    cache = KindCache(resources.PODS, memo=2)
    for name in "abc":
        cache.upsert(item(name))
    first = cache.get("team-a", "a")
    cache.get("team-a", "b")
    cache.get("team-a", "c")
    assert cache.get("team-a", "a") is not first


def test_lists_are_ordered_and_filtered_by_namespace_and_labels() -> None:
    cache = filled(
        item("b", metadata={"labels": {"app": "x", "tier": "1"}}),
        item("a", metadata={"labels": {"app": "x"}}),
        item("c", namespace="team-b", metadata={"labels": {"app": "x"}}),
        item("d"),
    )
    names = [obj["metadata"]["name"] for obj in cache.list(namespace="team-a", labels={"app": "x"})]
    assert names == ["a", "b"]
    assert [header.name for header in cache.headers(labels={"app": "x", "tier": "1"})] == ["b"]


def test_indexed_labels_follow_changes() -> None:
    label = "app.kubernetes.io/managed-by"
    cache = filled(item("a", metadata={"labels": {label: "sealane"}}), item("b"))
    assert [header.name for header in cache.headers(labels={label: "sealane"})] == ["a"]
    cache.upsert(item("a", version=2))
    assert list(cache.headers(labels={label: "sealane"})) == []


def test_owned_objects_are_found_by_their_owners_uid() -> None:
    owners = [{"kind": "ReplicaSet", "name": "rs", "uid": "rs-1"}]
    cache = filled(item("a", metadata={"ownerReferences": owners}), item("b"))
    assert [obj["metadata"]["name"] for obj in cache.linked("rs-1")] == ["a"]
    cache.remove("team-a", "a")
    assert cache.linked("rs-1") == []


def test_events_are_found_by_what_they_are_about() -> None:
    cache = filled(item("e", involvedObject={"uid": "pod-1"}), kind=resources.EVENTS)
    assert [obj["metadata"]["name"] for obj in cache.linked("pod-1")] == ["e"]


def test_a_full_list_drops_what_is_not_in_it() -> None:
    cache = filled(item("a"), item("b"))
    assert cache.replace([item("b")]) is True
    assert cache.replace([item("b")]) is False
    assert len(cache) == 1


def test_a_full_list_of_one_namespace_leaves_the_others_alone() -> None:
    cache = filled(item("a"), item("c", namespace="team-b"))
    cache.replace([], namespace="team-a")
    assert [header.name for header in cache.headers()] == ["c"]


class _Meta(msgspec.Struct):
    name: str


class _Named(msgspec.Struct):
    metadata: _Meta


def test_views_decode_each_version_once() -> None:
    cache = filled(item("b"), item("a"))
    first = cache.views(_Named)
    assert [view.metadata.name for view in first] == ["a", "b"]
    cache.upsert(item("b", version=2))
    again = cache.views(_Named)
    assert again[0] is first[0]
    assert again[1] is not first[1]
    cache.remove("team-a", "a")
    assert len(cache.views(_Named)) == 1


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.sampled_from(["", "sealane"]), st.booleans()),
    max_size=30,
)


@given(OPERATIONS)
def test_any_order_of_changes_ends_equal_to_the_truth(
    operations: list[tuple[str, str, str, bool]],
) -> None:
    label = "app.kubernetes.io/managed-by"
    cache, truth = KindCache(resources.PODS), {}
    for version, (name, namespace, managed, removed) in enumerate(operations, start=1):
        labels = {label: managed} if managed else {}
        if removed:
            truth.pop((namespace, name), None)
            cache.remove(namespace, name)
        else:
            truth[(namespace, name)] = managed
            cache.upsert(item(name, namespace=namespace, version=version, metadata={"labels": labels}))
    assert [(h.namespace, h.name) for h in cache.headers()] == sorted(truth)
    managed_now = sorted(key for key, managed in truth.items() if managed)
    assert [(h.namespace, h.name) for h in cache.headers(labels={label: "sealane"})] == managed_now
    assert len(cache.views(_Named)) == len(truth)
