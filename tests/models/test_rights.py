"""Which rights an action takes, and that a missing one is said before anything is tried."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import hosting as h
import pytest
from fake_kube import FakeKube, StepClock, context, settle

from sealane.fleet import Cluster, Fleet
from sealane.kube import resources
from sealane.models import action_errors, actions, rights
from sealane.models.hosted import Key

KEY = Key("harbor-eu", "team-a", "qwen")


@contextlib.asynccontextmanager
async def world(*denied: str) -> AsyncIterator[tuple[FakeKube, Fleet, StepClock]]:
    """A hosted model, and no rights to the kinds `denied` (plurals)."""
    kube, clock = FakeKube(), StepClock()
    kube.denied = {(plural, "") for plural in denied}
    kube.put(resources.DEPLOYMENTS, h.deployment(copies=1))
    async with Fleet([context()], clock=clock, make_client=kube.client) as fleet:
        await settle()
        yield kube, fleet, clock


async def told(cluster: Cluster, clock: StepClock, action: rights.Action, **more: bool) -> str:
    rights.may(cluster, action, "team-a", name="qwen", **more)
    await clock.advance(2)
    return rights.may(cluster, action, "team-a", name="qwen", **more).sentence


async def test_before_rights_are_known_nothing_is_refused() -> None:
    async with world("deployments") as (_, fleet, _clock):
        cluster = fleet.cluster("harbor-eu")
        assert not rights.may(cluster, "remove", "team-a").denied
        rights.demand(cluster, "remove", "team-a")


@pytest.mark.parametrize("action", list(rights.NEEDS))
async def test_every_action_is_allowed_to_whoever_may_do_everything(action: rights.Action) -> None:
    async with world() as (_, fleet, clock):
        assert await told(fleet.cluster("harbor-eu"), clock, action) == ""


@pytest.mark.parametrize("action", list(rights.NEEDS))
async def test_every_action_is_refused_to_whoever_may_do_nothing(action: rights.Action) -> None:
    async with world(*(kind.plural for kind in resources.KNOWN)) as (_, fleet, clock):
        sentence = await told(fleet.cluster("harbor-eu"), clock, action)
        assert sentence.startswith("Your role in team-a may not ")
        with pytest.raises(action_errors.NamespaceForbidden) as caught:
            rights.demand(fleet.cluster("harbor-eu"), action, "team-a", name="qwen")
        assert caught.value.sentence == sentence
        assert caught.value.exit_code == 4
        assert all(step.command.startswith("kubectl --context harbor-eu -n team-a") for step in caught.value.next_steps)


async def test_weights_take_a_right_of_their_own() -> None:
    async with world("persistentvolumeclaims") as (_, fleet, clock):
        cluster = fleet.cluster("harbor-eu")
        assert await told(cluster, clock, "remove") == ""
        assert "may not delete persistentvolumeclaims" in await told(cluster, clock, "remove", weights=True)
        assert "may not create persistentvolumeclaims" in await told(cluster, clock, "host", weights=True)


@pytest.mark.parametrize("verb", ["scale", "restart", "remove"])
async def test_what_is_known_to_be_refused_is_not_sent(verb: str) -> None:
    async with world() as (kube, fleet, clock):
        kube.denied = {("deployments", "")}
        await told(fleet.cluster("harbor-eu"), clock, "remove")
        before = len(kube.calls)
        with pytest.raises(action_errors.NamespaceForbidden, match="Your role in team-a may not"):
            await {
                "scale": lambda: actions.scale(fleet, KEY, 2),
                "restart": lambda: actions.restart(fleet, KEY),
                "remove": lambda: actions.remove(fleet, KEY, with_weights=False),
            }[verb]()
        assert [call for call in kube.calls[before:] if call[0] not in {"list", "watch"}] == []


async def test_a_refusal_by_the_server_has_the_same_words_and_puts_rights_in_doubt() -> None:
    async with world() as (kube, fleet, clock):
        cluster = fleet.cluster("harbor-eu")
        assert await told(cluster, clock, "restart") == ""
        client = cluster.client

        async def refuse(*_: object, **__: object) -> None:
            kube.denied = {("deployments", "")}
            kube.check("patch", resources.DEPLOYMENTS, "team-a")

        client.patch = refuse  # type: ignore[method-assign,assignment]
        with pytest.raises(action_errors.NamespaceForbidden) as caught:
            await actions.restart(fleet, KEY)
        assert caught.value.sentence == (
            "Your role in team-a may not patch deployments; ask someone who may bind roles there."
        )
        assert caught.value.evidence
        await asyncio.sleep(0)
        await clock.advance(4)
        assert rights.may(cluster, "restart", "team-a", name="qwen").denied
