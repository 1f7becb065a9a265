"""The direct way: an address that answers, that does not, and that breaks off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from kube_server import Answer, ApiServer, Stream

from sealane.gateway import upstream


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with upstream.session(connect=2.0) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as running:
        yield running


async def test_a_connection_is_used_again_after_an_answer(session: aiohttp.ClientSession, server: ApiServer) -> None:
    server.on("POST", "/x", Answer({"a": 1}))
    way = upstream.Direct(session, server.url + "/")
    for _ in range(3):
        response = await way.open("POST", "/x", b"{}")
        assert await response.read() == b'{"a":1}'
        await response.close()
    assert session.connector is not None
    assert sum(len(connections) for connections in session.connector._conns.values()) == 1


async def test_compressed_bytes_are_not_asked_for(session: aiohttp.ClientSession, server: ApiServer) -> None:
    server.on("GET", "/x", Answer({}))
    response = await upstream.Direct(session, server.url).open("GET", "/x", b"")
    await response.close()
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
    assert server.requests[0].body == b""


async def test_a_port_where_nothing_listens_is_unreached(session: aiohttp.ClientSession) -> None:
    async with ApiServer() as server:
        gone = server.url
    with pytest.raises(upstream.Unreached):
        await upstream.Direct(session, gone).open("POST", "/x", b"{}")


async def test_an_answer_that_breaks_off_is_lost(session: aiohttp.ClientSession, server: ApiServer) -> None:
    stream = Stream(b"one", kind="text/event-stream")
    server.on("POST", "/x", stream)
    response = await upstream.Direct(session, server.url).open("POST", "/x", b"{}")
    assert response.content_type == "text/event-stream"
    assert await response.chunk() == b"one"
    stream.cut()
    with pytest.raises(upstream.Lost):
        await response.chunk()
    await response.close()


async def test_a_whole_answer_that_breaks_off_is_lost(session: aiohttp.ClientSession, server: ApiServer) -> None:
    stream = Stream(b"one")
    server.on("POST", "/x", stream)
    response = await upstream.Direct(session, server.url).open("POST", "/x", b"{}")
    stream.cut()
    with pytest.raises(upstream.Lost):
        await response.read()
    await response.close()


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession, server: ApiServer) -> None:
    async with ApiServer() as elsewhere:
        elsewhere.on("POST", "/latest/meta-data", Answer({"secret": 1}))
        server.on("POST", "/x", Answer(status=307, headers={"Location": f"{elsewhere.url}/latest/meta-data"}))
        response = await upstream.Direct(session, server.url).open("POST", "/x", b"{}")
        assert response.status == 307
        await response.close()
        assert not elsewhere.requests


async def test_an_answer_without_end_is_not_held(
    session: aiohttp.ClientSession, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "ANSWER_LIMIT", 1000)
    server.on("POST", "/x", Answer("a" * 5000))
    response = await upstream.Direct(session, server.url).open("POST", "/x", b"{}")
    with pytest.raises(upstream.Lost, match="larger than"):
        await response.read()
