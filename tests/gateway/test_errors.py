"""Each API gets its own shape of an error, whole and at the end of a broken stream."""

from __future__ import annotations

import inspect
import json

import pytest

from sealane.gateway import errors
from sealane.gateway.errors import Api, GatewayError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if GatewayError in kind.__bases__]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_own_kebab_code_and_a_status(kind: type[GatewayError]) -> None:
    assert kind.code == kind.code.lower()
    assert [k.code for k in KINDS].count(kind.code) == 1
    assert 400 <= kind.http_status < 600


@pytest.mark.parametrize("kind", KINDS)
def test_openai_clients_read_error_message_and_code(kind: type[GatewayError]) -> None:
    body = json.loads(errors.body(Api.OPENAI, kind("A sentence.")))["error"]
    assert body["message"] == "A sentence."
    assert body["code"] == kind.code
    assert isinstance(body["type"], str)
    assert body["param"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_ollama_clients_read_error_as_text(kind: type[GatewayError]) -> None:
    assert json.loads(errors.body(Api.OLLAMA, kind("A sentence."))) == {"error": "A sentence.", "code": kind.code}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (errors.KeyMissing, "authentication_error"),
        (errors.UnknownModel, "not_found_error"),
        (errors.BrokenJson, "invalid_request_error"),
        (errors.BodyTooLarge, "request_too_large"),
        (errors.QueueFull, "rate_limit_error"),
        (errors.NoReplica, "overloaded_error"),
        (errors.UpstreamLost, "api_error"),
        (errors.UpstreamTimeout, "timeout_error"),
    ],
)
def test_anthropic_clients_read_a_type_of_their_own(kind: type[GatewayError], name: str) -> None:
    body = json.loads(errors.body(Api.ANTHROPIC, kind("A sentence.")))
    assert body["type"] == "error"
    assert body["error"] == {"type": name, "message": "A sentence.", "code": kind.code}


def test_a_broken_stream_ends_with_an_event_of_its_api_and_never_with_done() -> None:
    problem = errors.UpstreamLost("It was cut.")
    openai = errors.event(Api.OPENAI, problem)
    anthropic = errors.event(Api.ANTHROPIC, problem)
    responses = errors.event(Api.RESPONSES, problem)
    native = errors.event(Api.OLLAMA, problem, ndjson=True)
    assert json.loads(openai.removeprefix(b"data: "))["error"]["code"] == "upstream-lost"
    assert anthropic.startswith(b"event: error\ndata: {")
    assert json.loads(responses.split(b"data: ")[1])["type"] == "error"
    assert json.loads(native)["error"] == "It was cut."
    assert native.endswith(b"}\n")
    assert b"[DONE]" not in openai + anthropic + responses + native
