"""Fields that do not exist and values of the wrong type: what a server finds before it looks at meaning.

Unknown fields follow `fieldValidation`: Strict refuses them, Warn (the default) sends a warning and drops them, Ignore
drops them silently. A wrong type is always refused: 400 for built-in kinds in the words of Go's decoder, which tools
and people know, and 422 for custom ones. Wrapping the words is the caller's, for it differs between bodies and patches.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sealane.kube import quantities
from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import Cause, StatusError
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Request

_GO_NAMES: Final = {
    "string": "string", "integer": "int32", "boolean": "bool", "number": "float64", "quantity": "resource.Quantity",
    "base64": "[]uint8",
}  # fmt: skip

_ORDER: Final = "$setElementOrder/"


class Undecodable(Exception):
    """A body that a Go server could not decode into its type; the text is what the decoder would say.

    `go_type` is the type that was wanted, where a type was the trouble.
    """

    def __init__(self, text: str, *, go_type: str = "") -> None:
        super().__init__(text)
        self.go_type = go_type


class _Wrong(msgspec.Struct, frozen=True):
    """A value of the wrong type: where (for Go and for people), what it is and what was wanted."""

    go_path: str
    path: str
    value: Any
    node: Node


def unknown_in(obj: Obj, node: Node, request: Request) -> None:
    """Drop unknown fields from `obj` in place. Raises Undecodable when the client asked for Strict."""
    mode = request.query.get("fieldValidation") or "Warn"
    found: list[str] = []
    _drop(obj, node, "", found)
    if not found or mode == "Ignore":
        return
    words = [f'unknown field "{path}"' for path in found]
    if mode == "Strict":
        raise Undecodable(f"strict decoding error: {', '.join(words)}")
    request.warnings.extend(words)


def types(kind: Kind, obj: Obj, node: Node) -> None:
    """Raises Undecodable for the first value whose type is wrong, or StatusError (422) for custom kinds."""
    if kind.custom:
        _custom_types(kind, obj, node)
        return
    wrong = _wrong(obj, node, "", "", kind.kind)
    if wrong is None:
        return
    given = _json_type(wrong.value)
    if wrong.node.type == "quantity":
        raise Undecodable(quantities.SERVER_SENTENCE)
    if wrong.node.type == "base64" and isinstance(wrong.value, str):
        raise Undecodable("illegal base64 data at input byte 0")
    wanted = _go_type(wrong.node)
    text = f"json: cannot unmarshal {given} into Go struct field {wrong.go_path} of type {wanted}"
    raise Undecodable(text, go_type=wanted)


def _custom_types(kind: Kind, obj: Obj, node: Node) -> None:
    """Raises StatusError (422) that names every value whose type is wrong."""
    causes = []
    for wrong in _all_wrong(obj, node, ""):
        given = "integer" if type(wrong.value) is int else "boolean" if type(wrong.value) is bool else ""
        given = given or _json_type(wrong.value)
        wanted = {"list": "array", "map": "object"}.get(wrong.node.type, wrong.node.type)
        text = f'Invalid value: "{given}": {wrong.path} in body must be of type {wanted}: "{given}"'
        causes.append(Cause("FieldValueTypeInvalid", text, wrong.path))
    if causes and "scale" in kind.subresources:
        causes += _no_number(obj, kind.scale_paths[0])
    if causes:
        raise errors.invalid(kind.group, kind.kind, obj["metadata"].get("name", ""), causes)


def _no_number(obj: Obj, path: str) -> Iterator[Cause]:
    """What the scale subresource says of a wanted number that is none."""
    found: Any = obj
    for step in path.strip(".").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        text = f"{path} accessor error: {found} is of the type string, expected int64"
        yield Cause("FieldValueInvalid", f"Invalid value: 0: {text}", path)


def _all_wrong(value: Any, node: Node, path: str) -> Iterator[_Wrong]:
    if value is None or node.type == "any":
        return
    if node.type in {"object", "map"} and isinstance(value, dict):
        for key, item in sorted(value.items()):
            yield from _all_wrong(item, node.child(key), f"{path}.{key}" if path else key)
    elif node.type == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _all_wrong(item, node.element, f"{path}[{index}]")
    elif node.type in {"object", "map", "list"} or not _fits(value, node.type):
        yield _Wrong(path, path, value, node)


def of_body(kind: Kind, error: Undecodable) -> StatusError:
    """The refusal of a body that was to become an object."""
    return errors.bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}')


def of_patched(new: Obj, error: Undecodable, *, patch: Any = None) -> StatusError:
    """The refusal of a patch whose result cannot be decoded; a strategic `patch` is shown as Go prints a map."""
    if patch is not None and error.go_type:
        shown = msgspec.json.encode(_go_print(patch)).decode()
        text = f"Invalid value: {shown}: unrecognized type: {error.go_type}"
        return errors.invalid("", "", "", [Cause("FieldValueInvalid", text, "patch")])
    text = msgspec.json.encode(msgspec.json.encode(new).decode()).decode()
    return errors.invalid("", "", "", [Cause("FieldValueInvalid", f"Invalid value: {text}: {error}", "patch")])


def _go_print(value: Any) -> str:
    """A JSON value as Go's %v prints it."""
    if isinstance(value, dict):
        merged = {key.removeprefix(_ORDER) for key in value if key.startswith(_ORDER)}  # used up by the merge
        kept = sorted(key for key in value if key not in merged and not key.startswith(_ORDER))
        return f"map[{' '.join(f'{key}:{_go_print(value[key])}' for key in kept)}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_print, value))}]"
    if isinstance(value, str):
        return value
    return "<nil>" if value is None else str(value).lower()


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


def _wrong(value: Any, node: Node, path: str, go_path: str, owner: str) -> _Wrong | None:
    """`owner` is the Go struct that the value stands in; Go names neither items of lists nor keys of maps."""
    if value is None or node.type == "any":
        return None
    here = node.name or owner
    if node.type in {"object", "map"} and isinstance(value, dict):
        for key, item in value.items():
            below = go_path if node.type == "map" else f"{go_path}.{key}"
            found = _wrong(item, node.child(key), f"{path}.{key}" if path else key, below, here)
            if found is not None:
                return found
        return None
    if node.type == "list" and isinstance(value, list):
        found_items = (_wrong(item, node.element, f"{path}[{i}]", go_path, here) for i, item in enumerate(value))
        return next((found for found in found_items if found is not None), None)
    if node.type not in {"object", "map", "list"} and _fits(value, node.type):
        return None
    return _Wrong(f"{owner}{go_path}", path, value, node)


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
        return _is_quantity(value)
    return isinstance(value, str) and (kind != "base64" or _is_base64(value))


def _is_quantity(value: Any) -> bool:
    try:
        quantities.parse(value)
    except quantities.BadQuantity:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return True


def _go_type(node: Node) -> str:
    if node.type == "list":
        return f"[]{_go_type(node.element)}"
    if node.type == "map":
        return f"map[string]{_go_type(node.item)}" if node.item is not None else "map[string]string"
    return f"v1.{node.name}" if node.name else _GO_NAMES.get(node.type, node.type)


def _json_type(value: Any) -> str:
    names = ((bool, "bool"), (str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for type_, name in names if isinstance(value, type_)), "null")
