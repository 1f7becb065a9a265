"""Which kinds a server serves: aggregated discovery where it exists (one request), the old walk where not.

Aggregated discovery came with Kubernetes 1.26 and is stable since 1.30; older servers ignore the Accept header and
answer the old way, which takes a request for each group and version. A group whose own server is down must not take the
others away: it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealane.kube.errors import UNREADABLE, ApiError, Disconnected
from sealane.kube.http import Http
from sealane.kube.resources import Resource

ACCEPT = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    )
)


class _Kind(msgspec.Struct):
    kind: str = ""


class _NewResource(msgspec.Struct, rename="camel"):
    resource: str
    scope: str = ""
    response_kind: _Kind | None = None


class _NewVersion(msgspec.Struct):
    version: str
    resources: list[_NewResource] = []


class _Name(msgspec.Struct):
    name: str = ""


class _NewGroup(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)
    versions: list[_NewVersion] = []


class _OldVersion(msgspec.Struct, rename="camel"):
    group_version: str = ""
    version: str = ""


class _OldGroup(msgspec.Struct, rename="camel"):
    name: str = ""
    versions: list[_OldVersion] = []
    preferred_version: _OldVersion | None = None


class _Answer(msgspec.Struct):
    """Either form of `/api` and `/apis`, told apart by `kind`."""

    kind: str = ""
    items: list[_NewGroup] = []
    groups: list[_OldGroup] = []
    versions: list[str] = []


class _OldResource(msgspec.Struct):
    name: str
    kind: str = ""
    namespaced: bool = False


class _OldResources(msgspec.Struct):
    resources: list[_OldResource] = []


async def discover(http: Http) -> list[Resource]:
    """Every kind at every served version, each group's preferred version first; subresources are left out."""
    found: list[Resource] = []
    for root in ("/api", "/apis"):
        answer = _decode(await http.request("GET", root, headers={"Accept": ACCEPT}), http, root)
        if answer.kind == "APIGroupDiscoveryList":
            found += _aggregated(answer.items)
        else:
            found += await _walk(http, answer)
    return found


def _aggregated(groups: Iterable[_NewGroup]) -> list[Resource]:
    return [
        Resource(
            group.metadata.name,
            version.version,
            item.resource,
            item.response_kind.kind if item.response_kind else "",
            namespaced=item.scope == "Namespaced",
        )
        for group in groups
        for version in group.versions
        for item in version.resources
    ]


async def _walk(http: Http, answer: _Answer) -> list[Resource]:
    found: list[Resource] = []
    for version in answer.versions:
        found += await _old(http, "", version)
    for group in answer.groups:
        preferred = group.preferred_version.version if group.preferred_version else ""
        for version in sorted((entry.version for entry in group.versions), key=lambda name: name != preferred):
            found += await _old(http, group.name, version)
    return found


async def _old(http: Http, group: str, version: str) -> list[Resource]:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        body = await http.request("GET", root)
        listed = msgspec.json.decode(body, type=_OldResources).resources
    except (ApiError, *UNREADABLE):
        return []
    return [
        Resource(group, version, item.name, item.kind, namespaced=item.namespaced)
        for item in listed
        if "/" not in item.name
    ]


def _decode(body: bytes, http: Http, path: str) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except UNREADABLE as error:
        target = http.target("GET", path)
        raise Disconnected(f"{target.server} does not answer like a Kubernetes API server", target=target) from error
