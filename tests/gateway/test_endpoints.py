"""The paths of the contract, and the documentation that promises them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from sealane.gateway import bodies, errors
from sealane.gateway.endpoints import ENDPOINTS, api_of
from sealane.gateway.errors import Api, GatewayError
from sealane.gateway.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


@pytest.mark.parametrize("path", [*ENDPOINTS, "/v1/models", "/api/tags", "/api/ps", "/api/version", "/metrics"])
def test_every_path_is_documented(path: str) -> None:
    assert f"`{path}`" in DOCS


def test_every_code_of_an_error_is_documented_with_its_status() -> None:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if GatewayError in kind.__bases__:
            row = next(line for line in DOCS.splitlines() if f"`{kind.code}`" in line)
            assert row.startswith(f"| {kind.http_status} |")


@pytest.mark.parametrize("option", sorted(bodies.RUNNER_OPTIONS))
def test_every_option_that_is_dropped_is_documented(option: str) -> None:
    assert f"`{option}`" in DOCS


def test_the_documented_limits_are_the_defaults() -> None:
    limits = Settings()
    assert f"| first byte of an answer | {limits.first_byte:g} s" in DOCS
    assert f"| silence inside an answer | {limits.idle:g} s" in DOCS
    assert f"{limits.max_body // 2**20} MiB, within {limits.body:g} s" in DOCS
    assert f"{limits.queue}, each at most {limits.queue_wait:g} s" in DOCS
    assert f"| tries on different copies | {limits.attempts} |" in DOCS


@pytest.mark.parametrize(
    ("path", "api"),
    [("/v1/messages", Api.ANTHROPIC), ("/api/nope", Api.OLLAMA), ("/v1/nope", Api.OPENAI), ("/nope", Api.OPENAI)],
)
def test_a_path_decides_the_shape_of_its_errors(path: str, api: Api) -> None:
    assert api_of(path) is api
