"""The sentences in which the server names what is wrong with a field, shared by all checks of objects.

Values are printed as JSON without spaces, which is what the server does; sets of allowed values are listed in order of
the alphabet unless the server lists them otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from sealane.kube import selectors
from sealane.kube.selectors import BadSelector, Selector
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
SUBDOMAIN_WORDS: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
)
PORT_WORDS: Final = "must be between 1 and 65535, inclusive"
_PERCENT: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})


def invalid(field: str, value: Any, why: str) -> Cause:
    """A value that is wrong, as the server says it."""
    return Cause("FieldValueInvalid", f"Invalid value: {go(value)}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    """A value that is missing."""
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def forbidden(field: str, why: str) -> Cause:
    """A value that must not be there."""
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: Any) -> Cause:
    """A value that is there twice."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {go(value)}", field)


def unsupported(field: str, value: Any, allowed: Sequence[str], *, as_given: bool = False) -> Cause:
    """A value outside its set, which is listed in order of the alphabet or as given."""
    listed = ", ".join(f'"{item}"' for item in (allowed if as_given else sorted(allowed)))
    return Cause("FieldValueNotSupported", f"Unsupported value: {go(value)}: supported values: {listed}", field)


def go(value: Any) -> str:
    """A value as the server prints it."""
    return json.dumps(_ordered(value), separators=(",", ":"))


def _ordered(value: Any) -> Any:
    """Labels are a map in Go, and maps are printed in order; fields stay as they are."""
    if isinstance(value, dict):
        maps = {"matchLabels", "labels"}
        return {
            key: dict(sorted(item.items())) if key in maps and isinstance(item, dict) else _ordered(item)
            for key, item in value.items()
        }
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def at_least(field: str, value: Any, least: int, causes: list[Cause]) -> None:
    """A number that must not be smaller; nothing is said of one that is left out."""
    if value is not None and value < least:
        causes.append(invalid(field, value, f"must be greater than or equal to {least}"))


def count_or_percent(field: str, value: Any, causes: list[Cause]) -> None:
    """A number from 0 on, or a percentage up to 100 %; nothing is said of one that is left out."""
    if isinstance(value, int):
        at_least(field, value, 0, causes)
    elif isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value):
            causes.append(invalid(field, value, _PERCENT))
        elif int(value[:-1]) > 100:
            causes.append(invalid(field, value, "must not be greater than 100%"))


def label_selector(wanted: Obj | None, field: str, causes: list[Cause]) -> Selector | None:
    """Read a label selector, adding what is wrong with it."""
    before = len(causes)
    for index, item in enumerate((wanted or {}).get("matchExpressions") or ()):
        place = f"{field}.matchExpressions[{index}]"
        operator = item.get("operator", "")
        if operator in {"In", "NotIn"} and not item.get("values"):
            causes.append(required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in {"Exists", "DoesNotExist"} and item.get("values"):
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{place}.values", why))
        elif operator not in _OPERATORS:
            causes.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))
    if len(causes) > before:
        return None
    try:
        return selectors.of_object(wanted)
    except BadSelector as error:
        causes.append(invalid(field, wanted, error.sentence.rstrip(".")))
        return None
