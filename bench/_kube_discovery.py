"""What a cluster with many CRDs says of its kinds: by aggregated discovery, and by the CRDs themselves.

A CRD carries its whole schema, some 70 KB with those that AI platforms install (348 of them were 24 MB in a real
cluster); discovery says the same about names, scopes and verbs in a few hundred bytes.
"""

from __future__ import annotations

import json
from typing import Any

SCHEMA_BYTES = 69_000
_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]


def compact(value: Any) -> bytes:
    """JSON as API servers write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _resource(group: str, plural: str, kind: str, *, namespaced: bool) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": group, "version": "v1", "kind": kind},
        "scope": "Namespaced" if namespaced else "Cluster",
        "singularResource": kind.lower(),
        "verbs": _VERBS,
        "shortNames": [plural[:3]],
        "categories": ["all"],
        "subresources": [
            {
                "subresource": "status",
                "responseKind": {"group": group, "version": "v1", "kind": kind},
                "verbs": ["get", "patch", "update"],
            }
        ],
    }


def _groups(found: dict[str, list[dict[str, Any]]]) -> bytes:
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [{"version": "v1", "resources": resources, "freshness": "Current"}],
        }
        for name, resources in found.items()
    ]
    return compact({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})


def _names(number: int) -> tuple[str, str, str]:
    return f"platform{number // 8}.example.dev", f"things{number}", f"Thing{number}"


def aggregated(crds: int) -> bytes:
    """`/apis` with that many custom kinds, eight to a group."""
    found: dict[str, list[dict[str, Any]]] = {"apps": [_resource("apps", "deployments", "Deployment", namespaced=True)]}
    for number in range(crds):
        group, plural, kind = _names(number)
        found.setdefault(group, []).append(_resource(group, plural, kind, namespaced=True))
    return _groups(found)


def crds(count: int) -> bytes:
    """The list of the CRDs behind these kinds."""
    items = []
    for number in range(count):
        group, plural, kind = _names(number)
        field = {"description": "What this field is for, in a sentence or two, as generated schemas have it. " * 2}
        fields = {f"field{at}": {"type": "string", **field} for at in range(SCHEMA_BYTES // 200)}
        schema = {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
        }
        items.append(
            {
                "metadata": {"name": f"{plural}.{group}", "resourceVersion": str(number)},
                "spec": {
                    "group": group,
                    "names": {"plural": plural, "kind": kind},
                    "scope": "Namespaced",
                    "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
                },
            }
        )
    head = {"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1"}
    return compact({**head, "metadata": {"resourceVersion": "1"}, "items": items})


CORE = _groups({"": [_resource("", "pods", "Pod", namespaced=True)]})
EVERYTHING_ALLOWED = compact(
    {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "status": {
            "allowed": True,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [],
            "incomplete": False,
        },
    }
)
