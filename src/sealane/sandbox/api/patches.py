"""The three patches that are computed from the object alone: JSON patch, JSON merge patch, strategic merge patch.

Strategic merge is the merge patch that knows which lists merge by a key (from the schema) and obeys the directives that
kubectl writes into its patches: `$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`.
Server-side apply is not here: it needs to know who owns what (`applying`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj, clone

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE_PRIMITIVE: Final = "$deleteFromPrimitiveList/"


def json_patch(live: Obj, patch: Any) -> Obj:
    """RFC 6902. Raises StatusError: 400 for what is no list, 422 for one that does not fit the object."""
    import jsonpatch

    if not isinstance(patch, list):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    try:
        made: Obj = jsonpatch.JsonPatch(patch).apply(clone(live))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        message = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", message, details={}) from error
    return made


def merge_patch(live: Any, patch: Any) -> Any:
    """RFC 7386: maps merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic(live: Obj, patch: Obj, node: Node) -> Obj:
    """Strategic merge patch of an object of this shape. Raises StatusError for an unknown directive."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: clone(value) for key, value in patch.items() if key != _DIRECTIVE}
    if patch.get(_DIRECTIVE) == "delete":
        return {}
    _known(patch.get(_DIRECTIVE, "merge"))
    result = dict(live)
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVE):
            field = key.removeprefix(_DELETE_PRIMITIVE)
            result[field] = [item for item in result.get(field) or () if item not in value]
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, value, node.child(key))
    for key, value in patch.items():
        if key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            if result.get(field):
                result[field] = _ordered(result[field], value, live.get(field) or [], node.child(field))
    return result


def _merge_field(result: Obj, key: str, value: Any, node: Node) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        now = result.get(key)
        merged = strategic(now if isinstance(now, dict) else {}, value, node)
        if value.get(_DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            result[key] = merged
    elif isinstance(value, list) and node.merges_by_patch:
        before = result.get(key) or []
        result[key] = _ordered(_merge_list(before, value, node), value, before, node)
    else:
        result[key] = clone(value)


def _merge_list(live: list[Any], patch: list[Any], node: Node) -> list[Any]:
    if not node.patch_key:
        return [*live, *(item for item in patch if item not in live)]
    directives = [item.get(_DIRECTIVE) for item in patch if isinstance(item, dict)]
    if "replace" in directives:
        return [clone(item) for item in patch if item.get(_DIRECTIVE) != "replace"]
    key = node.patch_key
    result = list(live)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise errors.bad_request(f"map: {item!r} does not contain declared merge key: {key}")
        places = [index for index, own in enumerate(result) if own.get(key) == item[key]]
        if item.get(_DIRECTIVE) == "delete":
            result = [own for own in result if own.get(key) != item[key]]
        elif places:
            result[places[0]] = strategic(result[places[0]], item, node.element)
        else:
            result.append(strategic({}, item, node.element))
    return result


def _ordered(items: list[Any], order: list[Any], before: list[Any], node: Node) -> list[Any]:
    """Items named in `order` in that order; the others stay where they stood among what was there before."""
    identify = _identity(node.patch_key)
    wanted = [identify(item) for item in order]
    place = {identify(item): index for index, item in enumerate(before)}
    named = sorted((item for item in items if identify(item) in wanted), key=lambda item: wanted.index(identify(item)))
    others = [item for item in items if identify(item) not in wanted]
    result: list[Any] = []
    while named and others:
        known = place.get(identify(named[0]))
        take_other = known is not None and place.get(identify(others[0]), len(before)) < known
        result.append(others.pop(0) if take_other else named.pop(0))
    return result + named + others


def _identity(key: str) -> Callable[[Any], Any]:
    return lambda item: item.get(key) if key and isinstance(item, dict) else item


def _known(directive: Any) -> None:
    if directive not in {"merge", "replace", "delete"}:
        raise errors.bad_request(f"unknown patch type found: {directive}")
