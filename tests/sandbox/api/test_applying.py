"""Server-side apply: who owns what, what conflicts, what goes."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import applying, ownership, schema
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.kinds import CONFIGMAPS, DEPLOYMENTS, Kind

NOW = "2026-06-01T12:00:00Z"
LATER = "2026-06-01T13:00:00Z"


def shape(kind: Kind) -> schema.Node:
    return schema.builtin().of(kind.group, kind.version, kind.kind)


def config(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": data}


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": list(containers)}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": template} | spec,
    }


def first(obj: dict[str, Any], manager: str, kind: Kind = CONFIGMAPS) -> dict[str, Any]:
    return applying.first(kind, obj, shape(kind), manager=manager, now=NOW)


def again(
    live: dict[str, Any], obj: dict[str, Any], manager: str, kind: Kind = CONFIGMAPS, *, force: bool = False
) -> dict[str, Any]:
    return applying.apply(kind, live, obj, shape(kind), manager=manager, force=force, now=LATER)


def owners(obj: dict[str, Any], path: tuple[str, ...]) -> set[str]:
    return {entry["manager"] for entry in obj["metadata"]["managedFields"] if path in ownership.read(entry["fieldsV1"])}


def test_the_first_apply_owns_what_it_says_and_nothing_else() -> None:
    made = first(config(a="1"), "one")
    entry = made["metadata"]["managedFields"][0]
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("one", "Apply", "v1")


def test_another_managers_field_is_a_conflict_that_names_it() -> None:
    live = first(config(a="1"), "one")
    with pytest.raises(StatusError) as caught:
        again(live, config(a="2"), "two")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert caught.value.details["causes"][0]["field"] == ".data.a"
    assert caught.value.code == 409


def test_a_conflict_with_an_update_names_its_version_and_the_path_into_a_list() -> None:
    live = deployment({"name": "web", "image": "a:1"})
    ownership.track(DEPLOYMENTS, None, live, manager="kubectl", now=NOW)
    with pytest.raises(StatusError) as caught:
        again(live, deployment({"name": "web", "image": "a:2"}), "sealane", DEPLOYMENTS)
    assert (
        'conflict with "kubectl" using apps/v1: .spec.template.spec.containers[name="web"].image'
        in caught.value.message
    )


def test_several_conflicts_are_listed_by_manager() -> None:
    live = again(first(config(a="1", b="1"), "one"), config(c="1"), "two")
    with pytest.raises(StatusError, match="Apply failed with 3 conflicts") as caught:
        again(live, config(a="9", b="9", c="9"), "three")
    assert 'conflicts with "one":\n- .data.a\n- .data.b' in caught.value.message
    assert 'conflicts with "two":\n- .data.c' in caught.value.message


def test_force_takes_the_field_away_from_the_other() -> None:
    made = again(first(config(a="1"), "one"), config(a="2"), "two", force=True)
    assert made["data"] == {"a": "2"}
    assert owners(made, ("f:data", "f:a")) == {"two"}


def test_the_same_value_is_owned_together() -> None:
    made = again(first(config(a="1"), "one"), config(a="1"), "two")
    assert owners(made, ("f:data", "f:a")) == {"one", "two"}


def test_what_is_no_longer_applied_goes_unless_somebody_else_owns_it() -> None:
    live = again(first(config(a="1", b="1"), "one"), config(b="1"), "two")
    made = again(live, config(), "one")
    assert made["data"] == {"b": "1"}


def test_an_item_of_a_keyed_list_goes_when_it_is_no_longer_applied() -> None:
    live = first(deployment({"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}), "one", DEPLOYMENTS)
    made = again(live, deployment({"name": "a", "image": "a:1"}), "one", DEPLOYMENTS)
    assert [item["name"] for item in made["spec"]["template"]["spec"]["containers"]] == ["a"]


def test_fields_that_others_set_in_a_keyed_item_stay() -> None:
    live = first(deployment({"name": "a", "image": "a:1"}), "one", DEPLOYMENTS)
    live["spec"]["template"]["spec"]["containers"][0]["args"] = ["x"]
    made = again(live, deployment({"name": "a", "image": "a:2"}), "one", DEPLOYMENTS)
    assert made["spec"]["template"]["spec"]["containers"] == [{"name": "a", "image": "a:2", "args": ["x"]}]


def test_ports_are_told_apart_by_number_and_defaulted_protocol() -> None:
    udp = {"containerPort": 53, "protocol": "UDP"}
    live = first(deployment({"name": "a", "ports": [{"containerPort": 53}, udp]}), "one", DEPLOYMENTS)
    made = again(live, deployment({"name": "a", "ports": [udp]}), "one", DEPLOYMENTS)
    assert made["spec"]["template"]["spec"]["containers"][0]["ports"] == [udp]


def test_an_update_takes_the_changed_fields_from_everyone() -> None:
    live = first(config(a="1", b="1"), "one")
    new = {**live, "metadata": dict(live["metadata"]), "data": {"a": "2", "b": "1"}}
    ownership.track(CONFIGMAPS, live, new, manager="kubectl-edit", now=LATER)
    assert owners(new, ("f:data", "f:a")) == {"kubectl-edit"}
    assert owners(new, ("f:data", "f:b")) == {"one"}


def test_an_apply_that_changes_nothing_changes_nothing_at_all() -> None:
    live = first(config(a="1"), "one")
    assert again(live, config(a="1"), "one") == live


def test_a_new_object_is_owned_as_if_gos_empty_one_had_been_changed() -> None:
    new = deployment({"name": "a", "resources": {"limits": {"cpu": "1"}}}, strategy={"type": "Recreate"})
    ownership.track(DEPLOYMENTS, None, new, manager="m", now=NOW)
    fields = new["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert fields["f:strategy"] == {"f:type": {}}
    containers = fields["f:template"]["f:spec"]["f:containers"]
    assert list(containers) == ['k:{"name":"a"}']
    assert containers['k:{"name":"a"}']["f:resources"] == {".": {}, "f:limits": {".": {}, "f:cpu": {}}}


def test_a_list_in_which_a_key_comes_twice_counts_as_one_field() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    new = deployment({"name": "a", "env": twice})
    ownership.track(DEPLOYMENTS, None, new, manager="m", now=NOW)
    fields = new["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert fields['k:{"name":"a"}']["f:env"] == {}


def test_a_quantity_spelled_otherwise_is_a_conflict_as_on_a_real_server() -> None:
    live = first(deployment({"name": "a", "resources": {"limits": {"cpu": "1"}}}), "one", DEPLOYMENTS)
    with pytest.raises(StatusError, match=r"limits\.cpu"):
        again(live, deployment({"name": "a", "resources": {"limits": {"cpu": "1000m"}}}), "two", DEPLOYMENTS)


def test_applies_are_listed_before_updates() -> None:
    live = config(a="1")
    ownership.track(CONFIGMAPS, None, live, manager="editor", now=NOW)
    made = again(live, config(b="1"), "applier")
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["applier", "editor"]


def test_status_and_spec_have_entries_of_their_own() -> None:
    live = deployment({"name": "a"})
    ownership.track(DEPLOYMENTS, None, live, manager="m", now=NOW)
    new = {**live, "metadata": dict(live["metadata"]), "status": {"replicas": 1}}
    ownership.track(DEPLOYMENTS, live, new, manager="m", now=NOW, subresource="status")
    assert [entry.get("subresource", "") for entry in new["metadata"]["managedFields"]] == ["", "status"]


paths = st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "f:spec"]), min_size=1, max_size=4).map(
    tuple
)


@given(st.sets(paths, max_size=8))
def test_fields_written_out_are_read_back(fields: set[tuple[str, ...]]) -> None:
    assert ownership.read(ownership.write(fields)) == fields


texts = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2"]), max_size=4)


@given(mine=texts, theirs=texts)
def test_two_managers_that_force_leave_the_last_ones_values_and_all_fields(
    mine: dict[str, str], theirs: dict[str, str]
) -> None:
    made = again(first(config(**mine), "one"), config(**theirs), "two", force=True)
    assert made.get("data", {}) == mine | theirs
    for key in theirs:
        assert "two" in owners(made, ("f:data", f"f:{key}"))
    for key in mine.keys() - theirs.keys():
        assert owners(made, ("f:data", f"f:{key}")) == {"one"}


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_manager_alone_always_ends_with_exactly_what_it_applied_last(wanted: list[dict[str, str]]) -> None:
    live = first(config(**wanted[0]), "one")
    for data in wanted[1:]:
        live = again(live, config(**data), "one")
    assert live.get("data", {}) == wanted[-1]


@given(st.permutations([("one", "a"), ("two", "b"), ("three", "c")]))
def test_managers_of_different_fields_may_come_in_any_order(order: list[tuple[str, str]]) -> None:
    live = first(config(**{order[0][1]: "1"}), order[0][0])
    for manager, key in order[1:]:
        live = again(live, config(**{key: "1"}), manager)
    assert live["data"] == {"a": "1", "b": "1", "c": "1"}
    for manager, key in itertools.chain(order):
        assert owners(live, ("f:data", f"f:{key}")) == {manager}


async def test_kubectls_own_apply_keeps_the_last_applied_note_up_to_date_and_others_do_not(api: Any) -> None:
    note = "kubectl.kubernetes.io/last-applied-configuration"
    place = "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {note: "old"}}}
    await api.call("POST", place, body)
    media = "application/apply-patch+yaml"
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    other = await api.call("PATCH", f"{place}/a?fieldManager=other", wanted, content_type=media)
    assert other.json["metadata"]["annotations"][note] == "old"
    ours = await api.call("PATCH", f"{place}/a?fieldManager=kubectl", wanted, content_type=media)
    said = ours.json["metadata"]["annotations"][note]
    assert json.loads(said) == wanted | {"metadata": {"name": "a", "namespace": "default"}}
    assert said.endswith("}\n")


async def test_replicas_that_were_scaled_are_owned_through_the_subresource(api: Any) -> None:
    place = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    media = "application/apply-patch+yaml"
    await api.call("PATCH", f"{place}/web?fieldManager=sealane", wanted, content_type=media)
    merge = "application/merge-patch+json"
    scale = {"spec": {"replicas": 2}}
    await api.call("PATCH", f"{place}/web/scale?fieldManager=kubectl", scale, content_type=merge)
    answer = await api.call("PATCH", f"{place}/web?fieldManager=sealane", wanted, content_type=media)
    assert answer.status == 409
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in answer.json["message"]


async def test_an_empty_variable_is_kept_without_its_value(api: Any) -> None:
    container = {"name": "c", "image": "i", "env": [{"name": "A", "value": ""}, {"name": "B", "value": "x"}]}
    pod = {"metadata": {"name": "one"}, "spec": {"containers": [container]}}
    made = (await api.call("POST", "/api/v1/namespaces/default/pods", pod)).json
    assert made["spec"]["containers"][0]["env"] == [{"name": "A"}, {"name": "B", "value": "x"}]
