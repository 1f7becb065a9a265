"""The patches do what RFC 6902, RFC 7386 and Kubernetes' strategic merge say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import patches, schema
from sealane.sandbox.api.errors import StatusError

DEPLOYMENT = schema.builtin().of("apps", "v1", "Deployment")
POD = schema.builtin().of("", "v1", "Pod")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)} | spec}


def test_a_merge_patch_merges_maps_removes_nulls_and_replaces_lists() -> None:
    live = {"a": {"b": 1, "c": 2}, "l": [1, 2], "keep": True}
    assert patches.merge_patch(live, {"a": {"b": None, "d": 3}, "l": [9]}) == {
        "a": {"c": 2, "d": 3},
        "l": [9],
        "keep": True,
    }
    assert live["a"] == {"b": 1, "c": 2}


json_values = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@given(live=objects, patch=objects)
def test_a_merge_patch_applied_twice_is_applied_once(live: dict[str, Any], patch: dict[str, Any]) -> None:
    once = patches.merge_patch(live, patch)
    assert patches.merge_patch(once, patch) == once


@given(live=objects)
def test_patching_an_object_with_itself_changes_nothing(live: dict[str, Any]) -> None:
    assert patches.merge_patch(live, live) == live
    assert patches.strategic(live, live, schema.ANY) == live


def test_a_json_patch_is_applied_and_a_failing_test_is_refused() -> None:
    live = {"metadata": {"labels": {"a": "b"}}}
    made = patches.json_patch(live, [{"op": "add", "path": "/metadata/labels/x", "value": "y"}])
    assert made["metadata"]["labels"] == {"a": "b", "x": "y"}
    with pytest.raises(StatusError) as caught:
        patches.json_patch(live, [{"op": "test", "path": "/metadata/labels/a", "value": "no"}])
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("patch", "code"), [({"op": "add"}, 400), ([{"op": "dance", "path": "/a"}], 422), ([{"path": "/a"}], 422)]
)
def test_what_is_no_json_patch_is_refused(patch: Any, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        patches.json_patch({"a": 1}, patch)
    assert caught.value.code == code


def test_new_items_of_a_strategic_patch_come_first() -> None:
    made = patches.strategic(pod({"name": "web"}), pod({"name": "side"}), POD)
    assert [item["name"] for item in made["spec"]["containers"]] == ["side", "web"]


def test_a_strategic_patch_merges_containers_by_name() -> None:
    live = pod({"name": "a", "image": "a:1", "args": ["x"]}, {"name": "b", "image": "b:1"})
    made = patches.strategic(live, pod({"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}), POD)
    by_name = {item["name"]: item for item in made["spec"]["containers"]}
    assert by_name == {
        "a": {"name": "a", "image": "a:1", "args": ["x"]},
        "b": {"name": "b", "image": "b:2"},
        "c": {"name": "c", "image": "c:1"},
    }


def test_a_strategic_patch_deletes_an_item_and_replaces_atomic_lists() -> None:
    live = pod({"name": "a", "args": ["x", "y"]}, {"name": "b"}, tolerations=[{"key": "old"}])
    patch = pod({"name": "b", "$patch": "delete"}, {"name": "a", "args": ["z"]}, tolerations=[{"key": "new"}])
    assert patches.strategic(live, patch, POD) == pod({"name": "a", "args": ["z"]}, tolerations=[{"key": "new"}])


def test_the_replace_directive_replaces_a_keyed_list() -> None:
    patch = {"spec": {"containers": [{"$patch": "replace"}, {"name": "only"}]}}
    assert patches.strategic(pod({"name": "a"}, {"name": "b"}), patch, POD) == pod({"name": "only"})


def test_retain_keys_drops_the_other_keys() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patches.strategic(live, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_the_order_directive_orders_named_items_and_keeps_the_servers_own_in_place() -> None:
    live = pod({"name": "a"}, {"name": "injected"}, {"name": "b"})
    patch = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b"}]}}
    names = [item["name"] for item in patches.strategic(live, patch, POD)["spec"]["containers"]]
    assert names.index("b") < names.index("a")
    assert sorted(names) == ["a", "b", "injected"]


def test_finalizers_are_added_as_a_set_and_taken_off_by_the_primitive_directive() -> None:
    live = {"metadata": {"finalizers": ["x", "y"]}}
    added = patches.strategic(live, {"metadata": {"finalizers": ["y", "z"]}}, POD)
    assert added["metadata"]["finalizers"] == ["x", "y", "z"]
    less = patches.strategic(live, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}, POD)
    assert less["metadata"]["finalizers"] == ["y"]


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(StatusError, match="does not contain declared merge key: name"):
        patches.strategic(pod({"name": "a"}), pod({"image": "x"}), POD)


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(StatusError, match="unknown patch type"):
        patches.strategic({}, {"spec": {"$patch": "dance"}}, POD)


containers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcd"), "image": st.text("xyz", min_size=1, max_size=3)}),
    max_size=4,
    unique_by=lambda item: item["name"],
)


@given(live=containers, patch=containers)
def test_a_strategic_patch_of_a_keyed_list_is_a_union_in_which_the_patch_wins(
    live: list[dict[str, str]], patch: list[dict[str, str]]
) -> None:
    made = patches.strategic(pod(*live), pod(*patch), POD)["spec"]["containers"]
    wanted = {item["name"]: item["image"] for item in live} | {item["name"]: item["image"] for item in patch}
    assert {item["name"]: item["image"] for item in made} == wanted
    assert len(made) == len(wanted)


async def test_a_strategic_patch_of_the_wrong_type_is_shown_as_go_prints_it(api: Any) -> None:
    place = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.call("POST", place, {"metadata": {"name": "web"}, "spec": spec})
    order = {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "c", "image": "j"}]}
    below = {"template": {"spec": order}}
    patch = {"spec": {"replicas": "two", "paused": None, "minReadySeconds": 1, **below}}
    strategic = "application/strategic-merge-patch+json"
    answer = await api.call("PATCH", f"{place}/web", patch, content_type=strategic)
    assert answer.json["message"] == (
        ' "" is invalid: patch: Invalid value: "map[spec:map[minReadySeconds:1 paused:<nil> replicas:two '
        'template:map[spec:map[]]]]": '
        "unrecognized type: int32"
    )


@pytest.mark.parametrize("kind", ["merge", "strategic-merge", "json"])
async def test_a_patch_that_is_cut_short_is_said_to_be(api: Any, kind: str) -> None:
    place = "/api/v1/namespaces/default"
    answer = await api.call("PATCH", place, b'{"spec":', content_type=f"application/{kind}-patch+json")
    assert answer.status == 400
    assert answer.json["message"] == "error decoding patch: unexpected end of JSON input"
