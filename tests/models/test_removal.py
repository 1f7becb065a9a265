"""Removing a model: what goes, what stays, what is not ours, and how long it takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import hosting as h
import pytest
from fake_kube import FakeKube, StepClock, context, settle

from sealane.fleet import Fleet
from sealane.kube import resources
from sealane.models import action_errors, actions, hosted
from sealane.models.hosted import Key

KEY = Key("harbor-eu", "team-a", "qwen")
LABELS = {"app.kubernetes.io/name": "qwen", "app.kubernetes.io/managed-by": "sealane"}


def thing(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-a", "labels": LABELS, **more.pop("metadata", {})}
    return {"metadata": metadata, **more}


@contextlib.asynccontextmanager
async def hosting(clock: StepClock | None = None) -> AsyncIterator[tuple[FakeKube, Fleet]]:
    kube = FakeKube()
    kube.put(resources.DEPLOYMENTS, h.deployment())
    kube.put(resources.SERVICES, thing("qwen"))
    kube.put(resources.PVCS, thing("qwen-weights", spec={"resources": {"requests": {"storage": "12Gi"}}}))
    kube.put(resources.PVCS, thing("qwen-1-a-models", metadata={"ownerReferences": [{"kind": "Pod", "uid": "p"}]}))
    kube.put(resources.SERVICES, {"metadata": {"name": "web", "namespace": "team-a"}})
    async with Fleet([context()], clock=clock or StepClock(), make_client=kube.client) as fleet:
        await settle()
        yield kube, fleet


def left(kube: FakeKube) -> set[str]:
    kinds = (resources.DEPLOYMENTS, resources.SERVICES, resources.PVCS)
    return {f"{kind.kind} {key[1]}" for kind in kinds for key in kube.objects.get(kind, {})}


async def test_a_preview_says_what_would_go_and_stay_and_touches_nothing() -> None:
    async with hosting() as (kube, fleet):
        before = left(kube)
        found = await actions.preview_removal(fleet, KEY, with_weights=False)
        assert found.went == ("Deployment qwen", "Service qwen")
        assert found.stayed == ("PersistentVolumeClaim qwen-weights (weights, 12.0 GiB)",)
        assert left(kube) == before


async def test_removing_keeps_the_weights_unless_they_are_asked_for() -> None:
    async with hosting() as (kube, fleet):
        await actions.remove(fleet, KEY, with_weights=False)
        assert left(kube) == {
            "Service web",
            "PersistentVolumeClaim qwen-weights",
            "PersistentVolumeClaim qwen-1-a-models",
        }
        done = await actions.remove(fleet, KEY, with_weights=True)
        assert done.went == ("PersistentVolumeClaim qwen-weights (weights, 12.0 GiB)",)
        assert "PersistentVolumeClaim qwen-weights" not in left(kube)


async def test_the_second_time_there_is_nothing_to_remove() -> None:
    async with hosting() as (_, fleet):
        await actions.remove(fleet, KEY, with_weights=True)
        with pytest.raises(hosted.NotHosted):
            await actions.remove(fleet, KEY, with_weights=True)


async def test_removing_waits_until_the_pods_are_gone() -> None:
    clock = StepClock()
    async with hosting(clock) as (kube, fleet):
        kube.put(resources.PODS, h.answering())
        task = asyncio.ensure_future(actions.remove(fleet, KEY, with_weights=False))
        await clock.advance(3)
        assert not task.done()
        kube.drop(resources.PODS, "team-a", "qwen-1-a")
        await clock.advance(1)
        assert (await task).went


async def test_pods_that_do_not_leave_are_named_after_the_limit() -> None:
    clock = StepClock()
    async with hosting(clock) as (kube, fleet):
        kube.put(resources.PODS, h.answering())
        task = asyncio.ensure_future(actions.remove(fleet, KEY, with_weights=False, timeout=5))
        await clock.advance(10)
        with pytest.raises(action_errors.StillLeaving, match=r"1 pod of it is still leaving: qwen-1-a") as caught:
            await task
        assert "describe pod qwen-1-a" in caught.value.next_steps[0].command


async def test_kinds_that_may_not_be_listed_are_said_as_unseen() -> None:
    async with hosting() as (kube, fleet):
        kube.denied = {("secrets", "")}
        found = await actions.preview_removal(fleet, KEY, with_weights=False)
        assert found.unseen == ("secrets",)


async def test_without_the_right_to_delete_it_says_what_is_still_there() -> None:
    async with hosting() as (kube, fleet):
        client = fleet.cluster("harbor-eu").client

        async def deny(*_: Any, **__: Any) -> None:
            kube.denied = {("deployments", "")}
            kube.check("delete", resources.DEPLOYMENTS, "team-a")

        client.delete = deny  # type: ignore[assignment]
        with pytest.raises(action_errors.NamespaceForbidden, match="Deployment qwen is still there"):
            await actions.remove(fleet, KEY, with_weights=False)


async def test_a_thing_made_anew_under_the_same_name_is_left_alone() -> None:
    async with hosting() as (kube, fleet):
        client = fleet.cluster("harbor-eu").client
        delete = client.delete

        async def renewed(resource: Any, name: str, **options: Any) -> Any:
            if resource == resources.SERVICES:
                kube.drop(resources.SERVICES, "team-a", "qwen")
                kube.put(resources.SERVICES, thing("qwen"))
            return await delete(resource, name, **options)

        client.delete = renewed  # type: ignore[method-assign]
        await actions.remove(fleet, KEY, with_weights=False)
        assert "Service qwen" in left(kube)
