"""What all clients share: a namespace of their own; the kubeconfig is handed to them as a person would hand it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def namespace(sandbox: Any) -> Iterator[str]:
    """A namespace that nobody else uses."""
    name = f"client-{secrets.token_hex(3)}"
    sandbox.kubectl("create", "namespace", name)
    yield name
    sandbox.kubectl("delete", "namespace", name, "--wait=false")
