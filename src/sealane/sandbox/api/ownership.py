"""Who set which field: the managedFields of every object.

A set of fields is a set of paths; a path is a tuple of elements as FieldsV1 spells them (`f:spec`, `k:{"name":"x"}`,
`v:"x"`), so that writing managedFields is only nesting. Lists that merge by key are followed into their items, atomic
ones count as one field. The rules are those of structured-merge-diff: an update takes the fields that it changes from
everyone else, an apply owns exactly what it says and may not change another's field unless forced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from sealane.sandbox.api import schema
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj

Path = tuple[str, ...]
Fields = set[Path]
_UNTRACKED: Final = frozenset(
    ("f:metadata", f"f:{key}")
    for key in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )
)  # fmt: skip

_ABSENT: Final[Any] = object()
# A new object is compared with Go's empty one, in which structs are there and lists are null.
_BLANK: Final[Obj] = {
    "metadata": {},
    "spec": {
        "strategy": {},
        "updateStrategy": {},
        "template": {"metadata": {}, "spec": {"containers": None, "resources": {}}},
        "containers": None,
    },
    "status": {},
}


def track(
    kind: Kind, old: Obj | None, new: Obj, *, manager: str, now: str, subresource: str = "", shape: Node | None = None
) -> None:
    """Record in `new` that `manager` made the change from `old` by an update."""
    node = shape or shape_of(kind)
    changed, removed = compare(_BLANK if old is None else old, new, node)
    entries: list[Obj] = list(new["metadata"].get("managedFields") or ())
    kept: list[Obj] = []
    own: Fields = set()
    for entry in entries:
        fields = read(entry.get("fieldsV1") or {})
        if _is(entry, manager, "Update", subresource, kind):
            own = fields
            continue
        rest = fields - changed - under(fields, removed)
        if rest:
            kept.append(entry if rest == fields else entry | {"fieldsV1": write(rest)})
    own = (own | changed) - under(own, removed)
    if own:
        kept.append(_entry(kind, manager, "Update", subresource, now, own))
    if kept:
        new["metadata"]["managedFields"] = sorted(kept, key=_rank)
    else:
        new["metadata"].pop("managedFields", None)


def applied_by(entries: Iterable[Obj], manager: str, *, subresource: str = "") -> Fields:
    """The fields that a manager's last apply owned."""
    for entry in entries:
        if _is(entry, manager, "Apply", subresource, None):
            return read(entry.get("fieldsV1") or {})
    return set()


def replace_applied(
    kind: Kind,
    entries: Iterable[Obj],
    fields: Fields,
    *,
    manager: str,
    now: str,
    taken: Fields,
    gone: Fields,
    subresource: str = "",
) -> list[Obj]:
    """managedFields after an apply: `taken` leave everyone else, `gone` leave with all below them."""
    kept: list[Obj] = []
    entry = _entry(kind, manager, "Apply", subresource, now, fields)
    for other in entries:
        before = read(other.get("fieldsV1") or {})
        if _is(other, manager, "Apply", subresource, None):
            if before == fields and other["apiVersion"] == kind.api_version:
                entry = other
            continue
        rest = before - taken - under(before, gone)
        if rest:
            kept.append(other if rest == before else other | {"fieldsV1": write(rest)})
    return sorted([entry, *kept], key=_rank)


def shape_of(kind: Kind) -> Node:
    """The shape that ownership of a built-in kind follows."""
    return schema.builtin().of(kind.group, kind.version, kind.kind)


def fields_of(obj: Obj, node: Node) -> Fields:
    """All fields that an applied object names."""
    found: Fields = set()
    for key, value in obj.items():
        if key not in {"apiVersion", "kind"}:
            _collect(value, node.child(key), (f"f:{key}",), found)
    return {path for path in found if path[:2] not in _UNTRACKED}


def compare(old: Obj, new: Obj, node: Node) -> tuple[Fields, Fields]:
    """`(added or modified, removed)` between two states."""
    changed: Fields = set()
    removed: Fields = set()
    for key in old.keys() | new.keys():
        if key not in {"apiVersion", "kind"}:
            below = (old.get(key, _ABSENT), new.get(key, _ABSENT))
            _compare(*below, node.child(key), (f"f:{key}",), (changed, removed))
    return (
        {path for path in changed if path[:2] not in _UNTRACKED and path != ("f:metadata",)},
        {path for path in removed if path[:2] not in _UNTRACKED},
    )


def under(fields: Fields, roots: Fields) -> Fields:
    """Those fields that are one of the roots or lie below one."""
    if not roots:
        return set()
    return {path for path in fields if any(path[:size] in roots for size in range(1, len(path) + 1))}


