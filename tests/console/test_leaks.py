"""Somebody who tries: nothing of a namespace that one may not read reaches any byte of any answer.

Every route of the application is asked, its twin and what its live stream would send too, so that a page that is added
tomorrow is tried as well. Two marks stand in what is hidden: `HIDDEN` in its names, `INSIDE` in what only its objects
hold. An address that names the hidden thing may repeat its name, for the reader wrote it, but nothing else of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hosting as h
import httpx
import pytest
from fake_kube import FakeKube, StepClock, context, settle
from fake_ollama import FakeOllama
from starlette.applications import Starlette
from starlette.routing import Route

from sealane import state
from sealane.console import app, pages, real, views
from sealane.console.changes import Changes
from sealane.console.services import Services, Settings
from sealane.fleet import Fleet
from sealane.fleet.access import ANSWER_KEPT, CONFIRMED_AFTER, REVIEW_EVERY
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.kube import resources
from sealane.models import laptop
from sealane.models.observer import Observer
from sealane.runtime.doctor import Doctor

HIDDEN, INSIDE = "hush", "sesame"
TOKEN = "leak-token"
MINE = {"cluster": "harbor-eu", "namespace": "team-a", "name": "qwen"}
THEIRS = {"cluster": "harbor-eu", "namespace": f"{HIDDEN}-team", "name": f"{HIDDEN}-model"}
KINDS = (
    "pods",
    "deployments",
    "replicasets",
    "events",
    "services",
    "persistentvolumeclaims",
    "podgroups",
    "namespaces",
)
SOON = REVIEW_EVERY + 2 * CONFIRMED_AFTER + 4.0


def fill(kube: FakeKube) -> None:
    """A model of mine, and one of somebody else's that takes a card of a node that both may see."""
    kube.put(resources.NODES, node())
    for name in ("team-a", THEIRS["namespace"]):
        kube.put(resources.NAMESPACES, {"metadata": {"name": name}})
    kube.put(resources.DEPLOYMENTS, h.deployment(copies=1))
    kube.put(resources.REPLICASETS, h.replicaset())
    kube.put(resources.PODS, h.answering())
    place = {"namespace": THEIRS["namespace"]}
    uid = f"d-{HIDDEN}"
    kube.put(
        resources.DEPLOYMENTS, h.deployment(THEIRS["name"], model=f"{INSIDE}:7b", copies=1, ready=1, uid=uid, **place)
    )
    kube.put(resources.REPLICASETS, owned(h.replicaset(f"{HIDDEN}-rs", owner=uid, **place), f"rs-{HIDDEN}"))
    theirs = h.answering(f"{HIDDEN}-pod", owner=f"rs-{HIDDEN}", app=THEIRS["name"], **place)
    theirs["spec"]["nodeName"] = "gpu-1"
    theirs["spec"]["containers"][0].setdefault("resources", {})["limits"] = {"nvidia.com/gpu": "1"}
    theirs["metadata"]["uid"] = f"p-{HIDDEN}"
    kube.put(resources.PODS, theirs)
    said = h.event("Failed", f"the {INSIDE} does not open", about=f"p-{HIDDEN}")
    said["metadata"] |= {"name": f"{HIDDEN}-event", **place}
    kube.put(resources.EVENTS, said)


def owned(obj: dict[str, Any], uid: str) -> dict[str, Any]:
    obj["metadata"]["uid"] = uid
    return obj


def node() -> dict[str, Any]:
    labels = {"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.memory": "46068"}
    ready = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": "gpu-1", "labels": labels},
        "spec": {},
        "status": {"conditions": ready, "allocatable": {"nvidia.com/gpu": "2", "cpu": "8", "memory": "64Gi"}},
    }


def limit(kube: FakeKube, *, everything: bool = False) -> None:
    """Rights to team-a, and to look at nodes and queues; or to everything."""
    kube.denied = set() if everything else {*((kind, "") for kind in KINDS), ("allow", "team-a")}


