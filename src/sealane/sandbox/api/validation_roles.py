"""Checks of roles and bindings: rules that say something, subjects that exist as a kind, a reference that stays."""

from __future__ import annotations

from typing import Final

from sealane.sandbox.api.causes import invalid, required, unsupported
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_SUBJECTS: Final = ("ServiceAccount", "User", "Group")
_GROUP: Final = "rbac.authorization.k8s.io"


def role(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a Role."""
    _rules(new, causes, of_cluster=False)


def cluster_role(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a ClusterRole."""
    _rules(new, causes, of_cluster=True)


def _rules(new: Obj, causes: list[Cause], *, of_cluster: bool) -> None:
    for index, rule in enumerate(new.get("rules") or ()):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append(required(f"{place}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if not of_cluster:
                why = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid(f"{place}.nonResourceURLs", urls, why))
            if any(rule.get(part) for part in ("apiGroups", "resources", "resourceNames")):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                causes.append(invalid(f"{place}.nonResourceURLs", urls, why))
            continue
        if not rule.get("apiGroups"):
            causes.append(required(f"{place}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            causes.append(required(f"{place}.resources", "resource rules must supply at least one resource"))


def binding(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a RoleBinding."""
    _binding(new, old, causes, roles=("Role", "ClusterRole"))


def cluster_binding(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a ClusterRoleBinding."""
    _binding(new, old, causes, roles=("ClusterRole",))


def _binding(new: Obj, old: Obj | None, causes: list[Cause], *, roles: tuple[str, ...]) -> None:
    reference = new.get("roleRef") or {}
    if reference.get("apiGroup") != _GROUP:
        causes.append(unsupported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,)))
    if reference.get("kind") not in roles:
        causes.append(unsupported("roleRef.kind", reference.get("kind", ""), roles, as_given=True))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    for index, subject in enumerate(new.get("subjects") or ()):
        _subject(subject, f"subjects[{index}]", causes)
    if old is not None and old.get("roleRef") != new.get("roleRef"):
        given = {key[0].upper() + key[1:]: reference.get(key, "") for key in ("kind", "name")}
        given = {"APIGroup": reference.get("apiGroup", ""), **given}
        causes.append(invalid("roleRef", given, "cannot change roleRef"))


def _subject(subject: Obj, place: str, causes: list[Cause]) -> None:
    kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
    if not subject.get("name"):
        causes.append(required(f"{place}.name"))
    if kind not in _SUBJECTS:
        causes.append(unsupported(f"{place}.kind", kind, _SUBJECTS, as_given=True))
    elif kind == "ServiceAccount":
        if group:
            causes.append(unsupported(f"{place}.apiGroup", group, ("",)))
    elif group != _GROUP:
        causes.append(unsupported(f"{place}.apiGroup", group, (_GROUP,)))
