"""What the server says it serves: the old documents, one a group version, and the aggregated ones kubectl prefers."""

from __future__ import annotations

from typing import Any, Final

from sealane.sandbox.api.kinds import Kind, Registry
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Reply, Request, as_json, encode

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PREFERRED: Final = (
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
)
_SCALE: Final = ("autoscaling", "v1", "Scale")


def core_versions(registry: Registry, request: Request) -> Reply:
    """`/api`."""
    if _wants_aggregated(request):
        return _aggregated(registry, [""])
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.headers.get("host", "")}
    return as_json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]})


def groups(registry: Registry, request: Request) -> Reply:
    """`/apis`."""
    names = [name for name in _groups(registry) if name]
    if _wants_aggregated(request):
        return _aggregated(registry, names)
    listed = [_group(registry, name) for name in names]
    return as_json({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


def group(registry: Registry, name: str) -> Reply | None:
    """`/apis/GROUP`, None if there is none of that name."""
    if name not in _groups(registry):
        return None
    return as_json({"kind": "APIGroup", "apiVersion": "v1"} | _group(registry, name))


def resources(registry: Registry, name: str, version: str) -> Reply | None:
    """`/api/v1` and `/apis/GROUP/VERSION`, None if there is none of that name."""
    kinds = _kinds(registry, name, version)
    if not kinds:
        return None
    listed = [entry for kind in kinds for entry in _entries(kind)]
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if name else {})
    return as_json(head | {"groupVersion": f"{name}/{version}" if name else version, "resources": listed})


def versions_of(registry: Registry, name: str) -> list[str]:
    """Versions of a group, newest first."""
    found = {kind.version for kind in registry if kind.group == name}
    return sorted(found, key=_age)


def _wants_aggregated(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "as=APIGroupDiscoveryList" in accept and "v=v2" in accept.replace("v=v2beta1", "")


def _aggregated(registry: Registry, names: list[str]) -> Reply:
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_resource(kind) for kind in _kinds(registry, name, version)],
                    "freshness": "Current",
                }
                for version in versions_of(registry, name)
            ],
        }
        for name in names
    ]
    body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    return Reply(200, encode(body), content_type=AGGREGATED)


def _aggregated_resource(kind: Kind) -> Obj:
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": _gvk(kind.group, kind.version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.one,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [
            {"subresource": name, "responseKind": _gvk(*_kind_of(kind, name)), "verbs": _verbs(name)}
            for name in kind.subresources
        ]
    return entry


def _gvk(name: str, version: str, kind: str) -> Obj:
    return {"group": name, "version": version, "kind": kind}


def _kind_of(kind: Kind, subresource: str) -> tuple[str, str, str]:
    if subresource == "scale":
        return _SCALE
    if subresource == "eviction":
        return "policy", "v1", "Eviction"
    return kind.group, kind.version, kind.kind


def _verbs(subresource: str) -> list[str]:
    if subresource in {"status", "scale", "ephemeralcontainers"}:
        return ["get", "patch", "update"]
    if subresource in {"binding", "eviction", "token"}:
        return ["create"]
    if subresource == "finalize":
        return ["update"]
    if subresource == "proxy":
        return ["create", "delete", "get", "patch", "update"]
    return ["get"] if subresource == "log" else ["create", "get"]


def _entries(kind: Kind) -> list[Obj]:
    main: Obj = {
        "name": kind.plural,
        "singularName": kind.one,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    subs = []
    for name in kind.subresources:
        group_of, version, kind_of = _kind_of(kind, name)
        entry: Obj = {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind_of,
            "verbs": _verbs(name),
        }
        if (group_of, version) != (kind.group, kind.version):
            entry |= {"group": group_of, "version": version}
        subs.append(entry)
    return [main, *subs]


def _groups(registry: Registry) -> list[str]:
    names = {kind.group for kind in registry}
    first = [name for name in _PREFERRED if name in names]
    return [*first, *sorted(names - set(first))]


def _group(registry: Registry, name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions_of(registry, name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _kinds(registry: Registry, name: str, version: str) -> list[Kind]:
    found = [kind for kind in registry if (kind.group, kind.version) == (name, version)]
    return sorted(found, key=lambda kind: kind.plural)


def _age(version: str) -> tuple[int, int, str]:
    """Stable versions before beta before alpha, higher numbers first."""
    for rank, word in enumerate(("beta", "alpha"), start=1):
        if word in version:
            head, _, tail = version.removeprefix("v").partition(word)
            return rank, -int(head or 0), f"{-int(tail or 0):05}"
    return 0, -int(version.removeprefix("v") or 0), ""
