"""The observer over clusters that live in memory: a model's whole life, many at once, and never a hammer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import hosting as h
import pytest
from fake_kube import FakeKube, StepClock, context, forbidden, refused, settle
from fake_ollama import FakeOllama

from sealane.fleet import Fleet
from sealane.kube import errors, resources
from sealane.models import follower
from sealane.models import observer as observer_module
from sealane.models.hosted import Key, NotHosted
from sealane.models.observer import Observer

KEY = ("harbor-eu", "team-a", "qwen")


class World:
    """A cluster, its clock and the engine of the pod qwen-1-a."""

    def __init__(self) -> None:
        self.clock, self.kube, self.ollama = StepClock(), FakeKube(), FakeOllama(h.MODEL)
        self.ollama.clock = self.clock
        self.fleet: Fleet
        self.observer: Observer

    def stage(self) -> tuple[str, str]:
        found = self.observer.stage(*KEY)
        return found.stage, found.sentence

    def host(self, **parts: Any) -> None:
        self.kube.put(resources.DEPLOYMENTS, h.deployment(**parts))
        self.kube.put(resources.REPLICASETS, h.replicaset())

    async def pod(self, obj: dict[str, Any]) -> None:
        self.kube.put(resources.PODS, obj)
        self.kube.pods[("team-a", obj["metadata"]["name"])] = self.ollama
        await self.clock.advance(0.2)


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()
    async with Fleet([context()], clock=made.clock, make_client=made.kube.client) as fleet:
        await settle()
        async with Observer(fleet) as observer:
            made.fleet, made.observer = fleet, observer
            await made.clock.advance(0.2)
            yield made


async def test_a_model_is_followed_from_submission_to_answering() -> None:
    async with world() as w:
        w.host()
        await w.clock.advance(0.2)
        assert w.stage()[0] == "Submitted"
        await w.pod(h.pod())
        assert w.stage()[0] == "Waiting"
        await w.pod(h.pod(node="gpu-a"))
        assert w.stage()[0] == "Scheduled"
        await w.pod(h.pod(node="gpu-a", pull=h.RUNNING, engine=h.CREATING))
        assert w.stage()[0] == "Pulling"
        w.ollama.pulling.put_nowait({"status": "pulling a", "digest": "a", "total": 4_700, "completed": 2_350})
        await w.clock.advance(2)
        assert w.observer.stage(*KEY).progress == 0.5
        w.ollama.pulling.put_nowait(None)
        w.ollama.may_load.clear()
        await w.pod(h.answering())
        await w.clock.advance(2)
        assert w.stage()[0] == "Loading"
        w.ollama.may_load.set()
        await w.clock.advance(2)
        assert w.stage() == ("Answering", "qwen2.5-coder:7b answers on gpu-a.")
        seen = [change.stage.stage for change in w.observer.history(*KEY)]
        assert list(dict.fromkeys(seen)) == [
            "Submitted",
            "Waiting",
            "Scheduled",
            "Pulling",
            "Loading",
            "Answering",
        ]
        times = [change.at for change in w.observer.history(*KEY)]
        assert times == sorted(times)


async def test_a_pull_that_is_cut_is_joined_again() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.pod(node="gpu-a", pull=h.RUNNING))
        await w.clock.advance(1)
        w.ollama.pulling.put_nowait({"status": "a", "digest": "a", "total": 100, "completed": 10})
        w.ollama.pulling.put_nowait(None)
        await w.clock.advance(3)
        w.ollama.pulling.put_nowait({"status": "a", "digest": "a", "total": 100, "completed": 60})
        await w.clock.advance(1)
        assert w.observer.stage(*KEY).progress == 0.6
        assert [path for _, path in w.ollama.asked] == ["/api/pull"] * 2


async def test_a_tag_that_does_not_exist_is_heard_from_the_engine() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.pod(node="gpu-a", pull=h.RUNNING))
        w.ollama.pulling.put_nowait({"error": "pull model manifest: file does not exist"})
        await w.clock.advance(1)
        assert w.stage()[0] == "Failed"
        assert "check the exact tag" in w.stage()[1]


async def test_a_model_too_large_for_memory_fails_and_is_tried_again_slowly() -> None:
    async with world() as w:
        w.host()
        said = "model requires more system memory (9.3 GiB) than is available (7.6 GiB)"
        w.ollama.load_error = (500, said)
        await w.pod(h.answering())
        await w.clock.advance(5)
        assert w.stage()[0] == "Failed"
        assert "9.3 GiB" in w.stage()[1]
        assert len(w.ollama.asked) == 1
        w.ollama.load_error = None
        await w.clock.advance(12)
        assert w.stage()[0] == "Answering"


async def test_a_load_that_breaks_off_is_tried_again_before_it_counts_as_failed() -> None:
    async with world() as w:
        w.host()
        w.ollama.load_error = (500, 'do load request: Post "http://127.0.0.1:36651/load": EOF')
        await w.pod(h.answering())
        await w.clock.advance(1.5)
        assert w.stage()[0] == "Loading"
        w.ollama.load_error = None
        await w.clock.advance(2)
        assert w.stage()[0] == "Answering"


async def test_a_load_that_breaks_off_every_time_is_a_failure() -> None:
    async with world() as w:
        w.host()
        w.ollama.load_error = (500, 'do load request: Post "http://127.0.0.1:36651/load": EOF')
        await w.pod(h.answering())
        await w.clock.advance(8)
        assert w.stage()[0] == "Failed"
        assert "EOF" in w.stage()[1]


async def test_a_restarted_engine_is_loaded_again() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.answering())
        await w.clock.advance(2)
        assert w.stage()[0] == "Answering"
        await w.pod(h.pod(node="gpu-a", pull=h.DONE, engine={**h.RUNNING, "restartCount": 1}, conditions=h.NOT_READY))
        assert w.stage()[0] == "Loading"
        restarted = h.pod(node="gpu-a", pull=h.DONE, engine={**h.RUNNING, "restartCount": 1}, conditions=h.READY)
        await w.pod(restarted)
        await w.clock.advance(3)
        assert w.stage()[0] == "Answering"
        assert [path for _, path in w.ollama.asked].count("/api/generate") == 2


async def test_a_model_pushed_out_of_memory_says_that_the_first_request_loads_it() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.answering())
        await w.clock.advance(2)
        w.ollama.memory = ["another:1b"]
        await w.clock.advance(40)
        assert "the first request loads it" in w.stage()[1]


async def test_without_the_right_to_the_proxy_ready_is_all_that_is_known() -> None:
    async with world() as w:
        w.host()
        w.kube.refuse = lambda *_: None
        check = w.kube.check

        def deny_proxy(verb: str, *rest: Any) -> None:
            if verb == "proxy":
                raise forbidden("pods is forbidden: cannot create resource pods/proxy")
            check(verb, *rest)

        w.kube.check = deny_proxy  # type: ignore[method-assign]
        await w.pod(h.answering())
        await w.clock.advance(2)
        assert w.stage()[0] == "Answering"
        assert "pods/proxy" in w.stage()[1]


async def test_no_pod_is_asked_more_than_once_a_second_however_much_happens() -> None:
    async with world() as w:
        w.host()
        w.ollama.load_error = (503, "busy")
        for round_ in range(40):
            await w.pod(h.answering(made=round_))
            await w.clock.advance(0.1)
        moments = [at for at, _ in w.ollama.asked]
        assert len(moments) > 3
        assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(moments))


async def test_many_models_are_followed_at_once() -> None:
    async with world() as w:
        engines = {}
        for number in range(20):
            name = f"m{number}"
            w.kube.put(resources.DEPLOYMENTS, h.deployment(name))
            w.kube.put(resources.REPLICASETS, h.replicaset(f"{name}-1", owner=f"d-team-a-{name}"))
            pod = h.answering(f"{name}-1-a", owner=f"rs-team-a-{name}-1", app=name)
            engines[name] = w.kube.pods[("team-a", f"{name}-1-a")] = FakeOllama(h.MODEL)
            w.kube.put(resources.PODS, pod)
        await w.clock.advance(3)
        assert {each.stage for each in w.observer.hosted()} == {"Answering"}
        assert len(w.observer.hosted()) == 20
        assert all(len(each.asked) == 1 for each in engines.values())


async def test_a_removed_model_is_told_and_its_pods_are_left_alone() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.answering())
        await w.clock.advance(2)
        w.kube.drop(resources.PODS, "team-a", "qwen-1-a")
        w.kube.drop(resources.DEPLOYMENTS, "team-a", "qwen")
        await w.clock.advance(1)
        assert w.observer.hosted() == []
        assert w.stage()[0] == "Failed"
        assert "was removed" in w.stage()[1]
        asked = len(w.ollama.asked)
        await w.clock.advance(120)
        assert len(w.ollama.asked) == asked


async def test_other_peoples_deployments_are_not_hosted_models() -> None:
    async with world() as w:
        w.host(managed_by="Helm")
        await w.clock.advance(1)
        assert w.observer.hosted() == []
        with pytest.raises(NotHosted):
            w.observer.stage(*KEY)


async def test_a_name_that_was_never_hosted_gets_the_nearest() -> None:
    async with world() as w:
        w.host()
        await w.clock.advance(1)
        with pytest.raises(NotHosted, match="Did you mean qwen"):
            w.observer.stage("harbor-eu", "team-a", "qwem")


async def test_following_begins_at_submitted_and_yields_each_change_once() -> None:
    async with world() as w:
        seen: list[str] = []

        async def follow() -> None:
            async for stage in w.observer.follow(*KEY):
                seen.append(stage.stage)
                if stage.stage == "Answering":
                    return

        task = asyncio.ensure_future(follow())
        await w.clock.advance(1)
        assert seen == ["Submitted"]
        w.host()
        await w.clock.advance(1)
        await w.pod(h.pod(node="gpu-a"))
        await w.pod(h.pod(node="gpu-a"))
        await w.pod(h.answering())
        await w.clock.advance(3)
        await task
        assert seen[-1] == "Answering"
        assert len(seen) == len(list(dict.fromkeys(seen))) + 1  # Submitted twice: sent, then taken


async def test_subscribers_hear_of_the_model_that_changed() -> None:
    async with world() as w:
        subscription = w.observer.subscribe()
        assert (await anext(subscription)).everything
        w.host()
        waiting = asyncio.ensure_future(anext(subscription))
        await w.clock.advance(1)
        assert set(await waiting) == {Key(*KEY)}


async def test_a_wait_changes_its_sentence_as_it_grows_old() -> None:
    async with world() as w:
        w.host(queue="vision")
        w.kube.put(resources.QUEUES, {"metadata": {"name": "vision"}, "spec": {}})
        await w.pod(h.pod(queue="vision"))
        await w.clock.advance(5)
        assert "has not given" in w.stage()[1]
        await w.clock.advance(30)
        assert "has said nothing" in w.observer.history(*KEY)[-1].stage.sentence


async def test_history_is_bounded_in_length() -> None:
    async with world() as w:
        w.host()
        for round_ in range(200):
            w.kube.put(resources.PODS, h.unscheduled(f"reason {round_}"))
            await w.clock.advance(0.2)
        assert len(w.observer.history(*KEY)) <= 60
        assert "reason 199" in w.observer.history(*KEY)[-1].stage.sentence


async def test_models_that_are_there_are_remembered_however_many_came_and_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer_module, "REMEMBERED", 2)
    async with world() as w:
        w.host()
        await w.clock.advance(0.2)
        for number in range(5):
            w.kube.put(resources.DEPLOYMENTS, h.deployment(name=f"guest-{number}"))
            await w.clock.advance(0.2)
            w.kube.drop(resources.DEPLOYMENTS, "team-a", f"guest-{number}")
            await w.clock.advance(0.2)
        assert [change.stage.stage for change in w.observer.history(*KEY)] == ["Submitted"]
        kept = [number for number in range(5) if w.observer.history("harbor-eu", "team-a", f"guest-{number}")]
        assert kept == [3, 4]


async def test_a_pod_that_makes_no_sense_ends_neither_its_follower_nor_the_observer() -> None:
    async with world() as w:
        w.host()
        await w.pod(h.answering())
        await w.clock.advance(3)
        odd = h.answering()
        odd["status"]["phase"] = ["Running"]
        await w.pod(odd)
        await w.clock.advance(40)
        await w.pod(h.answering())
        await w.clock.advance(40)
        assert w.stage()[0] == "Answering"


async def test_leaving_ends_every_follower() -> None:
    before = asyncio.all_tasks()
    async with world() as w:
        w.host()
        await w.pod(h.pod(node="gpu-a", pull=h.RUNNING))
        await w.clock.advance(2)
    assert asyncio.all_tasks() == before


async def test_objects_that_nobody_can_read_take_no_other_out_of_sight(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        odd = h.deployment(name="odd")
        odd["spec"]["replicas"] = "many"
        w.kube.put(resources.DEPLOYMENTS, odd)
        w.host()
        broken = h.pod(name="qwen-1-b")
        broken["spec"]["nodeName"] = ["two", "nodes"]
        w.kube.put(resources.PODS, broken)
        await w.pod(h.pod(node="gpu-a"))
        assert [each.name for each in w.observer.hosted()] == ["qwen"]
        assert w.stage()[0] == "Scheduled"
        assert list(w.observer.copies(*KEY)) == ["qwen-1-a"]
    assert "odd cannot be read and is passed over" in caplog.text


def _lost(w: World, error: Exception) -> list[float]:
    """Nobody reaches the pod's engine from now on; gives back when it is asked."""
    asked: list[float] = []

    async def handler(*_: Any) -> Any:
        asked.append(w.clock.monotonic())
        raise error

    w.kube.pods["team-a", "qwen-1-a"] = handler
    return asked


