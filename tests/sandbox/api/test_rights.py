"""Who may do what, and the sentences of refusal."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.api import rbac
from sealane.sandbox.api.kinds import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from sealane.sandbox.api.rbac import Ask
from sealane.sandbox.api.wire import User

DANA = {"kind": "User", "name": "dana"}
PODS = "/api/v1/namespaces/team/pods"
REVIEWS = "/apis/authorization.k8s.io/v1"


def grant(api: Any, rule: dict[str, Any], subject: dict[str, Any], namespace: str = "") -> None:
    """Give a right, in a namespace or everywhere."""
    meta = {"name": "granted"} | ({"namespace": namespace} if namespace else {})
    role, binding = (ROLES, ROLEBINDINGS) if namespace else (CLUSTERROLES, CLUSTERROLEBINDINGS)
    api.store.create(role, {"metadata": meta, "rules": [rule]}, manager="t")
    reference = {"kind": role.kind, "name": "granted"}
    api.store.create(binding, {"metadata": meta, "roleRef": reference, "subjects": [subject]}, manager="t")


def rule(verbs: list[str], resources: list[str], groups: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"verbs": verbs, "apiGroups": groups or [""], "resources": resources} | more


async def test_without_rights_the_refusal_says_who_what_and_where(api: Any) -> None:
    answer = await api.call("GET", PODS, user="dana")
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert answer.json["message"] == (
        'pods is forbidden: User "dana" cannot list resource "pods" in API group "" in the namespace "team"'
    )
    everywhere = await api.call("GET", "/apis/apps/v1/deployments", user="dana")
    assert everywhere.json["message"] == (
        'deployments.apps is forbidden: User "dana" cannot list resource "deployments" in API group "apps" '
        "at the cluster scope"
    )
    one = await api.call("DELETE", f"{PODS}/x", user="dana")
    assert one.json["message"].startswith('pods "x" is forbidden: User "dana" cannot delete resource "pods"')


async def test_an_unknown_token_is_unauthorized(api: Any) -> None:
    answer = await api.call("GET", PODS, user="nobody")
    assert (answer.status, answer.json["message"]) == (401, "Unauthorized")
    basic = await api.call("GET", PODS, user="", headers={"authorization": "Basic abc"})
    assert basic.status == 401


async def test_without_credentials_only_health_and_version_are_open(api: Any) -> None:
    assert (await api.call("GET", "/version", user="")).json["minor"] == "34"
    assert (await api.call("GET", "/readyz", user="")).body == b"ok"
    answer = await api.call("GET", PODS, user="")
    assert 'User "system:anonymous" cannot list' in answer.json["message"]
    assert (await api.call("GET", "/apis", user="")).status == 403


async def test_a_revoked_token_no_longer_works(api: Any) -> None:
    assert (await api.call("GET", PODS)).status == 200
    api.users.revoke("admin")
    assert (await api.call("GET", PODS)).status == 401


async def test_a_role_holds_in_its_namespace_only(api: Any) -> None:
    grant(api, rule(["get", "list"], ["pods"]), DANA, "team")
    assert (await api.call("GET", PODS, user="dana")).status == 200
    assert (await api.call("GET", "/api/v1/namespaces/default/pods", user="dana")).status == 403
    assert (await api.call("GET", "/api/v1/pods", user="dana")).status == 403
    assert (await api.call("GET", f"{PODS}?watch=1", user="dana")).status == 403


async def test_groups_and_service_accounts_are_subjects_too(api: Any) -> None:
    grant(api, rule(["list"], ["pods"]), {"kind": "Group", "name": "system:authenticated"}, "team")
    grant(api, rule(["list"], ["nodes"]), {"kind": "ServiceAccount", "name": "bot", "namespace": "team"})
    api.users.add("bot", User("system:serviceaccount:team:bot", ("system:authenticated",)))
    assert (await api.call("GET", PODS, user="dana")).status == 200
    assert (await api.call("GET", "/api/v1/nodes", user="bot")).status == 200
    assert (await api.call("GET", "/api/v1/nodes", user="dana")).status == 403


@pytest.mark.parametrize(
    ("given", "ask", "allowed"),
    [
        (rule(["*"], ["*"], ["*"]), Ask("delete", "apps", "deployments", name="x"), True),
        (rule(["get"], ["pods"]), Ask("get", "", "pods", "log"), False),
        (rule(["get"], ["pods/log"]), Ask("get", "", "pods", "log"), True),
        (rule(["get"], ["*/scale"], ["apps"]), Ask("get", "apps", "deployments", "scale"), True),
        (rule(["get"], ["pods"], resourceNames=["a"]), Ask("get", "", "pods", name="a"), True),
        (rule(["get"], ["pods"], resourceNames=["a"]), Ask("get", "", "pods", name="b"), False),
        (rule(["get"], ["pods"], ["apps"]), Ask("get", "", "pods"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]}, Ask("get", path="/metrics/x"), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}, Ask("get", path="/metrics/x"), False),
    ],
)
def test_rules_mean_what_they_say(api: Any, given: dict[str, Any], ask: Ask, *, allowed: bool) -> None:
    grant(api, given, DANA)
    decision = rbac.decide(api.store, User("dana"), ask)
    assert decision.allowed is allowed
    if allowed:
        assert decision.reason == (
            'RBAC: allowed by ClusterRoleBinding "granted" of ClusterRole "granted" to User "dana"'
        )


async def test_access_reviews_answer_what_would_happen(api: Any) -> None:
    grant(api, rule(["list"], ["pods"]), DANA, "team")
    for namespace, allowed in (("team", True), ("default", False)):
        spec = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": namespace}}
        answer = await api.call("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": spec}, user="dana")
        assert answer.status == 201
        assert answer.json["status"]["allowed"] is allowed
    other = {"spec": {"user": "dana", "resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "team"}}}
    assert (await api.call("POST", f"{REVIEWS}/subjectaccessreviews", other)).json["status"]["allowed"]
    assert (await api.call("POST", f"{REVIEWS}/subjectaccessreviews", other, user="dana")).status == 403
    empty = await api.call("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {}})
    assert empty.status == 422


async def test_a_rules_review_lists_the_rights_of_a_namespace(api: Any) -> None:
    grant(api, rule(["list"], ["pods"]), DANA, "team")
    body = {"spec": {"namespace": "team"}}
    status = (await api.call("POST", f"{REVIEWS}/selfsubjectrulesreviews", body, user="dana")).json["status"]
    assert {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]} in status["resourceRules"]
    assert status["incomplete"] is False


async def test_impersonation_needs_the_right_and_then_changes_who_asks(api: Any) -> None:
    as_dana = {"impersonate-user": "dana"}
    assert (await api.call("GET", PODS, headers=as_dana)).status == 403
    answer = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=as_dana)
    assert answer.json["status"]["userInfo"]["username"] == "dana"
    refused = await api.call("GET", PODS, user="dana", headers={"impersonate-user": "admin"})
    assert 'cannot impersonate resource "users"' in refused.json["message"]
