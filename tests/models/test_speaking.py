"""Whose log is a model's: the engine's once it ran, the pull's before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sealane.models.speaking import container_of
from sealane.models.stage_views import PodView

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
WAITING = {"waiting": {"reason": "PodInitializing"}}
ENDED = {"terminated": {"exitCode": 1}}


def pod(engine: dict[str, Any] | None, *, restarts: int = 0, inits: tuple[str, ...] = ("pull",)) -> PodView:
    status = [{"name": "ollama", "state": engine, "restartCount": restarts}] if engine else []
    manifest = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": [{"name": "ollama"}], "initContainers": [{"name": name} for name in inits]},
        "status": {"containerStatuses": status},
    }
    return msgspec.convert(manifest, PodView)


@pytest.mark.parametrize(
    ("view", "container"),
    [
        (pod(None), "pull"),
        (pod(WAITING), "pull"),
        (pod(RUNNING), "ollama"),
        (pod(ENDED), "ollama"),
        (pod(WAITING, restarts=2), "ollama"),
        (pod(WAITING, inits=()), "ollama"),
    ],
    ids=["new", "pulling", "serving", "ended", "crashing", "without-a-pull"],
)
def test_the_container_that_has_something_to_say(view: PodView, container: str) -> None:
    assert container_of(view) == container


def test_a_pod_that_is_not_ours_has_no_engine() -> None:
    other = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "nginx"}]}, "status": {}}
    assert container_of(msgspec.convert(other, PodView)) == ""
