"""The shape of objects: one tree of `Node`s that validation, patches, apply, discovery and `kubectl explain` share.

A real server generates all of these from Go types; here they come from the `.schema` files beside this module (our own
words) or from a CRD's openAPIV3Schema. What matters beyond types is how lists merge: by keys (`map`), as sets, or whole
(`atomic`); the strategic merge key is the first of the keys unless `patch` says otherwise.

A line of a `.schema` file is `TypeName | description`, or indented
`field[*] type [map=a,b] [patch=x|none] [set] [atomic] [enum=A,B] [default=x] | description`; `*` is a required field,
`[T]` is a list, `{T}` a map. `@ group/version Kind` before a type makes it a kind: its apiVersion, kind and metadata
are implied.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

SCALARS: Final = frozenset(
    {"string", "integer", "number", "boolean", "quantity", "time", "microtime", "intorstring", "base64"}
)
_LINE = re.compile(r"(?P<indent> *)(?P<name>[\w$-]+)(?P<required>\*?)(?P<rest>[^|]*)\|(?P<about>.*)")


class Node:
    """One place in an object. `type` is object, map, list, any or one of SCALARS."""

    __slots__ = (
        "about", "atomic", "default", "enum", "fields", "gvk", "item", "keys", "name", "nullable", "patch_key",
        "raw", "required", "type", "unique",
    )  # fmt: skip

    def __init__(self, type: str, *, item: Node | None = None, about: str = "") -> None:  # noqa: A002
        self.type = type
        self.item = item
        self.about = about
        self.name = ""
        self.fields: dict[str, Node] = {}
        self.required: set[str] = set()
        self.keys: tuple[str, ...] = ()
        self.unique = False
        self.atomic = False
        self.patch_key = ""
        self.enum: tuple[str, ...] = ()
        self.default = ""
        self.nullable = False
        self.gvk: tuple[str, str, str] | None = None
        self.raw: Mapping[str, Any] | None = None

    def child(self, key: str) -> Node:
        """What stands under a key of an object or map; ANY where nothing is known."""
        found = self.fields.get(key)
        if found is not None:
            return found
        return self.item if self.type == "map" and self.item is not None else ANY

    @property
    def element(self) -> Node:
        """What stands in a list."""
        return self.item or ANY

    @property
    def merges_by_patch(self) -> bool:
        """Whether a strategic merge patch merges this list rather than replacing it."""
        return self.type == "list" and (bool(self.patch_key) or self.unique)


ANY: Final = Node("any")


class Schemas:
    """All types of a cluster by name, and its kinds by group, version and kind."""

    def __init__(self) -> None:
        self.types: dict[str, Node] = {}
        self.kinds: dict[tuple[str, str, str], Node] = {}

    def of(self, group: str, version: str, kind: str) -> Node:
        """The shape of a kind; ANY with metadata for one that is not described."""
        return self.kinds.get((group, version, kind)) or _undescribed()


@functools.cache
def builtin() -> Schemas:
    """The shapes of the built-in kinds, read once."""
    schemas = Schemas()
    folder = resources.files("sealane.sandbox.api") / "schemas"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".schema"):
            _read(file.read_text(encoding="utf-8"), schemas)
    for node in schemas.types.values():
        for field in node.fields.values():
            _settle(field, schemas)
    return schemas


@functools.cache
def _undescribed() -> Node:
    node = Node("object")
    node.fields["metadata"] = builtin().types["ObjectMeta"]
    node.item = ANY
    return node


def of_crd(raw: Mapping[str, Any]) -> Node:
    """The shape that a CRD's openAPIV3Schema describes."""
    node = _of_json_schema(raw)
    node.fields = {
        "apiVersion": Node("string", about="Version of the API that this object is written in."),
        "kind": Node("string", about="Kind of this object."),
        "metadata": builtin().types["ObjectMeta"],
    } | {key: value for key, value in node.fields.items() if key not in {"apiVersion", "kind", "metadata"}}
    return node


