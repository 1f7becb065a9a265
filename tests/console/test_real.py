"""The adapters over the real fleet and observer, on clusters that live in memory: nothing is added, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hosting as h
import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle
from fake_ollama import FakeOllama

from sealane import state
from sealane.console.real.catalogue import RealCatalogue
from sealane.console.real.clusters import RealClusters
from sealane.console.real.editors import RealEditors
from sealane.console.real.keys import RealKeys
from sealane.console.real.models import RealModels
from sealane.console.real.planner import RealPlanner
from sealane.console.services import Ref
from sealane.fleet import Fleet
from sealane.fleet.errors import ClusterUnavailable
from sealane.gateway.framing import Usage
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.kube import errors, resources
from sealane.lib.clock import ManualClock
from sealane.lib.errors import SealaneError
from sealane.models import laptop
from sealane.models.observer import Observer
from sealane.models.types import ModelSpec

REF = Ref("harbor-eu", "team-a", "qwen")


class World:
    """One cluster with one hosted model, and the adapters over it."""

    def __init__(self, fleet: Fleet, observer: Observer, kube: FakeKube, clock: StepClock) -> None:
        self.fleet, self.kube, self.clock = fleet, kube, clock
        self.clusters = RealClusters(fleet, clock=clock)
        self.models = RealModels(fleet, observer)

    async def waiting(self, wanted: Any) -> Any:
        """Run something that sleeps on the clock, moving it until that is done."""
        task = asyncio.ensure_future(wanted)
        for _ in range(400):
            if task.done():
                break
            await self.clock.advance(0.05)
        return await task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock, kube = StepClock(), FakeKube()
    kube.put(resources.DEPLOYMENTS, h.deployment(copies=1))
    kube.put(resources.REPLICASETS, h.replicaset())
    ollama = FakeOllama(h.MODEL)
    ollama.clock = clock
    async with Fleet([context()], clock=clock, make_client=kube.client) as fleet:
        await settle()
        async with Observer(fleet) as observer:
            made = World(fleet, observer, kube, clock)
            made.clusters.facts()
            await clock.advance(1.5)
            yield made


async def test_a_model_is_told_as_the_observer_tells_it(world: World) -> None:
    found = world.models.detail(REF)
    assert [row.name for row in world.models.hosted()] == ["qwen"]
    assert found.hosted.model == h.MODEL
    assert found.spec.context == 8192
    assert found.stage.stage == found.hosted.stage
    assert found.happenings


async def test_an_unknown_model_names_the_nearest(world: World) -> None:
    with pytest.raises(SealaneError, match="qwen"):
        world.models.detail(Ref("harbor-eu", "team-a", "qwem"))
    with pytest.raises(SealaneError):
        world.models.detail(Ref("nowhere", "team-a", "qwen"))


async def test_scaling_is_seen_when_it_returns(world: World) -> None:
    await world.waiting(world.models.scale(REF, 2))
    assert world.models.detail(REF).spec.copies == 2


async def test_a_removal_says_what_went(world: World) -> None:
    before = await world.models.preview_removal(REF, with_weights=False)
    assert "Deployment qwen" in before.went
    done = await world.waiting(world.models.remove(REF, with_weights=False))
    assert done.went == before.went
    assert world.models.hosted() == []


async def test_changes_reach_those_who_listen(world: World) -> None:
    listening = world.models.changes()
    await anext(listening)
    turn = asyncio.ensure_future(anext(listening))
    await world.clock.advance(1)
    assert not turn.done()
    world.kube.put(resources.DEPLOYMENTS, h.deployment("second", uid="d2"))
    await world.clock.advance(1)
    assert turn.done()
    await listening.aclose()  # type: ignore[attr-defined]


async def test_a_live_cluster_is_listed_with_its_facts(world: World) -> None:
    row = world.clusters.rows()[0]
    assert (row.name, row.state, row.sentence) == ("harbor-eu", "live", "")
    assert [facts.name for facts in world.clusters.facts()] == ["harbor-eu"]


async def test_facts_are_kept_for_a_second_and_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealane.gpus import inventory

    asked = []
    real = inventory.facts
    monkeypatch.setattr(inventory, "facts", lambda cluster: asked.append(cluster) or real(cluster))
    await world.clock.advance(2)
    for _ in range(20):
        world.clusters.facts()
    assert len(asked) == 1
    await world.clock.advance(1.1)
    world.clusters.facts()
    assert len(asked) == 2


async def test_settling_waits_for_nobody_who_does_not_answer(world: World) -> None:
    world.kube.down = refused()
    await world.clock.advance(90)
    before = world.clock.monotonic()
    await world.waiting(world.clusters.settle())
    assert world.clusters.rows()[0].state == "reconnecting"
    assert world.clock.monotonic() - before < 1


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        (refused(), "reconnecting"),
        (errors.Unauthorized(401, "Unauthorized", "token expired"), "unauthorized"),
        (errors.TooManyRequests(429, "TooManyRequests", "later", retry_after=1.0), "busy"),
    ],
)
async def test_what_was_read_stays_with_its_age_while_the_cluster_is_away(
    world: World, trouble: Exception, state: str
) -> None:
    world.kube.put(resources.NODES, {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4"}}})
    await world.clock.advance(2)
    world.kube.down = trouble
    world.kube.cut()
    await world.clock.advance(40)
    row = world.clusters.rows()[0]
    assert (row.state, row.version) == (state, "v1.34.1")
    assert row.behind >= 35
    assert "old" in row.behind_why
    (facts,) = world.clusters.facts()
    assert [node.name for node in facts.nodes] == ["n"]
    assert facts.nodes_known
    world.kube.down = None
    await world.clock.advance(30)
    row = world.clusters.rows()[0]
    assert (row.state, row.behind) == ("live", 0.0)


async def test_a_cluster_that_was_never_read_has_no_facts() -> None:
    clock, kube = StepClock(), FakeKube()
    kube.down = errors.Unauthorized(401, "Unauthorized", "token expired")
    async with Fleet([context()], clock=clock, make_client=kube.client) as fleet:
        clusters = RealClusters(fleet, clock=clock)
        clusters.facts()
        await clock.advance(10)
        assert clusters.facts() == ()
        assert clusters.rows()[0].state == "unauthorized"


async def test_a_cluster_that_cannot_be_read_cannot_be_planned_on(world: World) -> None:
    planner = RealPlanner(world.clusters)
    card = RealCatalogue().cards()[0]
    with pytest.raises(ClusterUnavailable, match="nowhere"):
        planner.plan(ModelSpec(model=card.tag, cluster="nowhere"), card)
    plan = planner.plan(ModelSpec(model=card.tag, cluster="harbor-eu", namespace="team-a"), card)
    assert planner.yaml(plan)
    assert "kubectl" in planner.kubectl(plan)


async def test_the_laptop_is_asked_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = ManualClock(), []

    async def read() -> list[Any]:
        asked.append(1)
        return []

    monkeypatch.setattr(laptop, "read", read)
    catalogue = RealCatalogue(clock=clock)
    await catalogue.laptop()
    await catalogue.resolve("qwen2.5-coder:7b")
    assert len(asked) == 1
    clock.advance(16)
    await catalogue.laptop()
    assert len(asked) == 2


async def test_keys_carry_what_was_used_with_them(tmp_path: Path) -> None:
    with contextlib.closing(state.open(tmp_path)) as database:
        store, usage = KeyStore(database), UsageStore(database)
        keys = RealKeys(store, usage)
        row, secret = await keys.create("ci")
        assert store.verify(secret)
        usage.add(key_id=row.id, model="m", cluster="c", endpoint="chat", usage=Usage(prompt=7, completion=5))
        await usage.flush()
        found = (await keys.rows())[0]
        assert (found.requests, found.prompt_tokens, found.completion_tokens) == (1, 7, 5)
        assert (await keys.revoke(row.id)).revoked
        assert store.verify(secret) is None


async def test_an_editor_gets_the_context_that_is_loaded(world: World, tmp_path: Path) -> None:
    editors = RealEditors(world.models, RealCatalogue(), root="http://127.0.0.1:8701/v1", home=tmp_path)
    hosted = world.models.hosted()[0]
    file = await editors.file("continue", hosted, key="sk-sealane-x")
    assert file.savable
    assert h.MODEL in file.content
    assert "8192" in file.content
    assert "http://127.0.0.1:8701/v1" in file.content
    said = await editors.save("continue", hosted, key="sk-sealane-x")
    assert said.startswith("Wrote ")
    assert (tmp_path / ".continue/config.yaml").read_text()
    assert "already" in await editors.save("continue", hosted, key="sk-sealane-x")
    with pytest.raises(SealaneError):
        await editors.file("notepad", hosted, key="")


async def test_a_test_of_an_editor_says_what_was_tried(world: World, tmp_path: Path) -> None:
    editors = RealEditors(world.models, RealCatalogue(), root="http://127.0.0.1:9", home=tmp_path)
    checks = await editors.test("curl", world.models.hosted()[0], key="sk-sealane-x")
    assert not checks[0].ok
    assert checks[0].sentence
