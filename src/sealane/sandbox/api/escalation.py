"""Nobody gives rights that they do not have: the check behind every write of a role or a binding.

A role may hold only what its writer may do (or the writer has the verb `escalate`), and a role may be bound only by who
has all of its rights (or the verb `bind`). The refusal lists what is missing, rule by rule, as the real server does:
people read in it which right they lack.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sealane.sandbox.api import errors, kinds, rbac
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.rbac import Ask
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import User

_GROUP: Final = "rbac.authorization.k8s.io"
_ROLES: Final = frozenset({kinds.ROLES.key, kinds.CLUSTERROLES.key})
_BINDINGS: Final = frozenset({kinds.ROLEBINDINGS.key, kinds.CLUSTERROLEBINDINGS.key})
_PARTS: Final = ("apiGroups", "resources", "resourceNames", "nonResourceURLs", "verbs")


def check(store: Store, user: User, kind: Kind, new: Obj, old: Obj | None) -> None:
    """Raises StatusError (403, 404 for the role) when the user may not write this role or binding."""
    if rbac.MASTERS in user.groups:
        return
    if kind.key in _ROLES:
        if (
            old is None
            or old.get("rules") != new.get("rules")
            or old.get("aggregationRule") != new.get("aggregationRule")
        ):
            _check_role(store, user, kind, new)
    elif kind.key in _BINDINGS and (
        old is None or old.get("roleRef") != new.get("roleRef") or old.get("subjects") != new.get("subjects")
    ):
        _check_binding(store, user, kind, new)


def _check_role(store: Store, user: User, kind: Kind, new: Obj) -> None:
    namespace, name = new["metadata"].get("namespace", ""), new["metadata"].get("name", "")
    if _may(store, user, "escalate", kind.plural, namespace, name):
        return
    if new.get("aggregationRule") and not _covers(
        _held(store, user, ""), {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    ):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise errors.forbidden(_GROUP, kind.plural, name, why)
    _refuse_missing(store, user, kind, new, new.get("rules") or [])


def _check_binding(store: Store, user: User, kind: Kind, new: Obj) -> None:
    reference = new.get("roleRef") or {}
    namespace = new["metadata"].get("namespace", "")
    whole = reference.get("kind") == "ClusterRole"
    role_kind = kinds.CLUSTERROLES if whole else kinds.ROLES
    if _may(store, user, "bind", role_kind.plural, namespace, reference.get("name", "")):
        return
    role = store.get(role_kind, "" if whole else namespace, reference.get("name", ""))
    if role is None:
        raise errors.not_found(_GROUP, kind.plural, reference.get("name", ""))
    _refuse_missing(store, user, kind, new, role.get("rules") or [])


def _refuse_missing(store: Store, user: User, kind: Kind, new: Obj, rules: list[Obj]) -> None:
    held = _held(store, user, new["metadata"].get("namespace", ""))
    missing = _compact(rule for rule in _single(rules) if not _covers(held, rule))
    if not missing:
        return
    groups = "".join(f'"{name}" ' for name in user.groups).strip()
    listed = "\n".join(sorted(_spelled(rule) for rule in missing))
    why = (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{listed}'
    )
    raise errors.forbidden(_GROUP, kind.plural, new["metadata"].get("name", ""), why)


def _may(store: Store, user: User, verb: str, resource: str, namespace: str, name: str) -> bool:
    ask = Ask(verb=verb, group=_GROUP, resource=resource, namespace=namespace, name=name)
    return rbac.decide(store, user, ask).allowed


def _held(store: Store, user: User, namespace: str) -> list[Obj]:
    return [rule for rule, _ in rbac.rules_of(store, user, namespace)]


def _single(rules: Iterable[Obj]) -> Iterator[Obj]:
    """Rules about one group, one resource, one name and one verb each, in the order in which they were written."""
    for rule in rules:
        for verb in rule.get("verbs") or ():
            for path in rule.get("nonResourceURLs") or ():
                yield {"nonResourceURLs": [path], "verbs": [verb]}
            places = itertools.product(rule.get("apiGroups") or (), rule.get("resources") or ())
            for group, resource in places:
                for name in rule.get("resourceNames") or (None,):
                    names = {} if name is None else {"resourceNames": [name]}
                    yield {"apiGroups": [group], "resources": [resource], **names, "verbs": [verb]}


def _compact(rules: Iterable[Obj]) -> list[Obj]:
    """Rules that differ only in their verb, joined."""
    joined: dict[tuple[Any, ...], Obj] = {}
    for rule in rules:
        place = tuple(tuple(rule.get(part) or ()) for part in _PARTS[:-1])
        known = joined.setdefault(place, rule | {"verbs": []})
        known["verbs"] += [verb for verb in rule["verbs"] if verb not in known["verbs"]]
    return list(joined.values())


def _covers(held: list[Obj], rule: Obj) -> bool:
    """Whether one of the rules that someone has includes this single one."""
    return any(_includes(one, rule) for one in held)


def _includes(one: Obj, rule: Obj) -> bool:
    if not _all_in(rule["verbs"], one.get("verbs")):
        return False
    if rule.get("nonResourceURLs"):
        allowed = one.get("nonResourceURLs") or ()
        return all(
            any(path == has or (has.endswith("*") and path.startswith(has[:-1])) for has in allowed)
            for path in rule["nonResourceURLs"]
        )
    names = one.get("resourceNames")
    return (
        _all_in(rule["apiGroups"], one.get("apiGroups"))
        and all(_resource_in(item, one.get("resources") or ()) for item in rule["resources"])
        and (not names or (bool(rule.get("resourceNames")) and set(rule["resourceNames"]) <= set(names)))
    )


def _resource_in(resource: str, allowed: Iterable[str]) -> bool:
    _, slash, sub = resource.partition("/")
    return not {"*", resource, f"*/{sub}" if slash else resource}.isdisjoint(allowed)


def _all_in(wanted: list[str], allowed: list[str] | None) -> bool:
    return bool(allowed) and ("*" in (allowed or ()) or set(wanted) <= set(allowed or ()))


def _spelled(rule: Obj) -> str:
    parts = []
    for part, word in (
        ("nonResourceURLs", "NonResourceURLs"),
        ("apiGroups", "APIGroups"),
        ("resources", "Resources"),
        ("resourceNames", "ResourceNames"),
        ("verbs", "Verbs"),
    ):
        if rule.get(part):
            listed = " ".join(f'"{item}"' for item in rule[part])
            parts.append(f"{word}:[{listed}]")
    return f"{{{', '.join(parts)}}}"
