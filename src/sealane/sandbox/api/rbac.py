"""Who may do what: roles and bindings, read from the Store at every question.

Rights only add up; there is no "deny". The sentences of a refusal are the server's own, for people search for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from sealane.sandbox.api import kinds
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import User

MASTERS = "system:masters"


class Ask(msgspec.Struct, frozen=True):
    """One question: may this be done? `path` is set for what is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """`pods/log`, or `pods`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(msgspec.Struct, frozen=True):
    """The answer, and by which binding."""

    allowed: bool
    reason: str = ""


def decide(store: Store, user: User, ask: Ask) -> Decision:
    """Whether the user may."""
    if any(covers(ask) for covers in store.withheld):
        return Decision(allowed=False)
    if MASTERS in user.groups:
        return Decision(allowed=True)
    for rule, why in rules_of(store, user, ask.namespace):
        if _allows(rule, ask):
            return Decision(allowed=True, reason=f"RBAC: allowed by {why}")
    return Decision(allowed=False)


def refusal(user: User, ask: Ask) -> str:
    """`User "dana" cannot list resource "pods" in API group "" in the namespace "default"`."""
    if ask.path:
        return f'User "{user.name}" cannot {ask.verb} path "{ask.path}"'
    where = f'in the namespace "{ask.namespace}"' if ask.namespace else "at the cluster scope"
    resource = f'resource "{ask.full_resource}" in API group "{ask.group}"'
    return f'User "{user.name}" cannot {ask.verb} {resource} {where}'


def rules_of(store: Store, user: User, namespace: str) -> Iterator[tuple[Obj, str]]:
    """All rules that hold for a user, cluster-wide and in a namespace, each with where it comes from."""
    for binding in store.list(kinds.CLUSTERROLEBINDINGS):
        yield from _rules(store, user, binding, "ClusterRoleBinding")
    if namespace:
        for binding in store.list(kinds.ROLEBINDINGS, namespace):
            yield from _rules(store, user, binding, "RoleBinding")


def _rules(store: Store, user: User, binding: Obj, kind: str) -> Iterator[tuple[Obj, str]]:
    subject = next((item for item in binding.get("subjects") or () if _is(user, item)), None)
    if subject is None:
        return
    reference, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
    role_kind = kinds.CLUSTERROLES if reference["kind"] == "ClusterRole" else kinds.ROLES
    role = store.get(role_kind, namespace, reference["name"])
    place = f"{binding['metadata']['name']}{'/' + namespace if namespace else ''}"
    why = f'{kind} "{place}" of {reference["kind"]} "{reference["name"]}" to {subject["kind"]} "{_subject(subject)}"'
    for rule in (role or {}).get("rules") or ():
        yield rule, why


def _subject(subject: Obj) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"{subject['name']}/{subject.get('namespace', '')}"
    return str(subject["name"])


def _is(user: User, subject: Obj) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
    return bool(subject["name"] == user.name)


def _allows(rule: Obj, ask: Ask) -> bool:
    if not _in(ask.verb, rule.get("verbs")):
        return False
    if ask.path:
        return any(_path_matches(pattern, ask.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _in(ask.group, rule.get("apiGroups"))
        and _resource_in(ask, rule.get("resources") or ())
        and (not names or ask.name in names)
    )


def _resource_in(ask: Ask, resources: Any) -> bool:
    wanted = {"*", ask.full_resource}
    if ask.subresource:
        wanted.add(f"*/{ask.subresource}")
    return not wanted.isdisjoint(resources)


def _in(value: str, allowed: Any) -> bool:
    return bool(allowed) and ("*" in allowed or value in allowed)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))
