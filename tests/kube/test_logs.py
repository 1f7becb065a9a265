"""Lines as they are written, and nothing lost at the seams."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_server import Answer, ApiServer, Stream, status

from sealane.kube import errors, logs
from sealane.kube.client import Client

PATH = "/api/v1/namespaces/team-a/pods/web/log"


async def test_lines_keep_their_ends_and_the_last_may_lack_one(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer(b"one\n\ntwo\r\nthr\xff"))
    assert [line async for line in client.logs("web", namespace="team-a")] == [b"one\n", b"\n", b"two\r\n", b"thr\xff"]


async def test_options_are_asked_for(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer(b""))
    found = client.logs("web", namespace="team-a", container="pull", follow=True, tail_lines=0, previous=True)
    assert [line async for line in found] == []
    assert server.requests[0].query == {"container": "pull", "follow": "true", "tailLines": "0", "previous": "true"}


async def test_a_followed_line_comes_when_it_is_whole(server: ApiServer, client: Client) -> None:
    stream = Stream(b"one\ntw", kind="text/plain")
    server.on("GET", PATH, stream)
    async with asyncio.timeout(5), contextlib.aclosing(client.logs("web", namespace="team-a", follow=True)) as lines:
        assert await anext(lines) == b"one\n"
        stream.send(b"o\n")
        assert await anext(lines) == b"two\n"
    async with asyncio.timeout(5):
        await stream.left.wait()


async def test_a_container_that_has_not_started_is_said_in_the_servers_words(server: ApiServer, client: Client) -> None:
    words = 'container "ollama" in pod "web" is waiting to start: PodInitializing'
    server.on("GET", PATH, status(400, "BadRequest", words))
    with pytest.raises(errors.Invalid, match="is waiting to start: PodInitializing"):
        async for _ in client.logs("web", namespace="team-a"):
            pass


async def test_an_endless_line_is_handed_on_in_pieces(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LONGEST_LINE", 10)
    server.on("GET", PATH, Answer(b"x" * 300_000 + b"\nend"))
    pieces = [line async for line in client.logs("web", namespace="team-a")]
    assert b"".join(pieces) == b"x" * 300_000 + b"\nend"
    assert len(pieces) > 2


class Arriving:
    """An answer whose body comes in parts of a size."""

    def __init__(self, body: bytes, size: int) -> None:
        self._parts = [body[at : at + size] for at in range(0, len(body), size)]
        self.content = self

    async def readany(self) -> bytes:
        return self._parts.pop(0) if self._parts else b""


@given(body=st.lists(st.sampled_from([b"a" * 3, b"b" * 8, b"\n"]), max_size=12).map(b"".join), size=st.integers(1, 40))
async def test_pieces_of_a_long_line_are_the_same_however_it_arrives(body: bytes, size: int) -> None:
    response = cast(aiohttp.ClientResponse, Arriving(body, size))
    pieces = [piece async for piece in logs.lines(response, end=b"\n", longest=8)]
    assert b"".join(pieces) == body
    whole = [line[at : at + 8] for line in body.split(b"\n") for at in range(0, len(line), 8)]
    assert [text for piece in pieces if (text := piece.rstrip(b"\n"))] == whole


async def test_a_long_line_that_drips_is_joined_once_and_not_with_each_drop() -> None:
    response = cast(aiohttp.ClientResponse, Arriving(b"x" * 1_000_000, 4))  # joined each time these are 125 GB
    assert [len(piece) async for piece in logs.lines(response)] == [1_000_000]
