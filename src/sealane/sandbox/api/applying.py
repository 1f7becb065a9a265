"""Server-side apply: a manager says what it wants, and only that is its own.

The applied object is merged into the live one; a field that another manager owns and that would change is a conflict,
unless the caller forces it; a field that this manager applied last time and no longer names is taken away, unless
somebody else owns it too. Nothing is written here: the result goes through the Store like any update.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from sealane.sandbox.api import ownership
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.ownership import Fields, Path
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj, clone

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Conflict(msgspec.Struct, frozen=True):
    """A field that an apply would take from someone."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    path: Path

    @property
    def sentence(self) -> str:
        """`conflict with "kubectl" using apps/v1`, as the server words it."""
        sub = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'conflict with "{self.manager}"{sub}{using}'


def first(kind: Kind, applied: Obj, node: Node, *, manager: str, now: str) -> Obj:
    """The object that an apply creates where there is none."""
    new: Obj = without_nulls(applied)
    fields = ownership.fields_of(new, node)
    entries = ownership.replace_applied(kind, (), fields, manager=manager, now=now, taken=set(), gone=set())
    new.setdefault("metadata", {})["managedFields"] = entries
    return new


def apply(
    kind: Kind, live: Obj, applied: Obj, node: Node, *, manager: str, force: bool, now: str, subresource: str = ""
) -> Obj:
    """The live object after the apply, managedFields included. Raises StatusError with all conflicts."""
    wanted = without_nulls(applied)
    entries: list[Obj] = list(live["metadata"].get("managedFields") or ())
    fields = ownership.fields_of(wanted, node)
    merged: Obj = merge(live, wanted, node)
    changed, _ = ownership.compare(live, merged, node)
    conflicts = _conflicts(entries, changed & fields, manager, subresource)
    if conflicts and not force:
        raise _refusal(conflicts)
    dropped = ownership.applied_by(entries, manager, subresource=subresource) - fields
    gone = _prune(merged, dropped, node, kept=fields | _others(entries, manager, subresource))
    merged["metadata"]["managedFields"] = ownership.replace_applied(
        kind, entries, fields, manager=manager, now=now, subresource=subresource,
        taken={conflict.path for conflict in conflicts}, gone=gone,
    )  # fmt: skip
    return merged


def merge(live: Any, wanted: Any, node: Node) -> Any:
    """`wanted` laid over `live`: maps and keyed lists merge, the rest is replaced."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not node.atomic:
        result = clone(live)
        for key, value in wanted.items():
            result[key] = merge(live.get(key), value, node.child(key)) if key in live else clone(value)
        return result
    if ownership.granular_list(node, live) and ownership.granular_list(node, wanted):
        return _merge_items(live, wanted, node)
    return clone(wanted)


def without_nulls(value: Any) -> Any:
    """A copy without null fields: to apply null is to say nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _merge_items(live: list[Any], wanted: list[Any], node: Node) -> list[Any]:
    later = {ownership.item_element(item, node): item for item in wanted}
    result = []
    for item in live:
        element = ownership.item_element(item, node)
        result.append(merge(item, later.pop(element), node.element) if element in later else clone(item))
    return [*result, *(clone(item) for item in later.values())]


def _conflicts(entries: list[Obj], changed: Fields, manager: str, subresource: str) -> list[Conflict]:
    found = []
    for entry in entries:
        if _own(entry, manager, subresource):
            continue
        for path in sorted(ownership.read(entry.get("fieldsV1") or {}) & changed):
            found.append(
                Conflict(
                    entry.get("manager", ""),
                    entry.get("operation", ""),
                    entry.get("apiVersion", ""),
                    entry.get("subresource", ""),
                    path,
                )
            )
    return found


def _refusal(conflicts: list[Conflict]) -> StatusError:
    by_manager: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_manager.setdefault(conflict.sentence, []).append(ownership.spell(conflict.path))
    number = f"{len(conflicts)} conflict{'' if len(conflicts) == 1 else 's'}"
    if len(conflicts) == 1:
        text = f"{conflicts[0].sentence}: {ownership.spell(conflicts[0].path)}"
    else:
        text = "conflicts" + "\nconflicts".join(
            f"{sentence.removeprefix('conflict')}:\n- " + "\n- ".join(paths) for sentence, paths in by_manager.items()
        )
    causes = [
        {"reason": "FieldManagerConflict", "message": item.sentence, "field": ownership.spell(item.path)}
        for item in conflicts
    ]
    return StatusError(409, "Conflict", f"Apply failed with {number}: {text}", details={"causes": causes})


def _own(entry: Obj, manager: str, subresource: str) -> bool:
    return (
        entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and entry.get("subresource", "") == subresource
    )


def _others(entries: list[Obj], manager: str, subresource: str) -> Fields:
    found: Fields = set()
    for entry in entries:
        if not _own(entry, manager, subresource):
            found |= ownership.read(entry.get("fieldsV1") or {})
    return found


def _prune(merged: Obj, dropped: Fields, node: Node, *, kept: Fields) -> Fields:
    """Take away what nobody keeps, whole items and maps first; what went."""
    gone: Fields = set()
    for path in sorted(dropped, key=len):
        if any(other[: len(path)] == path for other in kept) or _is_key(path):
            continue
        if not ownership.under({path}, gone) and _remove(merged, path, node):
            gone.add(path)
    return gone


def _is_key(path: Path) -> bool:
    """Whether the path is one of the keys of an item that stays: without it the item would be nobody."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _remove(value: Any, path: Path, node: Node) -> bool:
    """Take what the path names out of `value` in place; whether it was there."""
    head, rest = path[0], path[1:]
    if head.startswith("f:") and isinstance(value, dict):
        key = head[2:]
        if key not in value:
            return False
        if rest:
            return _remove(value[key], rest, node.child(key))
        del value[key]
        return True
    if isinstance(value, list):
        for index, item in enumerate(value):
            if ownership.item_element(item, node) == head:
                if rest:
                    return _remove(item, rest, node.element)
                del value[index]
                return True
    return False


def sync_last_applied(new: Obj, applied: Obj) -> None:
    """Keep what client-side apply compares with up to date, where it is there, as the server does for kubectl.

    Changes `new` and leaves its ownership alone.
    """
    notes = new["metadata"].get("annotations") or {}
    if LAST_APPLIED not in notes:
        return
    kept = {key: value for key, value in (applied["metadata"].get("annotations") or {}).items() if key != LAST_APPLIED}
    meta = {key: value for key, value in applied["metadata"].items() if key != "annotations"}
    whole = applied | {"metadata": meta | ({"annotations": kept} if kept else {})}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    new["metadata"] = new["metadata"] | {"annotations": notes | {LAST_APPLIED: text}}
