"""Commands say what may not be seen: an empty list is never the whole answer then."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from fake_kube import FakeKube, StepClock, context, settle

from sealane.fleet import Fleet
from sealane.kube.resources import DEPLOYMENTS
from sealane.lib.errors import NotAllowed
from sealane.runtime import session


@contextlib.asynccontextmanager
async def fleet_of(**kubes: FakeKube) -> AsyncIterator[Fleet]:
    contexts = [context(name) for name in kubes]
    async with Fleet(contexts, clock=StepClock(), make_client=lambda of: kubes[of.name].client(of)) as fleet:
        await settle()
        for cluster in fleet.clusters.values():
            await cluster.synced(DEPLOYMENTS)
        yield fleet


def denied(*allowed: str) -> FakeKube:
    kube = FakeKube()
    kube.denied = {("deployments", ""), *(("allow", name) for name in allowed)}
    return kube


async def test_whoever_may_see_everything_is_told_nothing() -> None:
    async with fleet_of(a=FakeKube()) as fleet:
        assert session.unseen(fleet) == []


async def test_some_namespaces_alone_are_named() -> None:
    async with fleet_of(a=denied("default")) as fleet:
        assert session.unseen(fleet) == ["You may list models of a in default alone; others are not shown."]


async def test_where_nothing_may_be_seen_at_all_an_empty_list_would_be_a_lie() -> None:
    async with fleet_of(a=denied()) as fleet:
        with pytest.raises(NotAllowed, match="no permission to list models in a") as caught:
            session.unseen(fleet)
        assert caught.value.exit_code == 4
        assert caught.value.next_steps[-1].command == "kubectl --context a auth can-i --list"


async def test_one_cluster_that_may_be_seen_is_enough_for_a_list() -> None:
    async with fleet_of(a=denied(), b=FakeKube()) as fleet:
        (sentence,) = session.unseen(fleet)
        assert "no permission to list models in a" in sentence
