"""From what was typed to pods, ports and times: what stands behind `sealane logs`, `exec` and `forward`."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kube_server import Answer, ApiServer, Stream, status
from kube_streams import SUCCESS, Channels

from sealane.fleet import Cluster, Fleet
from sealane.fleet.rights import YES, NoRight, Question, refusal
from sealane.kube.client import Client
from sealane.kube.resources import PODS
from sealane.kube.tailing import Wish
from sealane.lib.clock import ManualClock
from sealane.lib.errors import SealaneError, UsageError
from sealane.models.hosted import Key
from sealane.runtime import streaming
from sealane.runtime.streaming import Place

POD = "/api/v1/namespaces/team-a/pods/web"
MANIFEST: dict[str, Any] = {
    "metadata": {"name": "web", "uid": "u1"},
    "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}]}]},
    "status": {"phase": "Running"},
}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as running:
        yield running


@pytest.fixture
async def fleet(server: ApiServer) -> AsyncIterator[Fleet]:
    """As much of a fleet as a pod needs: one cluster with a client."""
    clock = ManualClock()
    context = server.context(namespace="team-a")
    async with Client(context, clock=clock) as client:
        cluster = SimpleNamespace(name="test", client=client, context=context)
        yield cast(Fleet, SimpleNamespace(clusters={"test": cluster}, cluster=lambda _: cluster, clock=clock))


def model() -> Place:
    return Place(
        cluster=cast(Cluster, SimpleNamespace(name="test")), namespace="team-a", key=Key("test", "team-a", "qwen")
    )


@pytest.mark.parametrize(("since", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800)])
def test_since_is_a_length_of_time(since: str, seconds: int) -> None:
    clock = ManualClock()
    wish = streaming.wish(follow=False, previous=True, since=since, tail=3, clock=clock)
    assert wish == Wish(previous=True, tail_lines=3, since=clock.now() - datetime.timedelta(seconds=seconds))


@pytest.mark.parametrize("since", ["ten", "10", "m", "10m!", "-5m"])
def test_what_is_no_length_of_time_is_said_with_an_example(since: str) -> None:
    with pytest.raises(UsageError, match="is no length of time") as caught:
        streaming.wish(follow=False, previous=False, since=since, tail=None)
    assert caught.value.next_steps[0].command == "--since 10m"


def test_a_run_that_ended_cannot_be_followed() -> None:
    with pytest.raises(UsageError, match="cannot be followed"):
        streaming.wish(follow=True, previous=True, since="", tail=None)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("", (11434, None)), ("80", (80, None)), ("80:8080", (80, 8080)), (":0", (11434, 0)), ("80:", (80, 0))],
)
def test_ports_are_the_pods_and_then_the_local_one(typed: str, found: tuple[int, int | None]) -> None:
    assert streaming.ports(typed, model()) == found


@pytest.mark.parametrize("typed", ["http", "80:x", "70000", "0", "-1", "1:2:3"])
def test_what_is_no_port_is_said(typed: str) -> None:
    with pytest.raises(UsageError, match="is no PORT or PORT:LOCAL"):
        streaming.ports(typed, model())


async def test_a_pod_is_found_with_its_first_container_and_port(server: ApiServer, fleet: Fleet) -> None:
    server.on("GET", POD, Answer(MANIFEST))
    place = await streaming.locate(fleet, "pod/web")
    assert (place.words, place.namespace, streaming.default_container(place.manifest)) == ("pod/web", "team-a", "a")
    assert streaming.port_of(place) == 8080


def test_a_container_that_the_author_named_comes_first() -> None:
    named = {"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "b"}}, "spec": MANIFEST["spec"]}
    assert streaming.default_container(named) == "b"


async def test_a_pod_in_two_clusters_must_be_named_with_one(server: ApiServer, fleet: Fleet) -> None:
    server.on("GET", POD, Answer(MANIFEST))
    fleet.clusters["other"] = fleet.clusters["test"]
    with pytest.raises(UsageError, match="is in 2 clusters"):
        await streaming.locate(fleet, "pod/web")
    assert (await streaming.locate(fleet, "pod/web", cluster="test")).pod == "web"


async def test_a_pod_that_is_nowhere_is_said_in_the_servers_words(fleet: Fleet, server: ApiServer) -> None:
    server.on("GET", POD, status(404, "NotFound", 'pods "web" not found', kind="pods"))
    with pytest.raises(SealaneError, match='pods "web" not found'):
        await streaming.locate(fleet, "pod/web")


def test_a_pod_without_ports_asks_for_one() -> None:
    place = Place(cluster=model().cluster, namespace="team-a", pod="web", manifest={"spec": {"containers": [{}]}})
    with pytest.raises(UsageError, match="declares no port"):
        streaming.port_of(place)


async def test_a_followed_log_of_a_pod_ends_with_the_right_to_read_it(server: ApiServer, fleet: Fleet) -> None:
    stream = Stream(b"2026-01-01T00:00:01Z one\n", kind="text/plain")
    server.on("GET", POD, Answer(MANIFEST))
    server.on("GET", f"{POD}/log", stream)
    place = await streaming.locate(fleet, "pod/web")
    asked = Question(verb="get", resource=PODS, namespace="team-a", name="web", subresource="log")
    seen: list[str] = []
    access = SimpleNamespace(may=lambda *_, **__: refusal("test", asked) if seen else YES)
    fleet.clusters["test"].access = access  # type: ignore[assignment]
    async with asyncio.timeout(10), aclosing(streaming.lines(fleet, place, Wish(follow=True))) as lines:
        seen.append((await anext(lines)).text)
        with pytest.raises(NoRight, match="Your role in team-a may not get pods/log"):
            await anext(lines)
        await stream.left.wait()
    assert seen == ["one"]


async def test_a_command_runs_in_the_default_container(server: ApiServer, fleet: Fleet) -> None:
    server.on("GET", POD, Answer(MANIFEST))
    server.on("GET", f"{POD}/exec", Channels(lambda socket: socket.send_bytes(SUCCESS)))
    place = await streaming.locate(fleet, "pod/web")
    async with streaming.run(place, ["true"], container="", stdin=False, tty=False) as terminal:
        assert await terminal.exit_code() == 0
    assert server.asked(f"{POD}/exec")[0].query["container"] == "a"


async def test_a_taken_port_gives_another_unless_it_was_named(server: ApiServer, fleet: Fleet) -> None:
    server.on("GET", POD, Answer(MANIFEST))
    place = await streaming.locate(fleet, "pod/web")
    async with asyncio.timeout(10), streaming.forwarding(place, port=8080, local=0) as first:
        async with streaming.forwarding(place, port=first.port, local=None) as second:
            assert second.port not in (0, first.port)
            assert streaming.opened(place, second, port=8080).url == f"http://127.0.0.1:{second.port}"
        with pytest.raises(SealaneError, match="is in use"):
            async with streaming.forwarding(place, port=8080, local=first.port):
                pass


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(404, "NotFound", 'pods "web" not found'), "test: pod web is gone."),
        (Answer({**MANIFEST, "status": {"phase": "Failed"}}), "test: pod web has ended (Failed)."),
        (
            Answer({**MANIFEST, "metadata": {"name": "web", "uid": "u2"}}),
            "test: pod web was replaced by another of that name.",
        ),
    ],
)
async def test_a_forward_ends_with_its_pod_in_one_sentence(
    server: ApiServer, fleet: Fleet, answer: Answer, words: str
) -> None:
    outage = status(500, "InternalError", "etcd is away")
    server.on("GET", POD, Answer(MANIFEST), Answer(MANIFEST), outage, answer)
    place = await streaming.locate(fleet, "pod/web")
    async with asyncio.timeout(10), streaming.forwarding(place, port=1, local=0) as listener:
        with pytest.raises(streaming.PodGone) as caught:
            await streaming.keep(fleet, place, listener, on_trouble=lambda _: None)
    assert caught.value.sentence == words
    assert "-n team-a get pods" in caught.value.next_steps[0].command
