"""Several logs as one: in order, with those who join and without those who leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing

import pytest
from kube_server import Answer, ApiServer, Stream, status
from kube_streams import GONE, at

from sealane.kube import errors, merging
from sealane.kube.client import Client
from sealane.kube.tailing import Line, Source, Wish
from sealane.lib.errors import SealaneError

FOLLOW = Wish(follow=True)


def source(name: str) -> Source:
    return Source("team-a", name)


def path(name: str) -> str:
    return f"/api/v1/namespaces/team-a/pods/{name}"


def running(server: ApiServer, *names: str) -> dict[str, Stream]:
    """Pods whose logs the test writes."""
    streams = {name: Stream(kind="text/plain") for name in names}
    for name, stream in streams.items():
        server.on("GET", path(name), Answer({"status": {"phase": "Running"}}), GONE)
        server.on("GET", f"{path(name)}/log", stream)
    return streams


async def test_what_is_there_is_merged_by_time_and_stays_whole(server: ApiServer, client: Client) -> None:
    server.on("GET", f"{path('a')}/log", Answer(at(1, "a1") + b"said by the kubelet\n" + at(4, "a4")))
    server.on("GET", f"{path('b')}/log", Answer(at(2, "b2") + at(3, "b3")))
    found = merging.past(client.http, [source("a"), source("b")], Wish(tail_lines=9))
    assert [(line.pod, line.text) async for line in found] == [
        ("a", "a1"),
        ("a", "said by the kubelet"),
        ("b", "b2"),
        ("b", "b3"),
        ("a", "a4"),
    ]
    assert {seen.query["limitBytes"] for seen in server.requests} == {str(merging.LIMIT)}


async def test_one_that_fails_is_told_and_the_others_are_read(server: ApiServer, client: Client) -> None:
    server.on("GET", f"{path('a')}/log", status(400, "BadRequest", 'container "x" in pod "a" is waiting to start'))
    server.on("GET", f"{path('b')}/log", Answer(at(2, "b2")))
    told: list[tuple[str, SealaneError]] = []
    found = merging.past(
        client.http, [source("a"), source("b")], Wish(), told=lambda who, error: told.append((who.pod, error))
    )
    assert [line.text async for line in found] == ["b2"]
    assert [(pod, type(error)) for pod, error in told] == [("a", errors.Invalid)]
    with pytest.raises(errors.Invalid):
        async for _ in merging.past(client.http, [source("a"), source("b")], Wish()):
            pass


async def test_live_lines_of_several_come_in_order(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "SETTLE", 0.5)
    streams = running(server, "a", "b")
    lines = merging.merged(client.http, merging.fixed(source("a"), source("b")), FOLLOW, clock=client.clock)
    async with asyncio.timeout(10), aclosing(lines):
        streams["b"].send(at(2, "b2"))
        streams["a"].send(at(1, "a1") + at(3, "a3"))
        assert [(await anext(lines)).text for _ in range(3)] == ["a1", "b2", "a3"]


async def test_it_ends_when_all_have_ended(server: ApiServer, client: Client) -> None:
    streams = running(server, "a", "b")
    for name, stream in streams.items():
        stream.send(at(1, name))
        stream.end()
    lines = merging.merged(client.http, merging.fixed(source("a"), source("b")), FOLLOW, clock=client.clock)
    async with asyncio.timeout(10), aclosing(lines):
        assert sorted([line.text async for line in lines]) == ["a", "b"]


async def test_nobody_to_listen_to_is_an_end(client: Client) -> None:
    async with asyncio.timeout(5):
        assert [line async for line in merging.merged(client.http, merging.fixed(), FOLLOW, clock=client.clock)] == []


async def test_pods_join_and_one_that_left_is_let_go(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LEAVE", 0.01)
    streams = running(server, "a", "b")
    sets: asyncio.Queue[Collection[Source]] = asyncio.Queue()

    async def sources() -> AsyncIterator[Collection[Source]]:
        while True:
            yield await sets.get()

    lines = merging.merged(client.http, sources(), FOLLOW, clock=client.clock)
    async with asyncio.timeout(10), aclosing(lines):
        sets.put_nowait([source("a")])
        streams["a"].send(at(1, "a1"))
        assert (await anext(lines)).text == "a1"
        sets.put_nowait([source("b")])
        streams["b"].send(at(2, "b2"))
        assert (await anext(lines)).text == "b2"
        await streams["a"].left.wait()


async def test_one_that_is_refused_ends_alone_when_told_and_everything_when_not(
    server: ApiServer, client: Client
) -> None:
    streams = running(server, "a")
    server.on("GET", path("b"), GONE)
    server.on("GET", f"{path('b')}/log", GONE)
    told: asyncio.Queue[str] = asyncio.Queue()
    both = (source("a"), source("b"))
    lines = merging.merged(
        client.http, merging.fixed(*both), FOLLOW, clock=client.clock, told=lambda who, _: told.put_nowait(who.pod)
    )
    async with asyncio.timeout(10), aclosing(lines):
        next_line = asyncio.ensure_future(anext(lines))  # type: ignore[arg-type]
        assert await told.get() == "b"
        streams["a"].send(at(1, "a1"))
        assert (await next_line).text == "a1"
    alone = merging.merged(client.http, merging.fixed(source("b")), FOLLOW, clock=client.clock)
    async with asyncio.timeout(10), aclosing(alone):
        with pytest.raises(errors.NotFound):
            await anext(alone)


async def test_a_reader_that_stops_leaves_nothing_running(server: ApiServer, client: Client) -> None:
    streams = running(server, "a", "b")
    lines = merging.merged(client.http, merging.fixed(source("a"), source("b")), FOLLOW, clock=client.clock)
    async with asyncio.timeout(10):
        async with aclosing(lines):
            streams["a"].send(at(1, "a1"))
            await anext(lines)
            await streams["b"].opened.wait()
        for stream in streams.values():
            await stream.left.wait()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("logs:")]


async def test_a_slow_reader_holds_the_writers_and_loses_nothing(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_QUEUE", 3)
    count = 5_000
    whole = b"".join(at(number / 1000, f"{number}") for number in range(count))
    server.on("GET", path("a"), Answer({"status": {"phase": "Running"}}), GONE)
    server.on("GET", f"{path('a')}/log", Stream(whole, kind="text/plain", then="end"))
    found: list[Line] = []
    async with asyncio.timeout(20):
        async for line in merging.merged(client.http, merging.fixed(source("a")), FOLLOW, clock=client.clock):
            found.append(line)
            await asyncio.sleep(0)
    assert [line.text for line in found] == [str(number) for number in range(count)]


async def test_few_lines_of_many_bytes_wait_at_the_server_too(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_HELD", 1_000)
    stream = running(server, "a")["a"]
    stream.send(b"".join(at(number, f"{number}" * 600) for number in range(1, 9)))
    stream.end()
    merger = merging._Merger(client.http, FOLLOW, clock=client.clock, told=None)
    held: list[int] = []
    async with asyncio.timeout(10), aclosing(merger.lines(merging.fixed(source("a")))) as lines:
        async for line in lines:
            held.append(merger._held)
            assert len(line.text) == 600
    await merger.stop()
    assert len(held) == 8
    assert max(held) < 2_000
    assert merger._held == 0


async def test_a_guard_ends_everything_though_the_server_would_go_on(server: ApiServer, client: Client) -> None:
    streams = running(server, "a")
    lost = asyncio.Event()

    async def guard() -> None:
        await lost.wait()
        raise errors.Disconnected("the right was lost", target=client.http.target("GET", path("a")))

    heard: list[str] = []
    lines = merging.merged(
        client.http, merging.fixed(source("a")), FOLLOW, clock=client.clock,
        told=lambda who, _: heard.append(who.pod), guard=guard,
    )  # fmt: skip
    async with asyncio.timeout(10), aclosing(lines):
        streams["a"].send(at(1, "a1"))
        assert (await anext(lines)).text == "a1"
        lost.set()
        with pytest.raises(errors.Disconnected, match="the right was lost"):
            await anext(lines)
        await streams["a"].left.wait()
    assert heard == []


async def test_a_guard_that_goes_on_keeps_no_log_open(server: ApiServer, client: Client) -> None:
    streams = running(server, "a")
    streams["a"].end()

    async def guard() -> None:
        await asyncio.Event().wait()

    lines = merging.merged(client.http, merging.fixed(source("a")), FOLLOW, clock=client.clock, guard=guard)
    async with asyncio.timeout(10), aclosing(lines):
        assert [line async for line in lines] == []
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("logs:")]
