"""The cache of one kind: what is in it, what is found in it, and that it ends equal to what the server holds."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.fleet import cache as cache_module
from sealane.fleet import views
from sealane.fleet.cache import STEP, KindCache
from sealane.fleet.memo import Memo
from sealane.fleet.packing import NEVER, SAMPLES, Packing
from sealane.fleet.views import View
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


def seen(cache: KindCache) -> list[tuple[object, ...]]:
    """The headers without the bytes that they may carry."""
    return [(h.namespace, h.name, h.uid, h.version, h.labels, h.links) for h in cache.headers()]


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
    changed = cache.revision
    cache.remove("team-a", "a")
    assert before < changed < cache.revision


def test_a_cache_made_anew_never_has_a_revision_that_was_seen_before() -> None:
    assert filled(item("a")).revision < filled().revision


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
    cache = KindCache(resources.PODS, memo=Memo(limit=2 * len(item("a").raw)))
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


def test_a_view_keeps_what_it_makes_and_leaves_out_what_does_not_count() -> None:
    view: View[str] = View(_Named, lambda found: found.metadata.name.upper() if found.metadata.name != "b" else None)
    cache = filled(item("a"), item("b"), item("c"))
    assert cache.views(view) == ["A", "C"]
    cache.upsert(item("d"))
    cache.remove("team-a", "a")
    assert cache.views(view) == ["C", "D"]


def test_a_view_lists_its_objects_once_a_revision() -> None:
    cache = filled(item("a"))
    assert cache.views(_Named) is cache.views(_Named)


def test_an_object_without_the_shape_costs_no_other_object() -> None:
    class Strict(msgspec.Struct):
        spec: dict[str, int]

    cache = filled(item("a", spec={"x": 1}), item("b", spec={"x": "no number"}))
    assert [found.spec for found in cache.views(Strict)] == [{"x": 1}]
    cache.upsert(item("b", version=2, spec={"x": 2}))
    assert len(cache.views(Strict)) == 2


def test_a_view_that_comes_late_to_many_objects_catches_up_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "AT_ONCE", 3)
    cache = filled(*(item(f"p{number}") for number in range(10)))
    before = cache.revision
    assert len(cache.views(_Named)) == 3
    assert cache.behind
    assert list(cache.catching_up()) == [None]
    assert not cache.behind
    assert cache.revision > before
    assert [found.metadata.name for found in cache.views(_Named)] == [f"p{number}" for number in range(10)]


def test_what_goes_before_a_late_view_has_seen_it_stays_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "AT_ONCE", 0)
    cache = filled(item("a"), item("b"))
    cache.views(_Named)
    cache.remove("team-a", "a")
    list(cache.catching_up())
    assert [found.metadata.name for found in cache.views(_Named)] == ["b"]


def test_an_announced_view_is_kept_from_the_first_object_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_ANNOUNCED", {})
    seen: list[str] = []
    view: View[str] = View(_Named, lambda found: seen.append(found.metadata.name) or found.metadata.name)
    views.announce(resources.PODS, view)
    cache = filled(item("a"), item("b"))
    assert seen == ["a", "b"]
    assert cache.views(view) == ["a", "b"]
    assert seen == ["a", "b"]


def test_a_full_list_is_taken_in_steps_so_that_others_have_their_turns() -> None:
    cache = KindCache(resources.PODS)
    many = [item(f"p{number:04}") for number in range(2 * STEP + 1)]
    assert len(list(cache.replacing(many))) == 3
    assert len(cache) == len(many)
    assert len(list(cache.replacing([]))) == 3
    assert len(cache) == 0


def test_what_many_objects_have_alike_is_held_once() -> None:
    labels = {"app": "x"}
    owners = [{"kind": "ReplicaSet", "name": "rs", "uid": "rs-1"}]
    one, other = filled(
        item("a", metadata={"labels": labels, "ownerReferences": owners}),
        item("b", metadata={"labels": labels, "ownerReferences": owners}),
    ).headers()
    assert one.labels is other.labels
    assert one.links is other.links
    assert one.namespace is other.namespace


def test_what_is_admitted_is_the_same_object_once_it_is_in_the_cache() -> None:
    whole = item("a", metadata={"labels": {"app": "x"}, "creationTimestamp": "2026-01-01T00:00:00Z"})
    cache = KindCache(resources.PODS)
    cache.upsert(cache.admit(whole, 0))
    assert seen(cache) == seen(filled(whole))
    assert cache.get("team-a", "a") == filled(whole).get("team-a", "a")


def test_a_closed_cache_leaves_nothing_in_the_common_memo() -> None:
    memo = Memo()
    one, other = KindCache(resources.PODS, memo=memo), KindCache(resources.NODES, memo=memo)
    for cache in (one, other):
        cache.upsert(item("a"))
        cache.get("team-a", "a")
    assert len(memo) == 2
    one.close()
    assert len(memo) == 1


def test_a_cache_that_is_let_go_is_let_go_with_its_objects() -> None:
    memo = Memo()
    cache = KindCache(resources.PODS, memo=memo)
    cache.upsert(item("a"))
    cache.get("team-a", "a")
    cache.views(_Named)
    cache.close()
    held = weakref.ref(cache)
    del cache
    assert held() is None


MANAGED = "app.kubernetes.io/managed-by"
OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.sampled_from(["", "sealane"]), st.booleans()),
    max_size=30,
)


def applied(operations: list[tuple[str, str, str, bool]], cache: KindCache) -> dict[tuple[str, str], str]:
    """The cache after these operations; the objects that should be in it, with their label."""
    truth: dict[tuple[str, str], str] = {}
    for version, (name, namespace, managed, removed) in enumerate(operations, start=1):
        labels = {MANAGED: managed} if managed else {}
        if removed:
            truth.pop((namespace, name), None)
            cache.remove(namespace, name)
        else:
            truth[(namespace, name)] = managed
            owners = [{"kind": "ReplicaSet", "name": "rs", "uid": f"rs-{managed}"}]
            metadata = {"labels": labels, "ownerReferences": owners}
            cache.upsert(item(name, namespace=namespace, version=version, metadata=metadata, spec={"nodeName": "n"}))
    return truth


@given(OPERATIONS)
def test_any_order_of_changes_ends_equal_to_the_truth(
    operations: list[tuple[str, str, str, bool]],
) -> None:
    cache = KindCache(resources.PODS)
    truth = applied(operations, cache)
    assert [(h.namespace, h.name) for h in cache.headers()] == sorted(truth)
    assert [h.name for h in cache.headers(namespace="x")] == sorted(name for space, name in truth if space == "x")
    managed_now = sorted(key for key, managed in truth.items() if managed)
    assert [(h.namespace, h.name) for h in cache.headers(labels={MANAGED: "sealane"})] == managed_now
    assert len(cache.views(_Named)) == len(truth)


def always_packed() -> Packing:
    """Packing with a dictionary already trained, so that every object is packed."""
    packing = Packing(above=SAMPLES)
    for number in range(SAMPLES + 1):
        packing.pack(item(f"p{number}", spec={"nodeName": f"n{number % 7}"}).raw, among=number)
    asyncio.run(packing.train())
    assert packing.ready
    return packing


PACKED = always_packed()


@given(OPERATIONS)
def test_packed_and_plain_caches_answer_alike_for_any_sequence_of_changes(
    operations: list[tuple[str, str, str, bool]],
) -> None:
    plain = KindCache(resources.PODS, packing=Packing(above=NEVER))
    packed = KindCache(resources.PODS, packing=PACKED)
    for cache in (plain, packed):
        cache.views(_Named)
        applied(operations, cache)
    assert packed.list() == plain.list()
    assert packed.list(namespace="x", labels={MANAGED: "sealane"}) == plain.list(
        namespace="x", labels={MANAGED: "sealane"}
    )
    assert seen(packed) == seen(plain)
    assert packed.linked("rs-sealane") == plain.linked("rs-sealane")
    assert packed.views(_Named) == plain.views(_Named)
    for header in plain.headers():
        assert packed.raw(header.namespace, header.name) == plain.raw(header.namespace, header.name)


@given(OPERATIONS, OPERATIONS)
def test_packing_what_is_there_changes_no_answer(
    before: list[tuple[str, str, str, bool]], after: list[tuple[str, str, str, bool]]
) -> None:
    plain, packed = KindCache(resources.PODS), KindCache(resources.PODS)
    for cache in (plain, packed):
        applied(before, cache)
    packed.packing = PACKED
    list(packed.repacking())
    assert packed.list() == plain.list()
    for cache in (plain, packed):
        applied(after, cache)
    assert packed.list() == plain.list()


def test_events_are_found_by_what_they_are_about_when_packed_too() -> None:
    cache = KindCache(resources.EVENTS, packing=PACKED)
    cache.upsert(cache.admit(item("e", involvedObject={"uid": "pod-1"}), 0))
    assert [obj["metadata"]["name"] for obj in cache.linked("pod-1")] == ["e"]
