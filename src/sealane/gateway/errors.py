"""What the gateway itself refuses or cannot do: each a code, a status and one sentence, in the shape of the API
called.

An engine's own answer, good or bad, is passed on as it is; these are only for what happens before or instead of it.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from sealane.lib.errors import Evidence, NextStep, SealaneError

UNREADABLE = (msgspec.DecodeError, RecursionError)
"""What decoding raises for what others sent: no JSON of the wanted shape, or brackets nested without end."""


class Api(enum.Enum):
    """Which API's shape an answer must have."""

    OPENAI = "openai"
    RESPONSES = "responses"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"


class GatewayError(SealaneError):
    """Base of what follows. `retry_after` is in seconds, None where trying again will not help."""

    code = "gateway"

    def __init__(
        self,
        sentence: str,
        *,
        evidence: tuple[Evidence, ...] = (),
        next_steps: tuple[NextStep, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(sentence, evidence=evidence, next_steps=next_steps)
        self.retry_after = retry_after


class KeyMissing(GatewayError):
    """No key in `Authorization: Bearer` or `x-api-key`."""

    code = "key-missing"
    http_status = 401


class KeyUnknown(GatewayError):
    """The key was never made here."""

    code = "key-unknown"
    http_status = 401


class KeyRevoked(GatewayError):
    """The key was made here and taken back."""

    code = "key-revoked"
    http_status = 401


class ForeignHost(GatewayError):
    """A page that needs no key is asked for by a name that is not ours: a web page may have bent its own name to us."""

    code = "foreign-host"
    http_status = 403


class UnknownEndpoint(GatewayError):
    """No such path, or not with that method."""

    code = "unknown-endpoint"
    http_status = 404


class UnknownModel(GatewayError):
    """No replica anywhere serves that name, and none is on its way."""

    code = "unknown-model"
    http_status = 404


class BrokenJson(GatewayError):
    """The body is not JSON, or not an object with the fields that routing needs."""

    code = "broken-json"
    http_status = 400


class BodyTooLarge(GatewayError):
    """The body is larger than the gateway accepts."""

    code = "body-too-large"
    http_status = 413


class QueueFull(GatewayError):
    """Too many requests wait for that model already."""

    code = "queue-full"
    http_status = 429


class QueueTimeout(GatewayError):
    """No replica became free in time."""

    code = "queue-timeout"
    http_status = 503


class NoReplica(GatewayError):
    """The model is hosted, but no copy of it answers yet."""

    code = "no-replica"
    http_status = 503


class EngineBusy(GatewayError):
    """Every copy that was tried said that it has too much to do."""

    code = "engine-busy"
    http_status = 503


class UpstreamLost(GatewayError):
    """The replica went away before or during its answer."""

    code = "upstream-lost"
    http_status = 502


class UpstreamDenied(GatewayError):
    """The cluster does not let this user reach its pods."""

    code = "upstream-denied"
    http_status = 502


class UpstreamTimeout(GatewayError):
    """The replica took longer than a limit of the gateway."""

    code = "upstream-timeout"
    http_status = 504


class BodyTimeout(GatewayError):
    """The client did not send its request in time."""

    code = "body-timeout"
    http_status = 408


class Internal(GatewayError):
    """A bug of ours: logged with its traceback, told without it."""

    code = "internal"
    http_status = 500


_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = _OPENAI_TYPES | {413: "request_too_large", 503: "overloaded_error", 504: "timeout_error"}
_SSE = b"data: %b\n\n"


def body(api: Api, error: SealaneError) -> bytes:
    """The JSON body of an error answer."""
    return msgspec.json.encode(_document(api, error))


def event(api: Api, error: SealaneError, *, ndjson: bool = False) -> bytes:
    """The event that ends a broken stream. No `[DONE]` follows: a cut answer must never look like a whole one."""
    document = msgspec.json.encode(_stream_document(api, error))
    if ndjson:
        return document + b"\n"
    if api in {Api.ANTHROPIC, Api.RESPONSES}:
        return b"event: error\n" + _SSE % document
    return _SSE % document


def _stream_document(api: Api, error: SealaneError) -> dict[str, Any]:
    if api is Api.RESPONSES:
        return {"type": "error", "code": error.code, "message": error.sentence, "param": None}
    return _document(api, error)


def _document(api: Api, error: SealaneError) -> dict[str, Any]:
    status = error.http_status
    if api is Api.OLLAMA:
        return {"error": error.sentence, "code": error.code}
    default = "invalid_request_error" if status < 500 else "api_error" if api is Api.ANTHROPIC else "server_error"
    if api is Api.ANTHROPIC:
        kind = _ANTHROPIC_TYPES.get(status, default)
        return {"type": "error", "error": {"type": kind, "message": error.sentence, "code": error.code}}
    kind = _OPENAI_TYPES.get(status, default)
    return {"error": {"message": error.sentence, "type": kind, "param": None, "code": error.code}}
