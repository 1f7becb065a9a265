"""Checks of custom resources against the schema of their CRD: the JSON-schema words that structural schemas have.

Types and unknown fields are looked at before (`checking`). Here: required fields, enumerations, bounds of numbers, of
texts and of lists, patterns, formats, sets and keyed lists, and the combinations allOf, anyOf, oneOf and not. CEL rules
are not evaluated. Sentences and their order follow the real server's validator.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import math
import re
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any, Final

from sealane.sandbox.api.causes import duplicate, invalid, required, unsupported
from sealane.sandbox.api.errors import Cause

_APART: Final = frozenset({"apiVersion", "kind", "metadata"})
_DURATION: Final = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w))+")
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def check(value: Any, raw: Any, path: str, causes: list[Cause]) -> None:
    """Add what the schema `raw` finds wrong with a value; `path` is "" for the object itself."""
    if value is None or not isinstance(raw, dict):
        return
    enum = raw.get("enum")
    if enum and value not in enum:
        causes.append(unsupported(path, value, [str(item) for item in enum], as_given=True))
    if isinstance(value, str):
        _text(value, raw, path, causes)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _number(value, raw, path, causes)
    elif isinstance(value, list):
        _list(value, raw, path, causes)
    elif isinstance(value, dict):
        _object(value, raw, path, causes)
    _combined(value, raw, path, causes)


def _text(value: str, raw: Any, path: str, causes: list[Cause]) -> None:
    most, least = raw.get("maxLength"), raw.get("minLength")
    if most is not None and len(value) > most:
        causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path))
    if least is not None and len(value) < least:
        causes.append(invalid(path, value, f"{path} in body should be at least {least} chars long"))
    pattern = raw.get("pattern")
    if pattern and not _matches(pattern, value):
        causes.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    known = _FORMATS.get(raw.get("format", ""))
    if known is not None and not known(value):
        causes.append(invalid(path, value, f"{path} in body must be of type {raw['format']}: {json.dumps(value)}"))


def _number(value: float, raw: Any, path: str, causes: list[Cause]) -> None:
    factor = raw.get("multipleOf")
    if factor and isinstance(value, int) and int(factor) <= 0:  # what the server makes of a factor below 1
        causes.append(invalid(path, value, f"factor MultipleOf declared for {path} must be positive: {int(factor)}"))
    elif factor and value and not math.isclose(value / factor, round(value / factor), abs_tol=1e-9):
        causes.append(invalid(path, value, f"{path} in body should be a multiple of {factor}"))
    most, least = raw.get("maximum"), raw.get("minimum")
    if most is not None:
        strict = raw.get("exclusiveMaximum")
        if value > most or (strict and value == most):
            words = "less than" if strict else "less than or equal to"
            causes.append(invalid(path, value, f"{path} in body should be {words} {most}"))
    if least is not None:
        strict = raw.get("exclusiveMinimum")
        if value < least or (strict and value == least):
            words = "greater than" if strict else "greater than or equal to"
            causes.append(invalid(path, value, f"{path} in body should be {words} {least}"))


def _list(value: list[Any], raw: Any, path: str, causes: list[Cause]) -> None:
    most, least = raw.get("maxItems"), raw.get("minItems")
    if least is not None and len(value) < least:
        causes.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
    if most is not None and len(value) > most:
        causes.append(_too_many(path, len(value), most))
    for index, item in enumerate(value):
        check(item, raw.get("items"), f"{path}[{index}]", causes)
    kind, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys") or ()
    seen: list[Any] = []
    for index, item in enumerate(value):
        mark = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        if kind in {"set", "map"} and mark in seen:
            causes.append(duplicate(f"{path}[{index}]", mark))
        seen.append(mark)


def _object(value: dict[str, Any], raw: Any, path: str, causes: list[Cause]) -> None:
    most, least = raw.get("maxProperties"), raw.get("minProperties")
    if most is not None and len(value) > most:
        causes.append(_too_many(path, len(value), most))
    if least is not None and len(value) < least:
        causes.append(invalid(path, len(value), f"{path} in body should have at least {least} properties"))
    for key in sorted(raw.get("required") or ()):
        if value.get(key) is None:
            causes.append(required(_below(path, key)))
    properties, others = raw.get("properties") or {}, raw.get("additionalProperties")
    for key, item in sorted(value.items()):
        if not path and key in _APART:
            continue
        check(item, properties.get(key, others), _below(path, key), causes)


def _combined(value: Any, raw: Any, path: str, causes: list[Cause]) -> None:
    for part in raw.get("allOf") or ():
        check(value, part, path, causes)
    for word, said in (("anyOf", "at least one schema (anyOf)"), ("oneOf", "one and only one schema (oneOf)")):
        parts = raw.get(word)
        if not parts:
            continue
        fitting = sum(fits(value, part) for part in parts)
        if fitting == 0 or (word == "oneOf" and fitting > 1):
            found = f". Found {fitting} valid alternatives" if fitting else ". Found none valid"
            why = f'"{path}" must validate {said}{found if word == "oneOf" else ""}'
            causes.append(Cause("FieldValueInvalid", f'Invalid value: "": {why}', "<nil>"))
    if raw.get("not") is not None and fits(value, raw["not"]):
        why = f'"{path}" must not validate the schema (not)'
        causes.append(Cause("FieldValueInvalid", f'Invalid value: "": {why}', "<nil>"))


def fits(value: Any, raw: Any) -> bool:
    """Whether a value agrees with a part of a schema, its type included."""
    wanted = _TYPES.get(raw.get("type", ""))
    if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
        return False
    found: list[Cause] = []
    check(value, raw, "x", found)
    return not found


def _too_many(path: str, number: int, most: int) -> Cause:
    items = "item" if most == 1 else "items"
    return Cause("FieldValueTooMany", f"Too many: {number}: must have at most {most} {items}", path)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _matches(pattern: str, value: str) -> bool:
    """Go's expressions are searched for anywhere; one that Python cannot read holds nothing up."""
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def known(value: str) -> bool:
        try:
            read(value)
        except ValueError:
            return False
        return True

    return known


def _address(version: int) -> Callable[[str], bool]:
    return _reads(ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)


_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": _reads(datetime.datetime.fromisoformat),
    "date": _reads(datetime.date.fromisoformat),
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _reads(lambda text: ipaddress.ip_network(text, strict=False)),
    "uuid": _reads(uuid.UUID),
    "uri": lambda text: bool(urllib.parse.urlsplit(text).scheme),
    "email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None,
    "hostname": lambda text: re.fullmatch(r"(?!-)[A-Za-z0-9.-]{1,253}", text) is not None,
}