class World:
    """A console over one cluster in memory, asked as a browser asks it."""

    def __init__(self, kube: FakeKube, clock: StepClock, made: Starlette, services: Services) -> None:
        self.kube, self.clock, self.app, self.services = kube, clock, made, services
        transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)

    async def doing(self, wanted: Awaitable[Any]) -> Any:
        """Run something that may sleep on the clock."""
        task = asyncio.ensure_future(wanted)
        for _ in range(2_000):
            if task.done():
                break
            await self.clock.advance(0.2)
            await asyncio.sleep(0.001)
        return await task

    async def get(self, path: str, *, html: bool = False) -> str:
        headers = {"Accept": "text/html"} if html else {}
        answer = await self.doing(self.browser.get(path, headers=headers))
        return f"{answer.headers}\n{answer.text}"

    async def post(self, path: str, body: dict[str, Any]) -> str:
        answer = await self.doing(self.browser.post(path, json=body))
        return f"{answer.headers}\n{answer.text}"


@contextlib.asynccontextmanager
async def world_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, everything: bool) -> AsyncIterator[World]:
    async def nothing(*_: object, **__: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(laptop, "read", nothing)
    clock, kube = StepClock(), FakeKube()
    ollama = FakeOllama(h.MODEL)
    ollama.clock = clock
    kube.pods[("team-a", "qwen-1-a")] = ollama
    fill(kube)
    limit(kube, everything=everything)
    database = state.open(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(database.close)
        mine = context(namespace="team-a")
        fleet = await stack.enter_async_context(Fleet([mine], clock=clock, make_client=kube.client))
        await settle()
        observer = await stack.enter_async_context(Observer(fleet))
        services = real.services(
            settings=Settings(version="1", sandbox=True, token=TOKEN, gateway_url="http://127.0.0.1:9/v1"),
            fleet=fleet,
            observer=observer,
            keys=KeyStore(database),
            usage=UsageStore(database),
            doctor=Doctor(fleet, data_dir=tmp_path),
            home=tmp_path,
            clock=clock,
        )
        made = app.build(services)
        await stack.enter_async_context(made.router.lifespan_context(made))
        world = World(kube, clock, made, services)
        stack.push_async_callback(world.browser.aclose)
        services.clusters.facts()
        services.rights.sights()
        await clock.advance(8)
        await world.doing(services.clusters.settle())
        yield world


def addresses(made: Starlette, ref: dict[str, str], method: str) -> list[str]:
    """Every address of the application that takes `method`, about `ref` where it is about a model; streams aside."""
    found = []
    for route in made.routes:
        assert isinstance(route, Route), f"{route} is of a new sort: say here how to ask it"
        if method in (route.methods or ()) and not route.path.startswith(("/static", "/live")):
            found.append(re.sub(r"\{(\w+)(:\w+)?\}", lambda part: quote(ref.get(part[1], "x"), safe=""), route.path))
    return found


async def streamed(world: World, ref: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """What the live stream of each page sends now."""
    desk = views.Desk(world.services, Changes(world.clock))
    for view in pages.VIEWS:
        ask = views.Ask(tuple(sorted({**ref, "key": "x"}.items())))
        with contextlib.suppress(Exception):
            shown = await world.doing(view.context(desk, ask))
            regions = views.render_regions(world.app.state.templates, world.services, view, shown)
            yield view.name, "\n".join(regions.values())


async def everything_said(world: World, ref: dict[str, str]) -> dict[str, str]:
    """Every answer that can be had by reading."""
    said: dict[str, str] = {}
    for path in addresses(world.app, ref, "GET"):
        said[path] = await world.get(path)
        said[f"{path} as a page"] = await world.get(path, html=True)
    for query in (f"q={HIDDEN}", f"q={INSIDE}", "q=team"):
        said[f"/models?{query}"] = (await world.get(f"/models.json?{query}")).replace(query, "")
    async for name, regions in streamed(world, ref):
        said[f"the stream of {name}"] = regions
    return said


def telling(said: dict[str, str], *marks: str) -> list[str]:
    return [path for path, answer in said.items() for mark in marks if mark in answer.lower()]


def without_search(said: dict[str, str]) -> dict[str, str]:
    """Answers without the reader's own words."""
    return {path: re.sub(rf'"q":\s*"({HIDDEN}|{INSIDE})"', "", answer) for path, answer in said.items()}


async def test_this_test_can_fail_for_whoever_may_read_everything_is_told_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_of(tmp_path, monkeypatch, everything=True) as world:
        told = telling(await everything_said(world, MINE), HIDDEN, INSIDE)
        pages_told = {path.removesuffix(" as a page") for path in told}
        assert {"/", "/home.json", "/models", "/models.json", "/clusters", "the stream of home"} <= pages_told
        assert telling(await everything_said(world, THEIRS), INSIDE)


async def test_nothing_of_a_hidden_namespace_is_in_any_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world_of(tmp_path, monkeypatch, everything=False) as world:
        said = without_search(await everything_said(world, MINE))
        assert telling(said, HIDDEN, INSIDE) == []
        assert "qwen2.5-coder:7b" in said["/models"]


async def test_an_address_of_a_hidden_model_tells_no_more_than_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_of(tmp_path, monkeypatch, everything=False) as world:
        assert telling(without_search(await everything_said(world, THEIRS)), INSIDE) == []
        for path in [path for path in addresses(world.app, THEIRS, "POST") if HIDDEN in path]:
            answer = await world.post(path, {"copies": 2, "editor": "continue", "weights": 1, "name": "k"})
            assert INSIDE not in answer, path
        assert [call for call in world.kube.calls if call[0] in {"patch", "delete", "apply", "create"}] == []


async def lost(world: World) -> None:
    limit(world.kube)
    await world.clock.advance(SOON)


async def swapped(world: World) -> None:
    """Another token, of somebody with fewer rights, and every connection is new."""
    limit(world.kube)
    world.kube.cut()
    await world.clock.advance(SOON)


async def taken_and_given_elsewhere(world: World) -> None:
    limit(world.kube)
    await world.clock.advance(ANSWER_KEPT)
    world.kube.denied = set()
    await world.clock.advance(ANSWER_KEPT + SOON)
    limit(world.kube)
    await world.clock.advance(SOON)


@pytest.mark.parametrize("change", [lost, swapped, taken_and_given_elsewhere])
async def test_rights_that_are_lost_while_pages_are_open_take_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[World], Awaitable[None]]
) -> None:
    async with world_of(tmp_path, monkeypatch, everything=True) as world:
        assert telling(await everything_said(world, MINE), HIDDEN)
        await change(world)
        said = without_search(await everything_said(world, MINE))
        assert telling(said, HIDDEN, INSIDE) == []
        assert "qwen2.5-coder:7b" in said["/models"]
        assert telling(without_search(await everything_said(world, THEIRS)), INSIDE) == []


async def test_an_open_stream_sends_nothing_of_it_after_rights_were_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_of(tmp_path, monkeypatch, everything=True) as world:
        view = next(view for view in pages.VIEWS if view.name == "models")
        desk = views.Desk(world.services, Changes(world.clock))

        async def render() -> dict[str, str]:
            shown = await view.context(desk, views.Ask())
            return views.render_regions(world.app.state.templates, world.services, view, shown)

        messages: list[bytes] = []

        async def listen() -> None:
            async for message in world.app.state.hub.read("models", render):
                messages.append(message)

        listener = asyncio.ensure_future(listen())
        await world.clock.advance(3)
        assert any(HIDDEN.encode() in message for message in messages)
        limit(world.kube)
        await world.clock.advance(SOON)
        messages.clear()
        for number in range(3):
            world.kube.put(
                resources.DEPLOYMENTS,
                h.deployment(THEIRS["name"], namespace=THEIRS["namespace"], model=f"{INSIDE}:7b", copies=number),
            )
            await world.clock.advance(5)
        assert messages
        assert [message for message in messages if HIDDEN.encode() in message or INSIDE.encode() in message] == []
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener
