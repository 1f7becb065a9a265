"""One rig for all tests of this folder: brought up once, inside the network namespace that `python -m rig run` makes.

Outside of it nothing is collected as runnable: every test is skipped, and the reason says how to run them.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `rig` is no part of the installed product

import rig_manifests as manifests

from rig import namespace
from rig.api import JsonObject
from rig.cluster import Cluster, Rig

_OUTSIDE = "needs the real control plane: run `make test-rig` (python -m rig run -- pytest tests/rig -m rig)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, visibly, everything that is marked `rig` when we are outside."""
    if namespace.is_inside():
        return
    for item in items:
        if item.get_closest_marker("rig"):
            item.add_marker(pytest.mark.skip(reason=_OUTSIDE))


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    """The rig: one cluster with KAI, and the registry."""
    if not namespace.is_inside():
        pytest.fail(_OUTSIDE)
    running = Rig(clusters=1)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def cluster(rig: Rig) -> Cluster:
    """The rig's cluster."""
    return rig.clusters[0]


@pytest.fixture
def deploy(cluster: Cluster) -> Iterator[Callable[..., manifests.Deployed]]:
    """Deploys a model in team-a and removes it, pods and all, when the test is over."""
    made: list[manifests.Deployed] = []

    def one(model: str, **wishes: object) -> manifests.Deployed:
        name = f"m-{secrets.token_hex(3)}"
        body: JsonObject = manifests.deployment(name, model, **wishes)  # type: ignore[arg-type]
        deployed = manifests.Deployed(cluster=cluster, name=name)
        made.append(deployed)
        cluster.api.apply(deployed.path, body)
        return deployed

    yield one
    for deployed in made:
        deployed.remove()
