"""OpenAPI v3 of what is served: `kubectl explain` reads it, and kubectl asks it which options the server knows.

One document a group version, made from the same schemas that check objects; descriptions are our own. The list of
documents carries a hash, so that clients may keep what they have read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from sealane.sandbox.api import errors, schema
from sealane.sandbox.api.kinds import Kind, Registry
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Reply, Request, as_json, encode

ShapeOf = Callable[[Kind], Node]
_SCALARS: Final[dict[str, Obj]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int32"},
    "number": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "intorstring": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    "base64": {"type": "string", "format": "byte"},
    "any": {"type": "object"},
}
_META: Final = frozenset(
    {"ObjectMeta", "OwnerReference", "ListMeta", "LabelSelector", "LabelSelectorRequirement", "Condition"}
)
_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_NAMED: Final = {
    "quantity": ("io.k8s.apimachinery.pkg.api.resource.Quantity", "An amount, such as 500m, 2 or 16Gi."),
    "intorstring": ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "A number, or a name or percentage."),
}
_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")


def document(registry: Registry, shape_of: ShapeOf, parts: list[str], request: Request) -> Reply:
    """`/openapi/v3` and what lies below. Raises StatusError (404)."""
    if parts == ["v2"] and "protobuf" in request.headers.get("accept", ""):
        # kubectl asks so to check objects of no kind in particular (a List): an empty document checks nothing.
        return Reply(200, b"", content_type=_PROTOBUF)
    if parts == ["v2"]:
        return as_json(_version_two(registry, shape_of))
    if not parts or parts[0] != "v3":
        raise errors.no_such_path()
    versions = {_place(kind): (kind.group, kind.version) for kind in registry}
    if len(parts) == 1:
        return as_json({"paths": {place: {"serverRelativeURL": _url(place, registry)} for place in versions}})
    place = "/".join(parts[1:])
    if place not in versions:
        raise errors.no_such_path()
    body = encode(_version_three(registry, shape_of, *versions[place]))
    fresh = "hash" in request.query
    headers = (("etag", f'"{hashlib.sha256(body).hexdigest()[:32]}"'),) if fresh else ()
    return Reply(200, body, headers=headers)


def name_of(node: Node) -> str:
    """The name of a type's definition."""
    if node.gvk is not None:
        group, version, _ = node.gvk
        return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{node.name}"
    package = "io.k8s.apimachinery.pkg.apis.meta.v1" if node.name in _META else "io.k8s.api.core.v1"
    return f"{package}.{node.name}"


def _place(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _url(place: str, registry: Registry) -> str:
    names = sorted(f"{kind.plural}:{kind.custom}" for kind in registry if _place(kind) == place)
    return f"/openapi/v3/{place}?hash={hashlib.sha256(','.join(names).encode()).hexdigest()[:32].upper()}"


def _version_three(registry: Registry, shape_of: ShapeOf, group: str, version: str) -> Obj:
    schemas, paths = _documents(
        registry, shape_of, "#/components/schemas/", lambda k: (k.group, k.version) == (group, version)
    )
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes (Sealane's sandbox)", "version": "v1.34.1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _version_two(registry: Registry, shape_of: ShapeOf) -> Obj:
    schemas, _ = _documents(registry, shape_of, "#/definitions/", lambda _kind: True)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes (Sealane's sandbox)", "version": "v1.34.1"},
        "paths": {},
        "definitions": schemas,
    }


def _documents(
    registry: Registry, shape_of: ShapeOf, prefix: str, wanted: Callable[[Kind], bool]
) -> tuple[dict[str, Obj], dict[str, Obj]]:
    schemas: dict[str, Obj] = {}
    paths: dict[str, Obj] = {}
    for kind in registry:
        if not wanted(kind):
            continue
        node = shape_of(kind)
        name = name_of(node) if node.gvk is not None else _custom_name(kind)
        _define(name, node, schemas, prefix)
        schemas[name] = schemas[name] | {
            "x-kubernetes-group-version-kind": [{"group": kind.group, "kind": kind.kind, "version": kind.version}]
        }
        _add_paths(kind, name, paths, prefix)
    return schemas, paths


def _custom_name(kind: Kind) -> str:
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def _define(name: str, node: Node, schemas: dict[str, Obj], prefix: str) -> None:
    if name in schemas:
        return
    schemas[name] = {}
    schemas[name] = _object(node, schemas, prefix)


def _object(node: Node, schemas: dict[str, Obj], prefix: str) -> Obj:
    made: Obj = {"description": node.about, "type": "object"}
    if node.fields:
        made["properties"] = {key: _property(item, schemas, prefix) for key, item in node.fields.items()}
    if node.required:
        made["required"] = sorted(node.required)
    if node.atomic:
        made["x-kubernetes-map-type"] = "atomic"
    return made


def _property(node: Node, schemas: dict[str, Obj], prefix: str) -> Obj:
    made: Obj = {"description": node.about} if node.about else {}
    if node.name:
        definition = schema.builtin().types[node.name]
        name = name_of(definition)
        _define(name, definition, schemas, prefix)
        reference = {"$ref": prefix + name}
        return made | {"allOf": [reference], "default": {}} if "components" in prefix else made | reference
    if node.type == "list":
        made |= {"type": "array", "items": _property(node.element, schemas, prefix)}
        return made | _list_marks(node)
    if node.type == "map":
        made |= {"type": "object", "additionalProperties": _property(node.item or schema.ANY, schemas, prefix)}
        return made | {"x-kubernetes-map-type": "atomic"} if node.atomic else made
    if node.type == "object":
        return _object(node, schemas, prefix)
    if node.type in _NAMED:
        name, about = _NAMED[node.type]
        schemas[name] = {"description": about, **_SCALARS[node.type]}
        reference = {"$ref": prefix + name}
        return made | {"allOf": [reference]} if made and "components" in prefix else made | reference
    made |= _SCALARS.get(node.type, {"type": "object"})
    if node.enum:
        made["enum"] = list(node.enum)
    return made


def _list_marks(node: Node) -> Obj:
    marks: Obj = {"x-kubernetes-list-type": "map" if node.keys else "set" if node.unique else "atomic"}
    if node.keys:
        marks["x-kubernetes-list-map-keys"] = list(node.keys)
    if node.patch_key or node.unique:
        marks["x-kubernetes-patch-strategy"] = "merge"
    if node.patch_key:
        marks["x-kubernetes-patch-merge-key"] = node.patch_key
    return marks


def _add_paths(kind: Kind, name: str, paths: dict[str, Obj], prefix: str) -> None:
    """One path a kind, with what kubectl looks for: that its writes know dry-run and field validation."""
    if "components" not in prefix or "patch" not in kind.verbs:
        return
    where = "/namespaces/{namespace}" if kind.namespaced else ""
    head = f"/{_place(kind)}{where}/{kind.plural}"
    gvk = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    parameters = [{"name": item, "in": "query", "schema": {"type": "string"}} for item in _PARAMETERS]
    answer: dict[str, Any] = {
        "200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": prefix + name}}}}
    }

    def operation(action: str) -> Obj:
        return {
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
            "parameters": parameters, "responses": answer,
        }  # fmt: skip

    paths[head] = {"get": operation("list"), "post": operation("post")}
    paths[head + "/{name}"] = {verb: operation(verb) for verb in ("get", "put", "patch", "delete")}
