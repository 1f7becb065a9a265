"""Each cause has its own class, one sentence with the names in it, and a next step."""

from __future__ import annotations

import json
import types
from typing import Any

import aiohttp
import pytest
from kube_server import compact

from sealane.kube import errors, failures
from sealane.kube.errors import Target
from sealane.lib.errors import NotAllowed, SealaneError

TARGET = Target(context="harbor-eu", server="https://harbor:6443", request="GET /api/v1/pods")


def body(reason: str, message: str, code: int, **details: object) -> bytes:
    return compact({"kind": "Status", "reason": reason, "message": message, "code": code, "details": details})


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Expired),
        (410, "Gone", errors.Expired),
        (422, "Invalid", errors.Invalid),
        (400, "BadRequest", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ServerError),
        (503, "ServiceUnavailable", errors.ServerError),
        (405, "MethodNotAllowed", errors.ApiError),
    ],
)
def test_every_reason_has_its_class(status: int, reason: str, kind: type[errors.ApiError]) -> None:
    error = failures.api_error(status, body(reason, "words", status), target=TARGET)
    assert type(error) is kind
    assert (error.status, error.reason) == (status, reason)  # type: ignore[union-attr]


def test_the_servers_words_are_kept_after_the_clusters_name() -> None:
    message = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope'
    error = failures.api_error(403, body("Forbidden", message, 403), target=TARGET)
    assert error.sentence == f"harbor-eu: {message}."
    assert error.next_steps[0].command == "kubectl --context harbor-eu auth can-i list pods"
    assert isinstance(error, NotAllowed)
    assert (error.exit_code, error.http_status) == (4, 403)


def test_causes_become_evidence() -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "must be less than 1", "field": "spec.replicas"}]
    error = failures.api_error(422, body("Invalid", "invalid", 422, causes=causes), target=TARGET)
    assert ("spec.replicas", "must be less than 1") in [(item.label, item.value) for item in error.evidence]


def test_an_answer_without_a_status_is_told_by_its_first_line() -> None:
    error = failures.api_error(502, b"upstream connect error\nmore", target=TARGET)
    assert isinstance(error, errors.ServerError)
    assert error.sentence == "harbor-eu: upstream connect error."


def test_html_of_a_proxy_is_not_shown() -> None:
    assert failures.api_error(502, b"<html>boo", target=TARGET).sentence == "harbor-eu: the API server answered 502."


def test_a_pod_that_cannot_be_reached_has_its_own_class() -> None:
    message = "error trying to reach service: dial tcp 10.0.0.7:11434: connect: connection refused"
    error = failures.api_error(503, body("ServiceUnavailable", message, 503), target=TARGET)
    assert isinstance(error, errors.PodUnreachable)


def test_too_many_requests_says_how_long_to_wait() -> None:
    error = failures.api_error(429, body("TooManyRequests", "busy", 429), target=TARGET, retry_after=7.0)
    assert error.retry_after == 7.0
    assert "asks to wait 7.0 s" in error.sentence


def test_the_wait_may_stand_in_the_details() -> None:
    error = failures.api_error(429, body("TooManyRequests", "busy", 429, retryAfterSeconds=3), target=TARGET)
    assert error.retry_after == 3


def test_every_class_can_be_shown() -> None:
    for kind in (errors.NameNotFound, errors.Refused, errors.TlsFailed, errors.TimedOut, errors.Disconnected):
        error = kind("why", target=TARGET)
        assert error.sentence == "harbor-eu: why."
        assert error.next_steps[0].command.startswith("kubectl --context harbor-eu ")
        assert error.http_status == 504


def test_codes_are_stable_and_unique() -> None:
    def kinds(of: type[SealaneError]) -> list[type[SealaneError]]:
        return [of, *(found for child in of.__subclasses__() for found in kinds(child))]

    ours = {kind for kind in kinds(SealaneError) if kind.__module__ == "sealane.kube.errors"}
    codes = sorted(kind.code for kind in ours)
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and " " not in code for code in codes)


IN_TEAM_A = "/apis/apps/v1/namespaces/team-a/deployments"
FORBIDDEN = 'pods is forbidden: User "bob" cannot create resource "pods" in API group ""'
QUOTA = 'pods "x" is forbidden: exceeded quota: compute'
POLICY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'
CAUSE = {"field": "spec.containers[0].image", "message": "Required value"}