def _nobody_there() -> errors.PodUnreachable:
    return errors.PodUnreachable(503, "ServiceUnavailable", "error trying to reach service: no route to host")


async def _answering(w: World) -> None:
    w.host()
    await w.pod(h.answering())
    await w.clock.advance(3)
    assert w.stage()[0] == "Answering"


async def test_an_engine_that_is_out_of_reach_is_told_of_within_ten_seconds_and_again_when_it_is_back() -> None:
    async with world() as w:
        await _answering(w)
        asked = _lost(w, _nobody_there())
        await w.clock.advance(10)
        assert w.stage()[0] == "Failed"
        assert "qwen-1-a answered and is out of reach now" in w.stage()[1]
        assert len(asked) == 3  # two misses, and one look since
        await w.clock.advance(40)
        assert len(asked) <= 3 + 40 / follower.AFTER_SILENCE
        w.kube.pods["team-a", "qwen-1-a"] = w.ollama
        await w.clock.advance(follower.AFTER_SILENCE + 1)
        assert w.stage()[0] == "Answering"


async def test_one_miss_is_no_silence() -> None:
    async with world() as w:
        await _answering(w)
        asked = _lost(w, _nobody_there())
        while not asked:
            await w.clock.advance(0.5)
        w.kube.pods["team-a", "qwen-1-a"] = w.ollama
        await w.clock.advance(10)
        assert {change.stage.stage for change in w.observer.history(*KEY)} == {"Submitted", "Loading", "Answering"}


