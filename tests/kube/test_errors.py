"""Each cause has its own class, one sentence with the names in it, and a next step."""

from __future__ import annotations

import pytest
from kube_server import compact

from sealane.kube import errors
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
    error = errors.api_error(status, body(reason, "words", status), target=TARGET)
    assert type(error) is kind
    assert (error.status, error.reason) == (status, reason)


def test_the_servers_words_are_kept_after_the_clusters_name() -> None:
    message = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope'
    error = errors.api_error(403, body("Forbidden", message, 403), target=TARGET)
    assert error.sentence == f"harbor-eu: {message}."
    assert error.next_steps[0].command == "kubectl --context harbor-eu auth can-i --list"
    assert isinstance(error, NotAllowed)
    assert (error.exit_code, error.http_status) == (4, 403)


def test_causes_become_evidence() -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "must be less than 1", "field": "spec.replicas"}]
    error = errors.api_error(422, body("Invalid", "invalid", 422, causes=causes), target=TARGET)
    assert ("spec.replicas", "must be less than 1") in [(item.label, item.value) for item in error.evidence]


def test_an_answer_without_a_status_is_told_by_its_first_line() -> None:
    error = errors.api_error(502, b"upstream connect error\nmore", target=TARGET)
    assert isinstance(error, errors.ServerError)
    assert error.sentence == "harbor-eu: upstream connect error."


def test_html_of_a_proxy_is_not_shown() -> None:
    assert errors.api_error(502, b"<html>boo", target=TARGET).sentence == "harbor-eu: the API server answered 502."


def test_a_pod_that_cannot_be_reached_has_its_own_class() -> None:
    message = "error trying to reach service: dial tcp 10.0.0.7:11434: connect: connection refused"
    error = errors.api_error(503, body("ServiceUnavailable", message, 503), target=TARGET)
    assert isinstance(error, errors.PodUnreachable)


def test_too_many_requests_says_how_long_to_wait() -> None:
    error = errors.api_error(429, body("TooManyRequests", "busy", 429), target=TARGET, retry_after=7.0)
    assert error.retry_after == 7.0
    assert "asks to wait 7.0 s" in error.sentence


def test_the_wait_may_stand_in_the_details() -> None:
    error = errors.api_error(429, body("TooManyRequests", "busy", 429, retryAfterSeconds=3), target=TARGET)
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


def test_a_config_error_names_file_and_line() -> None:
    from pathlib import Path

    error = errors.ConfigError("something is wrong.", file=Path("/home/dana/.kube/config"), line=7)
    assert error.sentence == "/home/dana/.kube/config, line 7: something is wrong."
    assert error.next_steps[0].command == "${EDITOR:-vi} +7 /home/dana/.kube/config"