@pytest.mark.parametrize(
    ("request_", "answer", "command"),
    [
        (f"POST {IN_TEAM_A}", body("Forbidden", FORBIDDEN, 403), "auth can-i create pods -n team-a"),
        (f"POST {IN_TEAM_A}", body("Forbidden", QUOTA, 403), "describe resourcequota -n team-a"),
        (f"POST {IN_TEAM_A}", body("Forbidden", POLICY, 403), "get namespace team-a --show-labels"),
        ("GET /api/v1/nodes", body("Forbidden", "no", 403), "auth can-i --list"),
        (f"GET {IN_TEAM_A}/x", body("NotFound", "no", 404, kind="deployments"), "-n team-a get deployments.apps"),
        (f"POST {IN_TEAM_A}", body("NotFound", "no", 404, kind="namespaces", name="team-a"), "get namespaces"),
        ("GET /apis/foo.bar/v1/foos", b"404 page not found", "api-resources"),
        (f"POST {IN_TEAM_A}", body("AlreadyExists", "no", 409, name="x"), "-n team-a get deployments.apps x"),
        (
            f"PATCH {IN_TEAM_A}/x",
            body("Conflict", "no", 409),
            "-n team-a get deployments.apps x -o yaml --show-managed-fields",
        ),
        (
            f"PATCH {IN_TEAM_A}/x",
            body("Invalid", "no", 422, causes=[CAUSE]),
            "explain deployments.apps.spec.containers.image",
        ),
        (
            "GET /api/v1/namespaces/team-a/pods/qwen-1:11434/proxy/",
            body("ServiceUnavailable", "error trying to reach service: EOF", 503),
            "-n team-a get pods qwen-1 -o wide",
        ),
        ("GET /api/v1/namespaces/team-a", body("Expired", "old", 410), "get namespaces team-a"),
        ("GET /version", body("InternalError", "boom", 500), "get --raw /readyz?verbose"),
    ],
)
def test_the_next_step_is_a_command_that_runs(request_: str, answer: bytes, command: str) -> None:
    target = Target(context="harbor-eu", server="https://harbor:6443", request=request_)
    error = failures.api_error(json.loads(answer)["code"] if answer[:1] == b"{" else 404, answer, target=target)
    assert error.next_steps[0].command == f"kubectl --context harbor-eu {command}"


def test_a_kind_that_is_not_served_is_named() -> None:
    target = Target(context="c", server="", request="GET /apis/foo.bar/v1/namespaces/a/foos/x")
    error = failures.api_error(404, b"404 page not found\n", target=target)
    assert error.sentence == "c: the API server does not serve foos.foo.bar."


def test_plain_http_to_a_tls_port_is_a_matter_of_tls() -> None:
    error = failures.api_error(400, b"Client sent an HTTP request to an HTTPS server.\n", target=TARGET)
    assert isinstance(error, errors.TlsFailed)
    assert "should begin with https://" in error.sentence


def test_an_unknown_field_in_an_apply_is_invalid_though_the_server_says_500() -> None:
    message = "failed to create typed patch object (a/y; /v1, Kind=ConfigMap): .dat: field not declared in schema"
    assert isinstance(failures.api_error(500, body("", message, 500), target=TARGET), errors.Invalid)


def test_a_config_error_names_file_and_line() -> None:
    from pathlib import Path

    error = errors.ConfigError("something is wrong.", file=Path("/home/dana/.kube/config"), line=7)
    assert error.sentence == "/home/dana/.kube/config, line 7: something is wrong."
    assert error.next_steps[0].command == "${EDITOR:-vi} +7 /home/dana/.kube/config"


def test_a_connection_that_breaks_while_it_is_made_has_a_sentence_too() -> None:
    """During a TLS handshake the operating system may give neither a number nor a word."""
    key: Any = types.SimpleNamespace(host="h", port=443, is_ssl=True, ssl=True)
    found = failures.network_error(aiohttp.ClientConnectorError(key, OSError()), target=TARGET)
    assert "dropped while it was made" in found.sentence
