"""Fields that do not exist and values of the wrong type: what a server finds before it looks at meaning.

Unknown fields follow `fieldValidation`: Strict refuses them, Warn (the default) sends a warning and drops them, Ignore
drops them silently. A wrong type is always refused: 400 for built-in kinds, 422 for custom ones.
"""

from __future__ import annotations

from typing import Any, Final

from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Request

_GO_NAMES: Final = {"string": "string", "integer": "int32", "boolean": "bool", "number": "float64"}


def unknown_in(obj: Obj, node: Node, request: Request) -> None:
    """Drop unknown fields from `obj` in place. Raises StatusError when the client asked for Strict."""
    mode = request.query.get("fieldValidation") or "Warn"
    found: list[str] = []
    _drop(obj, node, "", found)
    if not found or mode == "Ignore":
        return
    words = [f'unknown field "{path}"' for path in found]
    if mode == "Strict":
        raise errors.bad_request(f"strict decoding error: {', '.join(words)}")
    request.warnings.extend(words)


def types(kind: Kind, obj: Obj, node: Node) -> None:
    """Raises StatusError for the first value whose type is wrong."""
    wrong = _wrong(obj, node, "")
    if wrong is None:
        return
    path, value, wanted = wrong
    if kind.custom:
        text = f'Invalid value: "{_json_type(value)}": {path} in body must be of type {wanted}: "{_json_type(value)}"'
        raise errors.invalid(
            kind.group, kind.kind, obj["metadata"].get("name", ""), [Cause("FieldValueTypeInvalid", text, path)]
        )
    go_type = _GO_NAMES.get(wanted, wanted)
    raise errors.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: cannot unmarshal '
        f"{_json_type(value)} into Go struct field {path} of type {go_type}"
    )


def _drop(value: Any, node: Node, path: str, found: list[str]) -> None:
    if isinstance(value, dict) and node.type == "object":
        for key in list(value):
            place = f"{path}.{key}" if path else key
            if key in node.fields:
                _drop(value[key], node.fields[key], place, found)
            elif node.item is None and not key.startswith("$"):
                found.append(place)
                del value[key]
    elif isinstance(value, list) and node.type == "list":
        for index, item in enumerate(value):
            _drop(item, node.element, f"{path}[{index}]", found)
    elif isinstance(value, dict) and node.type == "map" and node.item is not None:
        for key, item in value.items():
            _drop(item, node.item, f"{path}.{key}", found)


def _wrong(value: Any, node: Node, path: str) -> tuple[str, Any, str] | None:
    if value is None or node.type == "any":
        return None
    if node.type in {"object", "map"}:
        if not isinstance(value, dict):
            return path, value, "object"
        pairs = [(f"{path}.{key}" if path else key, item, node.child(key)) for key, item in value.items()]
    elif node.type == "list":
        if not isinstance(value, list):
            return path, value, "array"
        pairs = [(path, item, node.element) for item in value]
    else:
        return None if _fits(value, node.type) else (path, value, node.type)
    for place, item, below in pairs:
        wrong = _wrong(item, below, place)
        if wrong is not None:
            return wrong
    return None


def _fits(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "intorstring":
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    if kind == "quantity":
        return isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return isinstance(value, str)


def _json_type(value: Any) -> str:
    names = ((bool, "bool"), (str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for type_, name in names if isinstance(value, type_)), "null")
