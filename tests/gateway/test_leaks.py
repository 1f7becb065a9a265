"""Nothing of a namespace that one may not read is in what the gateway says, with a key or without, in lists, errors,
routes and figures; and what was readable once is gone with the right to read it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fake_kube import FakeKube, StepClock, context, settle

from sealane.fleet import Fleet
from sealane.fleet.access import CONFIRMED_AFTER, REVIEW_EVERY
from sealane.gateway.app import Gateway, Settings
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.gateway.replicas import FleetReplicas
from sealane.kube import resources
from sealane.state.database import Database

HIDDEN, MINE = "sesame", "tiny:1b"
LABELS = {"app.kubernetes.io/managed-by": "sealane"}
SOON = REVIEW_EVERY + 2 * CONFIRMED_AFTER + 4.0
LIMITED = {("pods", ""), ("deployments", ""), ("namespaces", ""), ("allow", "team-a")}
READ = ("/", "/readyz", "/metrics", "/v1/models", "/api/tags", "/api/ps", "/api/version", "/v1/models/sesam:7b")


def pod(namespace: str, name: str, model: str) -> dict[str, Any]:
    meta = {"name": f"{name}-1", "namespace": namespace, "annotations": {"sealane.dev/model": model}}
    return {
        "metadata": {**meta, "labels": {**LABELS, "app.kubernetes.io/name": name}},
        "spec": {"containers": [{"name": "ollama"}]},
        "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
    }


@contextlib.asynccontextmanager
async def gateway(database: Database, kube: FakeKube, clock: StepClock) -> AsyncIterator[httpx.AsyncClient]:
    for namespace, name, model in (("team-a", "tiny", MINE), (f"{HIDDEN}-team", f"{HIDDEN}-model", f"{HIDDEN}:7b")):
        kube.put(resources.NAMESPACES, {"metadata": {"name": namespace}})
        kube.put(resources.PODS, pod(namespace, name, model))
    async with Fleet([context(namespace="team-a")], clock=clock, make_client=kube.client) as fleet:
        source = FleetReplicas(fleet)
        made = Gateway(
            replicas=source, keys=KeyStore(database), usage=UsageStore(database), settings=Settings(require_key=False),
            clock=clock,
        )  # fmt: skip
        following = asyncio.create_task(source.run())
        await clock.advance(2)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=made), base_url="http://127.0.0.1") as asked:
            yield asked
        following.cancel()
        await settle()


async def said(asked: httpx.AsyncClient, clock: StepClock) -> str:
    """Everything, and what it says about names that are nearly right."""
    wishes = [("GET", path, None) for path in READ]
    wishes += [("POST", path, {"model": "sesam:7b"}) for path in ("/v1/chat/completions", "/api/chat", "/api/show")]
    answers = []
    for method, path, body in wishes:
        task = asyncio.ensure_future(asked.request(method, path, json=body))
        for _ in range(200):
            if task.done():
                break
            await clock.advance(0.2)
        answers.append((await task).text)
    assert MINE in "".join(answers)
    return "\n".join(answers)


async def test_whoever_may_read_everything_is_told_everything(database: Database) -> None:
    clock, kube = StepClock(), FakeKube()
    async with gateway(database, kube, clock) as asked:
        assert HIDDEN in await said(asked, clock)


async def test_nothing_of_a_hidden_namespace_is_told(database: Database) -> None:
    clock, kube = StepClock(), FakeKube()
    kube.denied = set(LIMITED)
    async with gateway(database, kube, clock) as asked:
        await clock.advance(SOON)
        assert HIDDEN not in await said(asked, clock)


@pytest.mark.parametrize("cut", [False, True])
async def test_rights_that_are_lost_take_models_and_figures_with_them(database: Database, cut: bool) -> None:
    clock, kube = StepClock(), FakeKube()
    async with gateway(database, kube, clock) as asked:
        assert HIDDEN in await said(asked, clock)
        kube.denied = set(LIMITED)
        if cut:
            kube.cut()
        await clock.advance(SOON)
        assert HIDDEN not in await said(asked, clock)
