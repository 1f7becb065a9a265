"""From a path to what it addresses: which resource, where, which one, which part of it.

Kubernetes paths are regular, so this is one small parser rather than a table of routes.
"""

from __future__ import annotations

import msgspec

from sealane.sandbox.api import errors
from sealane.sandbox.api.kinds import Kind, Registry

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Target(msgspec.Struct, frozen=True):
    """What a path addresses. `name` is "" for a collection, `rest` is what follows a subresource (a proxied path)."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""

    def verb(self, method: str, *, watch: bool) -> str:
        """The RBAC verb of a method on this target."""
        verb = _VERBS.get(method, "")
        if verb == "get" and not self.name:
            return "watch" if watch else "list"
        if verb == "delete" and not self.name:
            return "deletecollection"
        return verb


def target(path: str, registry: Registry) -> Target:
    """Read `/api/v1/…` or `/apis/GROUP/VERSION/…`. Raises StatusError (404) or UnknownPath for what is not served."""
    parts = path.removeprefix("/").split("/")
    if len(parts) > 1 and not parts[-1] and "proxy" not in parts:
        parts.pop()
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise errors.no_such_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    if not any((kind.group, kind.version) == (group, version) for kind in registry):
        raise errors.UnknownPath
    kind = registry.at(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced):
        raise errors.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if name and kind.namespaced and not namespace:
        raise errors.no_such_path()
    if subresource and subresource not in kind.subresources:
        raise errors.no_such_path()
    return Target(kind, namespace, name, subresource, "/".join(rest[3:]))