def _of_json_schema(raw: Mapping[str, Any]) -> Node:
    kind = raw.get("type", "")
    if raw.get("x-kubernetes-int-or-string"):
        node = Node("intorstring")
    elif kind == "array":
        node = Node("list", item=_of_json_schema(raw.get("items") or {}))
        list_type = raw.get("x-kubernetes-list-type", "atomic")
        node.keys = tuple(raw.get("x-kubernetes-list-map-keys") or ()) if list_type == "map" else ()
        node.unique, node.atomic = list_type == "set", list_type == "atomic"
    elif kind == "object" and raw.get("properties"):
        node = Node("object")
        node.fields = {key: _of_json_schema(value) for key, value in raw["properties"].items()}
        node.required = set(raw.get("required") or ())
    elif kind == "object" and isinstance(raw.get("additionalProperties"), dict):
        node = Node("map", item=_of_json_schema(raw["additionalProperties"]))
    elif kind in {"string", "integer", "number", "boolean"}:
        node = Node("time" if raw.get("format") == "date-time" else kind)
        node.enum = tuple(str(item) for item in raw.get("enum") or ())
    else:
        node = Node("any")
    if raw.get("x-kubernetes-preserve-unknown-fields"):
        node.item = ANY
    node.atomic = node.atomic or raw.get("x-kubernetes-map-type") == "atomic"
    node.about, node.raw, node.nullable = str(raw.get("description", "")), raw, bool(raw.get("nullable"))
    if "default" in raw and isinstance(raw["default"], (str, int, float, bool)):
        node.default = str(raw["default"])
    return node


def _read(text: str, schemas: Schemas) -> None:
    gvk: tuple[str, str, str] | None = None
    owner = ANY
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            group, _, version = line.split()[1].rpartition("/")
            gvk = (group, version, line.split()[2])
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number} of a schema file is not understood: {line!r}")
        if not found["indent"]:
            owner = _open(found["name"], found["about"].strip(), gvk, schemas)
            owner.atomic = "atomic" in found["rest"].split()
            gvk = None
            continue
        owner.fields[found["name"]] = _field(found["rest"].split(), found["about"].strip(), schemas)
        if found["required"]:
            owner.required.add(found["name"])


def _settle(node: Node, schemas: Schemas) -> None:
    """A field may name a type that is described further down: whether that is atomic is known only now."""
    if node.name:
        node.atomic = node.atomic or schemas.types[node.name].atomic
    if node.item is not None:
        _settle(node.item, schemas)


def _open(name: str, about: str, gvk: tuple[str, str, str] | None, schemas: Schemas) -> Node:
    node = _named(name, schemas)
    node.about = about
    if gvk is not None:
        node.gvk = gvk
        schemas.kinds[gvk] = node
        node.fields["apiVersion"] = Node(
            "string", about="Group and version of the API in which this object is written."
        )
        node.fields["kind"] = Node("string", about="Kind of the object, in CamelCase.")
        node.fields["metadata"] = _with("Name, labels and what else every object has.", _named("ObjectMeta", schemas))
    return node


def _named(name: str, schemas: Schemas) -> Node:
    node = schemas.types.get(name)
    if node is None:
        node = schemas.types[name] = Node("object")
        node.name = name
    return node


def _with(about: str, node: Node) -> Node:
    """A named type in a field of its own description: shares the fields of the type."""
    copy = Node(node.type, item=node.item, about=about)
    copy.name, copy.fields, copy.required, copy.atomic = node.name, node.fields, node.required, node.atomic
    return copy


def _field(words: list[str], about: str, schemas: Schemas) -> Node:
    node = _of_type(words[0], about, schemas)
    for word in words[1:]:
        option, _, value = word.partition("=")
        if option == "map":
            node.keys = tuple(value.split(","))
            node.patch_key = node.patch_key or node.keys[0]
        elif option == "patch":
            node.patch_key = "" if value == "none" else value
        elif option == "set":
            node.unique = True
        elif option == "atomic":
            node.atomic = True
        elif option == "enum":
            node.enum = tuple(value.split(","))
        elif option == "default":
            node.default = value
        else:
            raise ValueError(f"{word!r} is no option of a field")
    if node.type == "list" and not node.keys and not node.unique:
        node.atomic = True
    return node


def _of_type(text: str, about: str, schemas: Schemas) -> Node:
    if text.startswith("["):
        return Node("list", item=_of_type(text[1:-1], "", schemas), about=about)
    if text.startswith("{"):
        return Node("map", item=_of_type(text[1:-1], "", schemas), about=about)
    if text in SCALARS or text == "any":
        return Node(text, about=about)
    return _with(about, _named(text, schemas))
