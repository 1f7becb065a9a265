"""What a rules review allows: matched as the API server's RBAC matches it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.kube import reviews
from sealane.kube.reviews import Rule, Rules


def review(*rules: dict[str, Any], **status: Any) -> Rules:
    return reviews.answer(json.dumps({"status": {"resourceRules": list(rules), **status}}).encode())


def rule(verbs: list[str], groups: list[str], kinds: list[str], **more: Any) -> dict[str, Any]:
    return {"verbs": verbs, "apiGroups": groups, "resources": kinds, **more}


def test_a_rule_allows_its_verbs_on_its_kinds_alone() -> None:
    rules = review(rule(["get", "list"], ["apps"], ["deployments"]))
    assert rules.allow("list", "apps", "deployments")
    assert not rules.allow("delete", "apps", "deployments")
    assert not rules.allow("list", "", "deployments")
    assert not rules.allow("list", "apps", "daemonsets")


def test_a_star_stands_for_all_verbs_groups_and_kinds_with_their_parts() -> None:
    rules = review(rule(["*"], ["*"], ["*"]))
    assert rules.allow("delete", "scheduling.run.ai", "queues")
    assert rules.allow("get", "", "pods/log")


def test_the_right_to_a_kind_is_none_to_its_parts() -> None:
    rules = review(rule(["get"], [""], ["pods"]))
    assert not rules.allow("get", "", "pods/log")
    assert review(rule(["get"], [""], ["pods/log"])).allow("get", "", "pods/log")
    assert not review(rule(["get"], [""], ["pods/log"])).allow("get", "", "pods")


def test_a_part_of_every_kind_may_be_given() -> None:
    rules = review(rule(["patch"], ["*"], ["*/scale"]))
    assert rules.allow("patch", "apps", "deployments/scale")
    assert not rules.allow("patch", "apps", "deployments")


def test_a_rule_for_names_holds_for_these_names_alone_and_never_for_all() -> None:
    rules = review(rule(["get", "list"], [""], ["secrets"], resourceNames=["mine"]))
    assert rules.allow("get", "", "secrets", "mine")
    assert not rules.allow("get", "", "secrets", "yours")
    assert not rules.allow("list", "", "secrets")


def test_an_empty_list_of_names_is_no_limit() -> None:
    assert review(rule(["list"], [""], ["pods"], resourceNames=[])).allow("list", "", "pods")


def test_namespaces_that_rules_name_are_told() -> None:
    rules = review(
        rule(["get"], [""], ["namespaces"], resourceNames=["team-a", "team-b"]),
        rule(["get"], [""], ["secrets"], resourceNames=["no-namespace"]),
        rule(["get"], [""], ["namespaces"]),
    )
    assert rules.namespaces_named == {"team-a", "team-b"}


def test_addresses_are_matched_with_their_stars() -> None:
    rules = review(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/metrics/*"]}])
    assert rules.allow_path("get", "/healthz")
    assert rules.allow_path("get", "/metrics/cadvisor")
    assert not rules.allow_path("get", "/version")
    assert not rules.allow_path("post", "/healthz")


def test_nulls_are_what_servers_send_for_no_rules() -> None:
    rules = reviews.answer(b'{"status": {"resourceRules": null, "nonResourceRules": null, "incomplete": true}}')
    assert rules.incomplete
    assert not rules.allow("get", "", "pods")
    assert rules.namespaces_named == frozenset()


def test_what_is_no_review_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        reviews.answer(b"<html>sign in</html>")


def test_the_question_always_names_a_namespace_because_servers_refuse_one_without() -> None:
    assert reviews.question("")["spec"] == {"namespace": "default"}
    assert reviews.question("team-a")["spec"] == {"namespace": "team-a"}


WORDS = st.sampled_from(["get", "list", "pods", "pods/log", "deployments", "", "apps", "*"])
RULES = st.builds(rule, st.lists(WORDS), st.lists(WORDS), st.lists(WORDS))


@given(st.lists(RULES, max_size=6), st.randoms())
def test_the_order_in_which_a_server_tells_its_rules_is_no_change(rules: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)
    assert review(*rules) == review(*shuffled)


@given(st.lists(RULES, max_size=4), RULES, WORDS, WORDS, WORDS)
def test_rights_only_add_up(
    rules: list[dict[str, Any]], more: dict[str, Any], verb: str, group: str, kind: str
) -> None:
    if review(*rules).allow(verb, group, kind):
        assert review(*rules, more).allow(verb, group, kind)


def test_equal_rules_of_a_role_and_a_cluster_role_count_twice() -> None:
    one = rule(["list"], [""], ["pods"])
    assert review(one) != review(one, one)
    assert Rule(("list",), ("",), ("pods",), None).allows("list", "", "pods", "")


def test_fewer_rules_are_told_from_more_and_from_the_same() -> None:
    one, two = rule(["list"], [""], ["pods"]), rule(["get"], [""], ["nodes"])
    assert review(one, two).more_than(review(one))
    assert not review(one).more_than(review(one, two))
    assert not review(one).more_than(review(one))
