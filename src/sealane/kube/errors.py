"""Everything that can go wrong between us and an API server, told apart by what the reader must do about it.

The HTTP library's exceptions and the server's `Status` objects never leave this package: callers would have to know
aiohttp to tell a wrong name from a closed port. Each class is one cause with one sentence and one next step; the
original exception is chained as its cause. The server's own words are kept, because people search for them.
`network_error` and `api_error` are the only two places where foreign failures become ours.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import msgspec

from sealane.lib.errors import Evidence, NextStep, NotAllowed, SealaneError
from sealane.lib.text import duration


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we asked and for what: goes into every sentence. `request` is `GET /api/v1/pods`, without the query."""

    context: str
    server: str
    request: str = ""

    def kubectl(self, words: str) -> str:
        """A kubectl command against the same context."""
        return f"kubectl --context {self.context} {words}"


class Cause(msgspec.Struct, frozen=True):
    """One entry of `Status.details.causes`: which field, and what is wrong with it."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """`Status.details`: the object that the answer is about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[Cause] = []
    retry_after_seconds: float = 0


class Status(msgspec.Struct, frozen=True):
    """The API server's own shape for failures."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    code: int = 0
    details: Details | None = None


class ApiError(SealaneError):
    """The API server answered, and the answer is no. `status` is the HTTP status, `reason` the server's word for it."""

    code = "kube-api"
    http_status = 502
    steps: ClassVar[tuple[tuple[str, str], ...]] = (("Look at the API server's health", "get --raw /readyz?verbose"),)

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Details | None = None,
        *,
        target: Target | None = None,
        retry_after: float = 0.0,
    ) -> None:
        target = target or Target(context="cluster", server="")
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or Details()
        self.retry_after = retry_after
        evidence = [Evidence(label="answer", value=f"{status} {reason}".strip())]
        if target.request:
            evidence.append(Evidence(label="request", value=target.request))
        evidence += [Evidence(label=cause.field or cause.reason, value=cause.message) for cause in self.details.causes]
        steps = tuple(NextStep(title=title, command=target.kubectl(words)) for title, words in self._steps(target))
        super().__init__(self._sentence(target), evidence=tuple(evidence), next_steps=steps)

    def _sentence(self, target: Target) -> str:
        message = self.message.strip().rstrip(".") or f"the API server answered {self.status}"
        return f"{target.context}: {message}."

    def _steps(self, target: Target) -> tuple[tuple[str, str], ...]:
        _ = target
        return self.steps


class Unauthorized(ApiError):
    """401: the server does not know who we are; a fresh token was tried where there could be one."""

    code = "kube-unauthorized"
    steps = (("Sign in again, then check who you are", "auth whoami"),)

    def _sentence(self, target: Target) -> str:
        return f"{target.context}: the API server does not accept the credentials of this context (401 {self.message})."


class Forbidden(ApiError, NotAllowed):
    """403: known, but without the right."""

    code = "kube-forbidden"
    http_status = 403
    exit_code = 4
    steps = (("See what you may do, and ask for the missing right", "auth can-i --list"),)


class NotFound(ApiError):
    """404: no such object, or no such kind on this server."""

    code = "kube-not-found"
    http_status = 404

    def _steps(self, target: Target) -> tuple[tuple[str, str], ...]:
        if self.details.kind and self.details.name:
            return (("See what there is", f"get {self.details.kind} -A"),)
        return (("See which kinds the cluster serves", "api-resources"),)


class AlreadyExists(ApiError):
    """409: the name is taken."""

    code = "kube-already-exists"
    http_status = 409
    steps = (("Choose another name, or look at what is there", "get all -A"),)


class Conflict(ApiError):
    """409: someone else changed or owns it. `causes` name each field and its manager (server-side apply)."""

    code = "kube-conflict"
    http_status = 409
    steps = (("See who manages which field", "get OBJECT -o yaml --show-managed-fields"),)


class Invalid(ApiError):
    """400 or 422: the server refuses the object; `causes` name the fields."""

    code = "kube-invalid"
    http_status = 422
    steps = (("Read what the field may hold", "explain KIND.FIELD"),)


class Expired(ApiError):
    """410: that resource version is gone from the server's memory; list again."""

    code = "kube-expired"
    http_status = 410
    steps = (("Ask again: the list starts anew", "get all -A"),)


class TooManyRequests(ApiError):
    """429: still refused after waiting as told. `retry_after` is in seconds."""

    code = "kube-too-many-requests"
    http_status = 429
    steps = (
        (
            "Wait, then try again; look at who is throttled",
            "get --raw /debug/api_priority_and_fairness/dump_priority_levels",
        ),
    )

    def _sentence(self, target: Target) -> str:
        message = self.message.strip().rstrip(".") or "the API server is busy"
        wait = f"; it asks to wait {duration(self.retry_after)}" if self.retry_after else ""
        return f"{target.context}: {message} (429{wait})."


class ServerError(ApiError):
    """5xx: the server failed."""

    code = "kube-server"


class PodUnreachable(ServerError):
    """The API server could not reach the pod's port: nothing listens there, or the pod is gone."""

    code = "pod-unreachable"
    steps = (("See whether the pod runs and listens", "get pods -A -o wide"),)


