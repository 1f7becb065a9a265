"""The two places where foreign failures become ours: answers of the API server, and exceptions of the network.

Kept apart from the classes themselves (`kube.errors`), which everybody imports, because this needs to know aiohttp, ssl
and the server's `Status`. The original exception is always chained as the cause by the caller.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import Any

import aiohttp
import msgspec

from sealane.kube import errors
from sealane.kube.errors import ApiError, Details, Target, Unreachable
from sealane.lib.text import duration


class Status(msgspec.Struct, frozen=True):
    """The API server's own shape for failures."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    code: int = 0
    details: Details | None = None


_BY_REASON: dict[str, type[ApiError]] = {
    "Unauthorized": errors.Unauthorized,
    "Forbidden": errors.Forbidden,
    "NotFound": errors.NotFound,
    "AlreadyExists": errors.AlreadyExists,
    "Conflict": errors.Conflict,
    "Invalid": errors.Invalid,
    "BadRequest": errors.Invalid,
    "Expired": errors.Expired,
    "Gone": errors.Expired,
    "TooManyRequests": errors.TooManyRequests,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: errors.Invalid,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Expired,
    415: errors.Invalid,
    422: errors.Invalid,
    429: errors.TooManyRequests,
}
_NO_TLS = b"Client sent an HTTP request to an HTTPS server"
_status_decoder = msgspec.json.Decoder(Status)


def parse_status(body: bytes) -> Status | None:
    """The `Status` in an answer's body, or None when it is something else (a pod's own error, a proxy's HTML)."""
    with contextlib.suppress(*errors.UNREADABLE):
        status = _status_decoder.decode(body)
        if status.kind == "Status":
            return status
    return None


def api_error(status: int, body: bytes, *, target: Target, retry_after: float = 0.0) -> ApiError | Unreachable:
    """The typed error for an answer of 300 or more. Without a `Status`, the first line of the text is the message."""
    if _NO_TLS in body[:100]:
        return errors.TlsFailed(f"{target.server} expects TLS: the address should begin with https://", target=target)
    parsed = parse_status(body)
    if parsed is None:
        text = body[:400].decode("utf-8", "replace").strip()
        parsed = Status(message=text.splitlines()[0] if text and not text.startswith("<") else "")
    return status_error(parsed, http=status, target=target, retry_after=retry_after)


def status_error(parsed: Status, *, http: int, target: Target, retry_after: float = 0.0) -> ApiError:
    """The typed error for a parsed `Status`, also for the one inside a watch's ERROR event."""
    status = parsed.code or http
    unnamed = errors.ServerError if status >= 500 else ApiError
    chosen = _BY_REASON.get(parsed.reason) or _BY_STATUS.get(status) or unnamed
    if "trying to reach service" in parsed.message.lower():
        chosen = errors.PodUnreachable
    elif "not declared in schema" in parsed.message:  # an unknown field in an apply comes as a 500
        chosen = errors.Invalid
    wait = retry_after or (parsed.details.retry_after_seconds if parsed.details else 0.0)
    return chosen(status, parsed.reason, parsed.message, parsed.details, target=target, retry_after=wait)


def network_error(error: BaseException, *, target: Target, limit: float | None = None) -> Unreachable:
    """The typed error for an exception of aiohttp, ssl or the operating system. `limit` is the time-out in seconds."""
    host = target.server
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return errors.Refused(f"the proxy for {host} cannot be reached ({_reason(error)})", target=target)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return errors.Refused(f"the proxy refuses to connect to {host} ({error.status} {error.message})", target=target)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return errors.NameNotFound(f"the name of the server {host} is not known to DNS", target=target)
    tls = _tls_reason(error)
    if tls:
        return errors.TlsFailed(f"TLS with {host} failed: {tls}", target=target)
    if isinstance(error, TimeoutError):
        within = f" within {duration(limit)}" if limit else " in time"
        return errors.TimedOut(f"{host} did not answer{within}", target=target)
    if isinstance(error, aiohttp.ClientConnectorError):
        return errors.Refused(f"{host} does not accept the connection ({_reason(error)})", target=target)
    if isinstance(error, aiohttp.InvalidURL):
        return errors.NameNotFound(f"{host} is no server address", target=target)
    return errors.Disconnected(f"{host} closed the connection before the answer was complete", target=target)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno
    if number:
        return os.strerror(number).lower()
    return next(iter(str(error.os_error).splitlines()), "the connection was dropped while it was made")


def _tls_reason(error: BaseException) -> str:
    """What TLS said, in words; "" when it is not about TLS."""
    found: Any = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ssl.SSLError):
        found = error.os_error
    elif isinstance(error.__cause__, ssl.SSLError):
        found = error.__cause__
    if isinstance(found, ssl.SSLCertVerificationError):
        return found.verify_message.rstrip(".") or "the certificate does not verify"
    if isinstance(found, ssl.CertificateError):
        return str(found).rstrip(".")
    if not isinstance(found, ssl.SSLError):
        return ""
    reason = (found.reason or str(found)).replace("_", " ").lower()
    return "the server does not speak TLS on this port" if "wrong version number" in reason else reason
