"""Whose log is a model's: the engine's once it ran, the pull's before; and that it ends with the right to read it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from sealane.fleet import Cluster, Fleet
from sealane.fleet.rights import UNKNOWN, YES, NoRight, Question, Verdict, refusal
from sealane.kube.resources import PODS, Resource
from sealane.models import speaking
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


class Rights:
    """Answers by pod, which a test changes between looks."""

    def __init__(self, **answers: Verdict) -> None:
        self.answers = answers
        self.asked: set[tuple[str, str, str]] = set()

    def may(self, verb: str, resource: Resource, namespace: str, *, name: str, subresource: str) -> Verdict:
        assert resource is PODS
        self.asked.add((verb, namespace, subresource))
        return self.answers[name]


NO = refusal("test", Question(verb="get", resource=PODS, namespace="team-a", subresource="log"))


async def guarded(rights: Rights, *changes: dict[str, Verdict]) -> int:
    """Watch until it raises, changing rights at each wait; how often it waited. Ends by a failure after the last."""
    left = list(changes)
    waits = 0

    async def sleep(seconds: float) -> None:
        nonlocal waits
        assert seconds == speaking.LOOK_EVERY
        waits += 1
        if not left:
            raise TimeoutError
        rights.answers = left.pop(0)
        await asyncio.sleep(0)

    fleet = cast(Fleet, SimpleNamespace(clock=SimpleNamespace(sleep=sleep)))
    cluster = cast(Cluster, SimpleNamespace(access=rights))
    with pytest.raises((NoRight, TimeoutError)) as caught:
        await speaking.until_forbidden(fleet, cluster, "team-a", lambda: list(rights.answers))
    if caught.type is NoRight:
        assert str(caught.value).startswith("Your role in team-a may not get pods/log;")
        return waits
    return -1


async def test_an_open_log_ends_with_the_right_to_read_it_in_one_sentence() -> None:
    rights = Rights(a=UNKNOWN)
    assert await guarded(rights, {"a": YES}, {"a": YES}, {"a": NO}) == 3
    assert rights.asked == {("get", "team-a", "log")}


async def test_a_log_goes_on_while_any_copy_may_be_read_and_while_nothing_is_known() -> None:
    assert await guarded(Rights(a=NO, b=YES), {"a": NO, "b": UNKNOWN}, {"a": UNKNOWN}) == -1


async def test_a_model_without_copies_is_no_lost_right() -> None:
    assert await guarded(Rights(), {}, {"a": NO}) == 2
