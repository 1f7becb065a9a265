"""Everything that can go wrong between us and an API server, told apart by what the reader must do about it.

The HTTP library's exceptions and the server's `Status` objects never leave this package: callers would have to know
aiohttp to tell a wrong name from a closed port. Each class is one cause with one sentence and one next step; the
original exception is chained as its cause. The server's own words are kept, because people search for them. Foreign
failures become ours in `kube.failures`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import msgspec

from sealane.lib.errors import Evidence, NextStep, NotAllowed, SealaneError
from sealane.lib.text import duration

UNREADABLE = (msgspec.DecodeError, RecursionError)
"""What decoding raises for what others sent: no JSON of the wanted shape, or brackets nested without end."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we asked and for what: goes into every sentence. `request` is `GET /api/v1/pods`, without the query. `note`
    is what we know ourselves about why we are refused, half a sentence."""

    context: str
    server: str
    request: str = ""
    kubeconfig: str = ""
    note: str = ""

    def kubectl(self, words: str) -> str:
        """A kubectl command against the same context of the same kubeconfig ("" is kubectl's own default)."""
        file = f"--kubeconfig {shlex.quote(self.kubeconfig)} " if self.kubeconfig else ""
        return f"kubectl {file}--context {shlex.quote(self.context)} {words}"

    @property
    def subject(self) -> Subject:
        """What the request's path is about."""
        parts = [unquote(part) for part in self.request.partition(" ")[2].strip("/").split("/")]
        if parts[0] not in {"api", "apis"} or len(parts) < 3:
            return Subject()
        group, rest = ("", parts[2:]) if parts[0] == "api" else (f".{parts[1]}", parts[3:])
        namespace = rest[1] if len(rest) > 2 and rest[0] == "namespaces" else ""
        rest = rest[2:] if namespace else rest
        plural, name, *_ = [*rest, "", ""]
        return Subject(kind=f"{plural}{group}" if plural else "", namespace=namespace, name=name.partition(":")[0])


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An object or a list, in kubectl's words: `kind` is `deployments.apps`. All "" when the path names none."""

    kind: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        """`-n team-a get deployments.apps web`, as far as it is known."""
        scope = f"-n {self.namespace} " if self.namespace else ""
        return f"{scope}get {self.kind} {self.name}".rstrip()


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


class ApiError(SealaneError):
    """The API server answered, and the answer is no. `status` is the HTTP status, `reason` the server's word for it."""

    code = "kube-api"
    http_status = 502

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
        title, words = self._step(target.subject)
        step = NextStep(title=title, command=target.kubectl(words))
        super().__init__(self._sentence(target), evidence=tuple(evidence), next_steps=(step,))

    def _sentence(self, target: Target) -> str:
        message = self.message.strip().rstrip(".") or f"the API server answered {self.status}"
        return f"{target.context}: {message}."

    def _step(self, subject: Subject) -> tuple[str, str]:
        """What to do, and kubectl's words for it."""
        _ = subject
        return ("Look at the API server's health", "get --raw /readyz?verbose")


class Unauthorized(ApiError):
    """401: the server does not know who we are; a fresh token was tried where there could be one."""

    code = "kube-unauthorized"

    def _sentence(self, target: Target) -> str:
        known = f"; {target.note}" if target.note else ""
        said = f"(401 {self.message}){known}"
        return f"{target.context}: the API server does not accept the credentials of this context {said}."

    def _step(self, subject: Subject) -> tuple[str, str]:
        return ("Sign in again, then check who you are", "auth whoami")


class Forbidden(ApiError, NotAllowed):
    """403: known, but without the right; or a policy of the cluster refuses the object."""

    code = "kube-forbidden"
    http_status = 403
    exit_code = 4

    def _step(self, subject: Subject) -> tuple[str, str]:
        scope = f" -n {subject.namespace}" if subject.namespace else ""
        missing = re.search(r'cannot (\w+) resource "([^"]+)"', self.message)
        if missing:
            verb, resource = missing.groups()
            return ("Ask for this right; check it with", f"auth can-i {verb} {resource}{scope}")
        if "exceeded quota" in self.message:
            return ("See the quota and what uses it up", f"describe resourcequota{scope}")
        if subject.namespace:
            return (
                "Change the object as the policy asks; see what the namespace enforces",
                f"get namespace {subject.namespace} --show-labels",
            )
        return ("See what you may do", "auth can-i --list")


class NotFound(ApiError):
    """404: no such object, or no such kind on this server."""

    code = "kube-not-found"
    http_status = 404

    def _sentence(self, target: Target) -> str:
        if not self.reason and target.subject.kind:
            return f"{target.context}: the API server does not serve {target.subject.kind}."
        return super()._sentence(target)

    def _step(self, subject: Subject) -> tuple[str, str]:
        if not self.details.kind:
            return ("See which kinds the cluster serves", "api-resources")
        if self.details.kind != subject.kind.partition(".")[0]:  # the namespace, a claim, a secret
            return ("See what there is", f"get {self.details.kind}")
        return ("See what there is", Subject(kind=subject.kind, namespace=subject.namespace).words)


class AlreadyExists(ApiError):
    """409: the name is taken."""

    code = "kube-already-exists"
    http_status = 409

    def _step(self, subject: Subject) -> tuple[str, str]:
        there = Subject(kind=subject.kind, namespace=subject.namespace, name=self.details.name)
        return ("Choose another name; see what has this one", there.words)


class Conflict(ApiError):
    """409: someone else changed or owns it. `causes` name each field and its manager (server-side apply)."""

    code = "kube-conflict"
    http_status = 409

    def _step(self, subject: Subject) -> tuple[str, str]:
        return ("See who manages which field", f"{subject.words} -o yaml --show-managed-fields")


class Invalid(ApiError):
    """400 or 422: the server refuses the object; `causes` name the fields."""

    code = "kube-invalid"
    http_status = 422

    def _step(self, subject: Subject) -> tuple[str, str]:
        if not subject.kind:
            return ("See which kinds the cluster serves", "api-resources")
        field = next((cause.field for cause in self.details.causes if cause.field), "")
        path = re.sub(r"\[[^\]]*\]", "", field)
        return ("Read what the field may hold", f"explain {subject.kind}{'.' if path else ''}{path}")


class Expired(ApiError):
    """410: that resource version is gone from the server's memory; list again."""

    code = "kube-expired"
    http_status = 410

    def _step(self, subject: Subject) -> tuple[str, str]:
        return ("Ask again: the list starts anew", subject.words)


class TooManyRequests(ApiError):
    """429: still refused after waiting as told. `retry_after` is in seconds."""

    code = "kube-too-many-requests"
    http_status = 429

    def _sentence(self, target: Target) -> str:
        message = self.message.strip().rstrip(".") or "the API server is busy"
        wait = f"; it asks to wait {duration(self.retry_after)}" if self.retry_after else ""
        return f"{target.context}: {message} (429{wait})."

    def _step(self, subject: Subject) -> tuple[str, str]:
        return ("Wait, then try again; see what limits you", "get prioritylevelconfigurations,flowschemas")


class ServerError(ApiError):
    """5xx: the server failed."""

    code = "kube-server"


class PodUnreachable(ServerError):
    """The API server could not reach the pod's port: nothing listens there, or the pod is gone."""

    code = "pod-unreachable"

    def _step(self, subject: Subject) -> tuple[str, str]:
        return ("See whether the pod runs and listens", f"{subject.words} -o wide")


class Unreachable(SealaneError):
    """No answer from the API server. The subclass says why."""

    code = "cluster-unreachable"
    http_status = 504
    title: ClassVar[str] = "See which server the context names"
    command: ClassVar[str] = "cluster-info"

    def __init__(self, why: str, *, target: Target) -> None:
        self.why = why
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
    command = "config view --minify"


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


class SignInEnded(ConfigError):
    """The sign-in that a context holds is over, and only its person can sign in again."""

    code = "sign-in-ended"


class IssuerFailed(ConfigError):
    """The OIDC issuer could not be asked for a new token, or answered nonsense; tried again by itself."""

    code = "oidc-issuer-failed"
