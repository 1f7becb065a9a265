"""Nobody gives rights that they do not have, and the refusal lists what is missing."""

from __future__ import annotations

from typing import Any

import pytest

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES = f"{RBAC}/namespaces/team/roles"
BINDINGS = f"{RBAC}/namespaces/team/rolebindings"
WRITER = {
    "apiGroups": ["rbac.authorization.k8s.io"],
    "resources": ["roles", "rolebindings"],
    "verbs": ["create", "update"],
}
READER = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


def rule(resources: list[str], verbs: list[str], **more: Any) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": resources, "verbs": verbs, **more}


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, role_name: str, user: str = "frank", kind: str = "Role") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": role_name},
        "subjects": [{"kind": "User", "name": user}],
    }


@pytest.fixture
async def given(api: Any) -> Any:
    """dana may write roles and bindings in `team`, and read pods."""
    await api.call("POST", ROLES, role("giver", WRITER, READER))
    await api.call("POST", BINDINGS, binding("giver", "giver", "dana"))
    await api.call("POST", ROLES, role("strong", rule(["secrets"], ["get", "list"])))
    return api


async def test_rights_that_one_has_may_be_given(given: Any) -> None:
    assert (await given.call("POST", ROLES, role("within", rule(["pods"], ["get"])), user="dana")).status == 201
    assert (await given.call("POST", BINDINGS, binding("own", "within"), user="dana")).status == 201


async def test_what_is_missing_is_listed_a_line_a_resource(given: Any) -> None:
    wanted = role("beyond", rule(["pods", "secrets"], ["get", "delete"]))
    refused = await given.call("POST", ROLES, wanted, user="dana")
    assert refused.status == 403
    assert refused.json["message"] == (
        'roles.rbac.authorization.k8s.io "beyond" is forbidden: user "dana" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


async def test_a_role_can_be_bound_only_by_who_has_its_rights(given: Any) -> None:
    refused = await given.call("POST", BINDINGS, binding("strong", "strong"), user="dana")
    assert (refused.status, 'Resources:["secrets"]' in refused.json["message"]) == (403, True)
    missing = await given.call("POST", BINDINGS, binding("none", "nothing"), user="dana")
    assert missing.status == 404
    assert (await given.call("POST", BINDINGS, binding("strong", "strong"))).status == 201


@pytest.mark.parametrize(("verb", "place", "body"), [
    ("bind", BINDINGS, binding("strong", "strong")),
    ("escalate", ROLES, role("beyond", rule(["secrets"], ["get"]))),
])  # fmt: skip
async def test_the_verbs_bind_and_escalate_lift_the_rule(given: Any, verb: str, place: str, body: Any) -> None:
    assert (await given.call("POST", place, body, user="dana")).status == 403
    lifting = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": [verb]}
    await given.call("POST", ROLES, role("lifts", lifting))
    await given.call("POST", BINDINGS, binding("lifts", "lifts", "dana"))
    assert (await given.call("POST", place, body, user="dana")).status == 201


async def test_an_update_may_not_raise_either(given: Any) -> None:
    made = (await given.call("POST", ROLES, role("within", rule(["pods"], ["get"])), user="dana")).json
    raised = made | {"rules": [rule(["pods"], ["get", "delete"])]}
    assert (await given.call("PUT", f"{ROLES}/within", raised, user="dana")).status == 403
    labelled = made | {"metadata": made["metadata"] | {"labels": {"a": "b"}}}
    assert (await given.call("PUT", f"{ROLES}/within", labelled, user="dana")).status == 200


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        (rule(["*"], ["*"]), rule(["secrets"], ["get"]), True),
        (rule(["pods/*"], ["get"]), rule(["pods/log"], ["get"]), False),
        (rule(["*/log"], ["get"]), rule(["pods/log"], ["get"]), True),
        (rule(["secrets"], ["get"], resourceNames=["a"]), rule(["secrets"], ["get"]), False),
        (rule(["secrets"], ["get"], resourceNames=["a"]), rule(["secrets"], ["get"], resourceNames=["a"]), True),
        (rule(["secrets"], ["get"]), rule(["secrets"], ["get"], resourceNames=["a"]), True),
        (rule(["secrets"], ["get"]), rule(["secrets"], ["*"]), False),
    ],
)
async def test_one_rule_includes_another_or_not(given: Any, held: Any, wanted: Any, allowed: bool) -> None:
    await given.call("POST", ROLES, role("more", held))
    await given.call("POST", BINDINGS, binding("more", "more", "dana"))
    answer = await given.call("POST", ROLES, role("given", wanted), user="dana")
    assert (answer.status == 201) is allowed, answer.json
