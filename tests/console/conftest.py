"""The console over fakes, and clients that are and are not signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from sealane.console.app import build
from sealane.console.services import Services
from tests.console import fakes


@pytest.fixture
def services() -> Services:
    return fakes.build()


@pytest.fixture
def stranger(services: Services) -> Iterator[TestClient]:
    """A browser without a session."""
    with TestClient(build(services), follow_redirects=False) as client:
        yield client


@contextmanager
def make_visitor(services: Services) -> Iterator[TestClient]:
    """A browser that opened the link of a console over other services."""
    with TestClient(build(services), follow_redirects=False) as client:
        yield signed_in(client)


def signed_in(stranger: TestClient) -> TestClient:
    """The same browser after the link was opened; it says where its requests come from, as browsers do."""
    assert stranger.get(f"/?token={fakes.TOKEN}").status_code == 303
    stranger.headers.update({"Sec-Fetch-Site": "same-origin", "Accept": "text/html"})
    return stranger


@pytest.fixture
def visitor(stranger: TestClient) -> TestClient:
    """A browser that opened the link."""
    return signed_in(stranger)


@pytest.fixture
def script(stranger: TestClient) -> TestClient:
    """A program with the token as a bearer."""
    stranger.headers.update({"Authorization": f"Bearer {fakes.TOKEN}"})
    return stranger
