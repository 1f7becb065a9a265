"""`sealane fit` over clusters of which one is away, and without any."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle

from sealane.fleet import Fleet
from sealane.lib.errors import UsageError
from sealane.models import catalogue
from sealane.models.types import ModelCard
from sealane.runtime import fitting, hosting, session

TAG = "qwen2.5-coder:7b"


async def fitted() -> fitting.Found:
    return await fitting.fit(TAG, context=8192, parallel=1, kv="f16", data_dir=None, clusters=None)


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    async def card_of(model: str, **_: Any) -> ModelCard:
        return catalogue.load().find(model)

    monkeypatch.setattr(hosting, "card_of", card_of)


async def test_a_cluster_that_could_not_be_asked_is_named_beside_the_places_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kubes = {"near": FakeKube(), "away": FakeKube()}
    kubes["away"].down = refused("away")

    @contextlib.asynccontextmanager
    async def fleet(**_: Any) -> AsyncIterator[Fleet]:
        contexts = [context(name) for name in kubes]
        async with Fleet(contexts, clock=StepClock(), make_client=lambda of: kubes[of.name].client(of)) as opened:
            await settle()
            yield opened

    monkeypatch.setattr(session, "fleet", fleet)
    found = await fitted()
    assert {place.cluster for place in found.places} == {"near"}
    assert found.problems == (refused("away").sentence,)


async def test_without_any_cluster_the_need_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def fleet(**_: Any) -> AsyncIterator[Fleet]:
        raise UsageError("There is no kubeconfig.")
        yield

    monkeypatch.setattr(session, "fleet", fleet)
    found = await fitted()
    assert found.total_bytes > 4e9
    assert (found.places, found.problems) == ((), ("There is no kubeconfig.",))
