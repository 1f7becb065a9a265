"""The doctor says what it knows, and of what it may not see that it may not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_kube import FakeKube, StepClock, context, forbidden, settle

from sealane.console.services import DoctorCheck
from sealane.fleet import Fleet
from sealane.models import laptop
from sealane.models.types import ModelCard
from sealane.runtime.doctor import Doctor


@pytest.fixture(autouse=True)
def no_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> list[ModelCard]:
        return []

    monkeypatch.setattr(laptop, "read", nothing)


@contextlib.asynccontextmanager
async def fleet_of(kube: FakeKube) -> AsyncIterator[Fleet]:
    async with Fleet([context()], clock=StepClock(), make_client=kube.client) as fleet:
        await settle()
        yield fleet


async def checks(fleet: Fleet, folder: Path) -> dict[str, DoctorCheck]:
    return {check.name: check for check in await Doctor(fleet, data_dir=folder).checks()}


async def test_nodes_that_may_not_be_listed_are_not_called_missing(tmp_path: Path) -> None:
    kube = FakeKube()
    kube.denied.add(("nodes", ""))
    async with fleet_of(kube) as fleet:
        found = (await checks(fleet, tmp_path))["GPUs in harbor-eu"]
    assert found.state == "ok"
    assert found.sentence.startswith("You may not list the nodes")


async def test_a_cluster_without_cards_is_told_so(tmp_path: Path) -> None:
    async with fleet_of(FakeKube()) as fleet:
        found = (await checks(fleet, tmp_path))["GPUs in harbor-eu"]
    assert (found.state, found.sentence) == ("warn", "No node offers a GPU; models can run on CPU only.")


async def test_rights_that_cannot_be_read_give_the_servers_sentence_as_it_is(tmp_path: Path) -> None:
    async with fleet_of(FakeKube()) as fleet:
        refusal = forbidden("reviews are switched off")

        async def refuse(*_: object, **__: object) -> None:
            raise refusal

        fleet.cluster("harbor-eu").client.can_i = refuse  # type: ignore[assignment, method-assign]
        found = (await checks(fleet, tmp_path))["Rights in harbor-eu"]
    assert found.sentence == f"Your rights could not be read. {refusal.sentence}"


async def test_a_fleet_without_up_says_that_editors_have_no_address(tmp_path: Path) -> None:
    async with fleet_of(FakeKube()) as fleet:
        found = await checks(fleet, tmp_path)
    assert found["Gateway"].fix == "sealane up"
    assert found["Python"].state == "ok"


async def test_a_missing_right_has_the_sentence_that_the_button_has_and_the_command_that_checks_it(
    tmp_path: Path,
) -> None:
    kube = FakeKube()
    kube.denied.add(("deployments", ""))
    async with fleet_of(kube) as fleet:
        found = (await checks(fleet, tmp_path))["Rights in harbor-eu"]
    assert found.state == "warn"
    assert found.sentence == ("Your role in default may not create deployments; ask someone who may bind roles there.")
    assert "kubectl --context harbor-eu -n default auth can-i create deployments.apps" in found.fix


async def test_what_may_not_be_seen_is_told_so_that_nobody_takes_it_for_nothing(tmp_path: Path) -> None:
    kube = FakeKube()
    kube.denied.add(("deployments", ""))
    async with fleet_of(kube) as fleet:
        hidden = (await checks(fleet, tmp_path))["Sight of harbor-eu"]
        kube.denied.clear()
    assert "no permission to list models in harbor-eu" in hidden.sentence
    async with fleet_of(kube) as fleet:
        assert "Sight of harbor-eu" not in await checks(fleet, tmp_path)
