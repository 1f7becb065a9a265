"""What the simulated API server refuses, as the `Status` objects that clients parse.

Status code, reason and the wording of the message are the interface here: kubectl, client libraries and people read
them, so they follow the real server's. `StatusError` never leaves the sandbox: HTTP turns it into a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """One reason of an Invalid or Conflict status: which field, what kind of fault, in words."""

    reason: str
    message: str
    field: str = ""


class StatusError(Exception):
    """A request that fails with an HTTP code, a machine-readable reason and a sentence."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """The body: a `v1` Status."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        details = dict(self.details or {})
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        if details or self.details is not None:
            body["details"] = details
        return body | {"code": self.code}


def qualified(group: str, plural: str) -> str:
    """`deployments.apps`, or `pods` for the core group: how the server names resources in sentences."""
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> StatusError:
    """404 for an object."""
    return StatusError(
        404, "NotFound", f'{qualified(group, plural)} "{name}" not found', details=_details(group, plural, name)
    )


class UnknownPath(Exception):
    """Nothing at all is served under this path: the server answers in plain text."""


def no_such_path() -> StatusError:
    """404 for a resource or path that is not served."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(group: str, plural: str, name: str) -> StatusError:
    """409 for a name that is taken."""
    return StatusError(
        409,
        "AlreadyExists",
        f'{qualified(group, plural)} "{name}" already exists',
        details=_details(group, plural, name),
    )


def conflict(group: str, plural: str, name: str, why: str) -> StatusError:
    """409 for a write that rests on an old version or a wrong precondition."""
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=_details(group, plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def forbidden(group: str, plural: str, name: str, why: str) -> StatusError:
    """403, by RBAC or by admission."""
    return StatusError(
        403,
        "Forbidden",
        f'{qualified(group, plural)} "{name}" is forbidden: {why}',
        details=_details(group, plural, name),
    )


def bad_request(message: str) -> StatusError:
    """400 for what cannot be read."""
    return StatusError(400, "BadRequest", message)


def unsupported_media(accepted: str) -> StatusError:
    """415 for a body in an encoding that is not spoken here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return StatusError(415, "UnsupportedMediaType", message)


def method_not_allowed() -> StatusError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, details={})


def expired(message: str) -> StatusError:
    """410 for a resourceVersion or continue token that history no longer covers."""
    return StatusError(410, "Expired", message)


def too_large_version(asked: int, now: int) -> StatusError:
    """504 for a resourceVersion that the server has not reached."""
    message = f"Too large resource version: {asked}, current: {now}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, details={"causes": causes}, retry_after=1)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 with all causes, the message in the server's style (one cause inline, several in brackets)."""
    parts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    qualified_kind = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    details["causes"] = [msgspec.to_builtins(cause) for cause in causes]
    return StatusError(422, "Invalid", f'{qualified_kind} "{name}" is invalid: {listed}', details=details)


def _details(group: str, plural: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name} if name else {}
    if group:
        found["group"] = group
    return found | {"kind": plural}
