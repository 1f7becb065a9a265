"""Clusters that leave while models are observed: their followers end, their models are told of, others go on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

import hosting as h
import msgspec
import pytest
from fake_kube import FakeKube, StepClock, context, settle
from fake_ollama import FakeOllama

from sealane.fleet import Fleet, UnknownCluster
from sealane.kube import resources
from sealane.kube.config import Credentials
from sealane.models.hosted import Key
from sealane.models.observer import Observer

HARBOR, LAB = ("harbor-eu", "team-a", "qwen"), ("lab", "team-a", "qwen")


class World:
    def __init__(self) -> None:
        self.clock = StepClock()
        self.kubes = {name: FakeKube() for name in ("harbor-eu", "lab")}
        self.fleet: Fleet
        self.observer: Observer
        for kube in self.kubes.values():
            ollama = FakeOllama(h.MODEL)
            ollama.clock = self.clock
            kube.put(resources.DEPLOYMENTS, h.deployment())
            kube.put(resources.REPLICASETS, h.replicaset())
            pod = h.answering()
            kube.put(resources.PODS, pod)
            kube.pods[("team-a", pod["metadata"]["name"])] = ollama

    async def replace(self, *names: str) -> None:
        await self.fleet.replace([context(name) for name in names])
        await self.clock.advance(1)

    @property
    def followers(self) -> int:
        return len(self.observer._tasks)

    @property
    def hosted(self) -> list[str]:
        return [row.cluster for row in self.observer.hosted()]


@contextlib.asynccontextmanager
async def world(*names: str) -> AsyncIterator[World]:
    made = World()
    contexts = [context(name) for name in names]
    async with Fleet(contexts, clock=made.clock, make_client=lambda of: made.kubes[of.name].client(of)) as fleet:
        await settle()
        async with Observer(fleet) as observer:
            made.fleet, made.observer = fleet, observer
            await made.clock.advance(2)
            yield made


async def test_a_cluster_that_leaves_takes_its_models_and_followers_with_it(caplog: pytest.LogCaptureFixture) -> None:
    async with world("harbor-eu", "lab") as w:
        assert (w.hosted, w.followers) == (["harbor-eu", "lab"], 2)
        with caplog.at_level(logging.ERROR):
            await w.replace("harbor-eu")
            await w.clock.advance(20)
        assert (w.hosted, w.followers) == (["harbor-eu"], 1)
        assert w.observer.history(*LAB) == []
        assert w.observer.stage(*HARBOR).stage == "Answering"
        with pytest.raises(UnknownCluster):
            w.observer.stage(*LAB)
        assert caplog.records == []


async def test_who_listens_is_told_of_the_models_that_left() -> None:
    async with world("harbor-eu", "lab") as w:
        subscription = w.observer.subscribe()
        await anext(subscription)
        await w.replace("harbor-eu")
        assert Key(*LAB) in await anext(subscription)


async def test_following_a_model_of_a_cluster_that_leaves_ends_with_the_reason() -> None:
    async with world("harbor-eu", "lab") as w:
        changes = w.observer.follow(*LAB)
        await anext(changes)
        await w.replace("harbor-eu")
        with pytest.raises(UnknownCluster, match="no cluster named lab"):
            await anext(changes)


async def test_a_cluster_that_comes_is_observed_like_those_before() -> None:
    async with world("harbor-eu") as w:
        await w.replace("harbor-eu", "lab")
        assert (w.hosted, w.followers) == (["harbor-eu", "lab"], 2)
        assert w.observer.stage(*LAB).stage == "Answering"


async def test_models_of_another_person_under_the_same_name_are_followed_anew() -> None:
    async with world("lab") as w:
        before = dict(w.observer._tasks)
        other = msgspec.structs.replace(context("lab"), user="bob", credentials=Credentials(token="b"))
        await w.fleet.replace([other])
        await w.clock.advance(1)
        assert w.hosted == ["lab"]
        assert set(before) == set(w.observer._tasks)
        assert all(task.done() for task in before.values()), "the former followers asked with the former rights"