class Unreachable(SealaneError):
    """No answer from the API server. The subclass says why."""

    code = "cluster-unreachable"
    http_status = 504
    title: ClassVar[str] = "See which server the context names"
    command: ClassVar[str] = "cluster-info"

    def __init__(self, why: str, *, target: Target) -> None:
        steps = (NextStep(title=self.title, command=target.kubectl(self.command)),)
        evidence = (Evidence(label="server", value=target.server), Evidence(label="request", value=target.request))
        super().__init__(f"{target.context}: {why}.", evidence=tuple(e for e in evidence if e.value), next_steps=steps)


class NameNotFound(Unreachable):
    """DNS does not know the server's name."""

    code = "cluster-name-not-found"
    title = "Connect the VPN, or correct the server's address"
    command = "config view --minify"


class Refused(Unreachable):
    """Nothing listens on the server's port, or the network has no way there."""

    code = "cluster-refused"
    title = "Start the cluster, or correct the server's port"
    command = "config view --minify"


class TlsFailed(Unreachable):
    """The server's certificate does not satisfy us, or ours does not satisfy it."""

    code = "cluster-tls"
    title = "Compare the context's certificate-authority and tls-server-name with the server's certificate"
    command = "config view --minify --raw"


class TimedOut(Unreachable):
    """The limit passed without an answer."""

    code = "cluster-timed-out"
    title = "Check the network or VPN, then the server's health"
    command = "get --raw /readyz"


class Disconnected(Unreachable):
    """The connection broke before the answer was complete."""

    code = "cluster-disconnected"
    title = "Try again; the server may have been restarted"
    command = "get --raw /readyz"


class TooLarge(SealaneError):
    """An answer is larger than the caller allows."""

    code = "answer-too-large"
    http_status = 502


class ConfigError(SealaneError):
    """A kubeconfig cannot be used. `file` and `line` (1-based; 0 when the whole file is meant) say where."""

    code = "kubeconfig"

    def __init__(self, sentence: str, *, file: Path | None = None, line: int = 0, step: NextStep | None = None) -> None:
        self.file = file
        self.line = line
        where = f"{file}, line {line}" if line else str(file or "")
        evidence = (Evidence(label="where", value=where),) if where else ()
        command = f"${{EDITOR:-vi}} {f'+{line} ' if line else ''}{file}" if file else "kubectl config view"
        default = NextStep(title="Correct the kubeconfig", command=command)
        super().__init__(
            f"{where}: {sentence}" if where else sentence, evidence=evidence, next_steps=(step or default,)
        )


class ExecPluginMissing(ConfigError):
    """The program that would give credentials is not installed."""

    code = "exec-plugin-missing"


class ExecPluginFailed(ConfigError):
    """The program that would give credentials failed, hung or answered nonsense."""

    code = "exec-plugin-failed"


_BY_REASON: dict[str, type[ApiError]] = {
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Invalid": Invalid,
    "BadRequest": Invalid,
    "Expired": Expired,
    "Gone": Expired,
    "TooManyRequests": TooManyRequests,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
}
_status_decoder = msgspec.json.Decoder(Status)


def parse_status(body: bytes) -> Status | None:
    """The `Status` in an answer's body, or None when it is something else (a pod's own error, a proxy's HTML)."""
    with contextlib.suppress(msgspec.DecodeError):
        status = _status_decoder.decode(body)
        if status.kind == "Status":
            return status
    return None


def api_error(status: int, body: bytes, *, target: Target, retry_after: float = 0.0) -> ApiError:
    """The typed error for an answer of 400 or more. Without a `Status`, the first line of the text is the message."""
    parsed = parse_status(body)
    if parsed is None:
        text = body[:400].decode("utf-8", "replace").strip()
        parsed = Status(message=text.splitlines()[0] if text and not text.startswith("<") else "")
    return status_error(parsed, http=status, target=target, retry_after=retry_after)


def status_error(parsed: Status, *, http: int, target: Target, retry_after: float = 0.0) -> ApiError:
    """The typed error for a parsed `Status`, also for the one inside a watch's ERROR event."""
    status = parsed.code or http
    chosen = _BY_REASON.get(parsed.reason) or _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
    if "trying to reach service" in parsed.message.lower():
        chosen = PodUnreachable
    wait = retry_after or (parsed.details.retry_after_seconds if parsed.details else 0.0)
    return chosen(status, parsed.reason, parsed.message, parsed.details, target=target, retry_after=wait)


def network_error(error: BaseException, *, target: Target, limit: float | None = None) -> Unreachable:
    """The typed error for an exception of aiohttp, ssl or the operating system. `limit` is the time-out in seconds."""
    host = target.server
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Refused(f"the proxy for {host} cannot be reached ({_reason(error)})", target=target)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Refused(f"the proxy refuses to connect to {host} ({error.status} {error.message})", target=target)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NameNotFound(f"the name of the server {host} is not known to DNS", target=target)
    tls = _tls_reason(error)
    if tls:
        return TlsFailed(f"TLS with {host} failed: {tls}", target=target)
    if isinstance(error, TimeoutError):
        within = f" within {duration(limit)}" if limit else " in time"
        return TimedOut(f"{host} did not answer{within}", target=target)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Refused(f"{host} does not accept the connection ({_reason(error)})", target=target)
    if isinstance(error, aiohttp.InvalidURL):
        return NameNotFound(f"{host} is no server address", target=target)
    return Disconnected(f"{host} closed the connection before the answer was complete", target=target)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno
    return os.strerror(number).lower() if number else str(error.os_error).splitlines()[0]


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
