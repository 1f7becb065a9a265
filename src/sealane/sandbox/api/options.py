"""What a request may ask beside its object: the options of lists, watches, writes and deletes, as servers check them.

A question that makes no sense is refused, not guessed at: a client that sends one has a fault, and a sandbox that
answered it would hide that fault until the first real cluster.
"""

from __future__ import annotations

from typing import Final

from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Request

_META: Final = "meta.k8s.io"
_MATCH: Final = "resourceVersionMatch"
_WRITES: Final = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def of_list(request: Request) -> None:
    """Raises StatusError (400, 422)."""
    for name in ("timeoutSeconds", "limit"):
        request.number(name)
    match, version = request.query.get(_MATCH, ""), request.query.get("resourceVersion", "")
    causes = []
    if match and request.query.get("continue"):
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    elif match and not version:
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    elif match not in {"", "Exact", "NotOlderThan"}:
        causes.append(_unsupported(_MATCH, f'"{match}"', '"Exact", "NotOlderThan", ""'))
    elif match == "Exact" and version == "0":
        causes.append(_forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if request.query.get("sendInitialEvents"):
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    _refuse("ListOptions", causes)


def of_watch(request: Request) -> None:
    """Raises StatusError (400, 422)."""
    request.number("timeoutSeconds")
    match, initial = request.query.get(_MATCH, ""), request.query.get("sendInitialEvents", "")
    causes = []
    if match and not initial:
        causes.append(_forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided"))
    elif initial and match != "NotOlderThan":
        causes.append(_forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to NotOlderThan"))
        if match:
            causes.append(_unsupported(_MATCH, f'"{match}"', '"NotOlderThan"'))
    _refuse("ListOptions", causes)


def of_write(verb: str, request: Request) -> None:
    """Raises StatusError (422); other verbs have no such options."""
    kind = _WRITES.get(verb)
    if kind is None:
        return
    dry, validation = request.query.get("dryRun", ""), request.query.get("fieldValidation", "")
    causes = []
    if dry not in {"", "All"}:
        causes.append(_unsupported("dryRun", f'["{dry}"]', '"All"'))
    if validation not in {"", "Ignore", "Strict", "Warn"}:
        causes.append(_unsupported("fieldValidation", f'"{validation}"', '"", "Ignore", "Strict", "Warn"'))
    _refuse(kind, causes)


def of_delete(options: Obj) -> str:
    """How the owned objects go: Background, Foreground or Orphan. Raises StatusError (422)."""
    policy = options.get("propagationPolicy") or ""
    if policy and options.get("orphanDependents") is not None:
        why = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        _refuse("DeleteOptions", [Cause("FieldValueInvalid", why, "propagationPolicy")])
    if policy not in {"", "Background", "Foreground", "Orphan"}:
        listed = '"Foreground", "Background", "Orphan", "nil"'
        _refuse("DeleteOptions", [_unsupported("propagationPolicy", f'"{policy}"', listed)])
    return policy or ("Orphan" if options.get("orphanDependents") else "Background")


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, listed: str) -> Cause:
    return Cause("FieldValueNotSupported", f"Unsupported value: {value}: supported values: {listed}", field)


def _refuse(kind: str, causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(_META, kind, "", causes)
