"""What kinds of objects there are, and where each lives under the API server's address.

A `Resource` is the only thing that the client needs to know about a kind: it carries no schema. The kinds that Sealane
itself reads or writes are constants here, so that a typing mistake is an import error; every other kind comes from
discovery (`kube.discovery`). Nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from sealane.lib.errors import NextStep, UsageError


class Resource(msgspec.Struct, frozen=True):
    """One kind at one version. `group` is "" for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As written in manifests: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As kubectl takes it without doubt about the group: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        """Path of the group and version: `/api/v1`, `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, name: str = "", *, namespace: str = "", subresource: str = "") -> str:
        """Path of one object, or of the list when `name` is "". `namespace` "" means all of them.

        `UsageError` when one object of a namespaced kind is meant and no namespace is given.
        """
        if name and self.namespaced and not namespace:
            raise UsageError(
                f"{self.kind} {name} needs a namespace.",
                next_steps=(NextStep(title="Give the namespace", command=f"-n NAMESPACE ({self.plural} live in one)"),),
            )
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


PODS = Resource("", "v1", "pods", "Pod", namespaced=True)
SERVICES = Resource("", "v1", "services", "Service", namespaced=True)
PVCS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True)
SECRETS = Resource("", "v1", "secrets", "Secret", namespaced=True)
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
EVENTS = Resource("", "v1", "events", "Event", namespaced=True)
RESOURCEQUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", namespaced=True)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True)
STORAGECLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
QUEUES = Resource("scheduling.run.ai", "v2", "queues", "Queue", namespaced=False)
PODGROUPS = Resource("scheduling.run.ai", "v2alpha2", "podgroups", "PodGroup", namespaced=True)

ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
RULES_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)

KNOWN: tuple[Resource, ...] = (
    PODS,
    SERVICES,
    PVCS,
    SECRETS,
    CONFIGMAPS,
    EVENTS,
    RESOURCEQUOTAS,
    NAMESPACES,
    NODES,
    DEPLOYMENTS,
    REPLICASETS,
    STORAGECLASSES,
    CRDS,
    QUEUES,
    PODGROUPS,
    ACCESS_REVIEWS,
    RULES_REVIEWS,
)
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in KNOWN}


def of(obj: Mapping[str, Any]) -> Resource:
    """The resource of a manifest, by its `apiVersion` and `kind`; `UsageError` when it is not one of `KNOWN`."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        raise UsageError("The object has no apiVersion and kind, so it is no Kubernetes object.")
    found = _BY_KIND.get((api_version, kind))
    if found is None:
        raise UsageError(
            f"Sealane does not know the kind {kind} of {api_version}.",
            next_steps=(NextStep(title="See what the cluster serves", command="kubectl api-resources"),),
        )
    return found