def read(fields: Obj, prefix: Path = ()) -> Fields:
    """FieldsV1 → paths."""
    found: Fields = set()
    for key, below in fields.items():
        if key == ".":
            found.add(prefix)
        elif not below:
            found.add((*prefix, key))
        else:
            found |= read(below, (*prefix, key))
    return found


def write(fields: Fields) -> Obj:
    """Paths → FieldsV1."""
    root: Obj = {}
    for path in sorted(fields):
        place = root
        for element in path:
            place = place.setdefault(element, {})
        place["."] = {}
    return _without_lone_dots(root)


def spell(path: Path) -> str:
    """A path as conflicts name it: `.spec.template.spec.containers[name="ollama"].image`."""
    parts = []
    for element in path:
        if element.startswith("f:"):
            parts.append(f".{element[2:]}")
        elif element.startswith("k:"):
            keys = json.loads(element[2:])
            parts.append("[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]")
        else:
            parts.append(f"[={element[2:]}]")
    return "".join(parts)


def item_element(item: Any, node: Node) -> str | None:
    """The path element of an item of a list that merges; None for an item without its keys."""
    if node.unique:
        return f"v:{json.dumps(item)}"
    if not isinstance(item, dict):
        return None
    keys = {}
    for key in node.keys:
        default = node.element.child(key).default
        if key not in item and not default:
            return None
        keys[key] = item.get(key, default)
    return "k:" + json.dumps(dict(sorted(keys.items())), separators=(",", ":"))


def granular_list(node: Node, value: Any) -> bool:
    """Whether a list is followed into its items."""
    if not isinstance(value, list) or not (node.keys or node.unique):
        return False
    elements = [item_element(item, node) for item in value]
    return None not in elements and len(set(elements)) == len(elements)


def _collect(value: Any, node: Node, path: Path, found: Fields) -> None:
    if isinstance(value, dict) and value and not node.atomic:
        for key, below in value.items():
            _collect(below, node.child(key), (*path, f"f:{key}"), found)
            if node.type == "map":
                found.add((*path, f"f:{key}"))
    elif value and granular_list(node, value):
        for item in value:
            place = (*path, str(item_element(item, node)))
            found.add(place)
            if node.keys:
                _collect(item, node.element, place, found)
    else:
        found.add(path)


def _compare(old: Any, new: Any, node: Node, path: Path, into: tuple[Fields, Fields]) -> None:
    changed, removed = into
    if old == new:
        return
    if new is _ABSENT:
        removed.add(path)
    elif isinstance(new, dict) and not node.atomic and (not old or old is _ABSENT or isinstance(old, dict)):
        before = old if isinstance(old, dict) else {}
        if old is _ABSENT or not new:
            changed.add(path)
        for key in before.keys() | new.keys():
            below = (before.get(key, _ABSENT), new.get(key, _ABSENT))
            _compare(*below, node.child(key), (*path, f"f:{key}"), into)
    elif granular_list(node, new) and (not old or old is _ABSENT or granular_list(node, old)):
        _compare_items(old if isinstance(old, list) else [], new, node, path, into)
        if old is _ABSENT:
            changed.add(path)
    else:
        changed.add(path)


def _compare_items(old: list[Any], new: list[Any], node: Node, path: Path, into: tuple[Fields, Fields]) -> None:
    before = {item_element(item, node): item for item in old}
    after = {item_element(item, node): item for item in new}
    for element in before.keys() | after.keys():
        place = (*path, str(element))
        if element not in after:
            into[1].add(place)
            continue
        if element not in before:
            into[0].add(place)
        if node.keys:
            left = before.get(element, {})
            for key in left.keys() | after[element].keys():
                below = (left.get(key, _ABSENT), after[element].get(key, _ABSENT))
                _compare(*below, node.element.child(key), (*place, f"f:{key}"), into)


def _without_lone_dots(fields: Obj) -> Obj:
    return {
        key: {} if key == "." or below.keys() == {"."} else _without_lone_dots(below) for key, below in fields.items()
    }


def _rank(entry: Obj) -> tuple[str, str, str, str, str]:
    """Applies come before updates, then by time and name, as a real server lists them."""
    names = ("operation", "time", "manager", "apiVersion", "subresource")
    first, second, third, fourth, fifth = (str(entry.get(name, "")) for name in names)
    return first, second, third, fourth, fifth


def _is(entry: Obj, manager: str, operation: str, subresource: str, kind: Kind | None) -> bool:
    return bool(
        entry.get("manager") == manager
        and entry.get("operation") == operation
        and entry.get("subresource", "") == subresource
        and (kind is None or entry.get("apiVersion") == kind.api_version)
    )


def _entry(kind: Kind, manager: str, operation: str, subresource: str, now: str, fields: Fields) -> Obj:
    entry: Obj = {
        "manager": manager,
        "operation": operation,
        "apiVersion": kind.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": write(fields),
    }
    return entry | {"subresource": subresource} if subresource else entry
