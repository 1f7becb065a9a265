"""What the API server says that one may do in a namespace (SelfSubjectRulesReview), as a value that answers questions.

One review answers for every button of a page, where an access review answers one question. It is not the whole truth:
authorizers that cannot list their rules (webhooks, those of most cloud providers) make it `incomplete`, and then a "no"
is only "not by these rules". Rules for other namespaces, and whether a rule holds for the whole cluster, are not in it.
Matching is that of RBAC: `*`, `pods/log`, `*/scale`, resource names. Nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sealane.kube import resources

Names = tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """One resource rule. Without `resource_names` it holds for every object."""

    verbs: Names = ()
    api_groups: Names | None = None
    resources: Names | None = None
    resource_names: Names | None = None

    def allows(self, verb: str, group: str, resource: str, name: str) -> bool:
        """Whether this rule alone allows it; `resource` is `pods` or `pods/log`. Without a name, rules for names do not
        count: nobody may list by the right to get one."""
        return (
            _has(self.verbs, verb)
            and _has(self.api_groups, group)
            and self._covers(resource)
            and (not self.resource_names or name in self.resource_names)
        )

    def _covers(self, resource: str) -> bool:
        _, parted, subresource = resource.partition("/")
        wanted = {"*", resource, f"*/{subresource}"} if parted else {"*", resource}
        return not wanted.isdisjoint(self.resources or ())


class PathRule(msgspec.Struct, frozen=True, rename="camel"):
    """One rule for addresses that are no objects; a pattern may end in `*`."""

    verbs: Names = ()
    non_resource_urls: Names | None = msgspec.field(default=None, name="nonResourceURLs")


class Rules(msgspec.Struct, frozen=True, rename="camel"):
    """All rules of one identity in one namespace. Equal reviews mean equal rights, in the cluster as a whole too."""

    resource_rules: tuple[Rule, ...] | None = None
    non_resource_rules: tuple[PathRule, ...] | None = None
    incomplete: bool = False
    evaluation_error: str = ""

    def allow(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Whether a rule allows it. False is a "no" only when the review is not `incomplete`."""
        return any(rule.allows(verb, group, resource, name) for rule in self.resource_rules or ())

    def allow_path(self, verb: str, path: str) -> bool:
        """The same for an address such as `/metrics`."""
        return any(
            _has(rule.verbs, verb) and any(_path_matches(pattern, path) for pattern in rule.non_resource_urls or ())
            for rule in self.non_resource_rules or ()
        )

    def more_than(self, other: Rules) -> bool:
        """Whether a rule of these is not among the others."""
        return not set(self.resource_rules or ()) <= set(other.resource_rules or ())

    @property
    def namespaces_named(self) -> frozenset[str]:
        """Namespaces that a rule names as objects which may be looked at: a person without the right to list them has
        often been given this one."""
        found: set[str] = set()
        for rule in self.resource_rules or ():
            if rule.resource_names and rule.allows("get", "", "namespaces", rule.resource_names[0]):
                found.update(rule.resource_names)
        return frozenset(found)


class _Answer(msgspec.Struct, frozen=True):
    status: Rules = Rules()


def question(namespace: str) -> dict[str, Any]:
    """The review to post. The server refuses one without a namespace; any will do, also one that does not exist."""
    kind = resources.RULES_REVIEWS
    return {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {"namespace": namespace or "default"}}


def answer(body: bytes) -> Rules:
    """The rules in the server's answer, in an order of ours: servers go through bindings in any order. Raises
    msgspec.DecodeError for what is no review."""
    status = msgspec.json.decode(body, type=_Answer).status
    return msgspec.structs.replace(
        status,
        resource_rules=tuple(sorted(status.resource_rules or (), key=msgspec.json.encode)),
        non_resource_rules=tuple(sorted(status.non_resource_rules or (), key=msgspec.json.encode)),
    )


def _has(allowed: Iterable[str] | None, value: str) -> bool:
    names = tuple(allowed or ())
    return value in names or "*" in names


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))