async def test_an_engine_that_takes_the_question_and_says_nothing_is_silent_at_once() -> None:
    async with world() as w:
        await _answering(w)
        asked = _lost(
            w, errors.TimedOut("it said nothing for 5 s", target=errors.Target(context="harbor-eu", server=""))
        )
        await w.clock.advance(follower.RECHECK + 0.5)
        assert len(asked) == 1
        assert w.stage()[0] == "Failed"


@pytest.mark.parametrize(
    "error",
    [errors.TooManyRequests(429, "TooManyRequests", "later"), errors.Unauthorized(401, "Unauthorized", "who are you")],
)
async def test_what_an_api_server_refuses_says_nothing_of_the_engine(error: Exception) -> None:
    async with world() as w:
        await _answering(w)
        _lost(w, error)
        await w.clock.advance(30)
        assert w.stage()[0] == "Answering"


async def test_an_api_server_that_is_away_takes_no_engine_with_it() -> None:
    async with world() as w:
        await _answering(w)
        w.kube.down = refused()
        _lost(w, refused())
        await w.clock.advance(30)
        assert w.fleet.cluster("harbor-eu").state.state == "reconnecting"
        assert w.stage()[0] == "Answering"


async def test_an_engine_in_order_is_asked_once_in_a_while() -> None:
    async with world() as w:
        await _answering(w)
        before = len(w.ollama.asked)
        await w.clock.advance(80)
        assert len(w.ollama.asked) - before <= 80 / follower.RECHECK
