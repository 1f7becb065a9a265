"""Through the API server: bytes pass, and the server's refusals are not mistaken for the pod's answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from kube_server import Answer, ApiServer, Stream, status

from sealane.gateway.pod_proxy import PodProxy
from sealane.gateway.routes import Replica
from sealane.gateway.upstream import Lost, Unreached
from sealane.kube.client import Client
from sealane.lib.clock import ManualClock

PATH = "/api/v1/namespaces/team-a/pods/tiny-a:11434/proxy/v1/chat/completions"
REPLICA = Replica(cluster="test", namespace="team-a", pod="tiny-a", name="tiny", model="tiny")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as running:
        yield running


@pytest.fixture
async def way(server: ApiServer) -> AsyncIterator[PodProxy]:
    async with Client(server.context(), clock=ManualClock()) as client:
        yield PodProxy(lambda: client, REPLICA, port=11434)


async def test_a_whole_answer_comes_back_as_it_is(server: ApiServer, way: PodProxy) -> None:
    server.on("POST", PATH, Answer({"choices": []}))
    response = await way.open("POST", "/v1/chat/completions", b'{"model":"tiny"}')
    assert (response.status, response.content_type) == (200, "application/json")
    assert await response.read() == b'{"choices":[]}'
    await response.close()
    assert server.requests[0].body == b'{"model":"tiny"}'
    assert server.requests[0].headers["Content-Type"] == "application/json"


async def test_a_stream_comes_piece_by_piece(server: ApiServer, way: PodProxy) -> None:
    stream = Stream(b"data: 1\n\n", kind="text/event-stream")
    server.on("POST", PATH, stream)
    response = await way.open("POST", "/v1/chat/completions", b"{}")
    assert response.content_type == "text/event-stream"
    assert await response.chunk() == b"data: 1\n\n"
    stream.send(b"data: 2\n\n")
    assert await response.chunk() == b"data: 2\n\n"
    stream.end()
    assert await response.chunk() == b""
    assert await response.chunk() == b""
    await response.close()


async def test_letting_go_early_hangs_up(server: ApiServer, way: PodProxy) -> None:
    stream = Stream(b"data: 1\n\n", kind="text/event-stream")
    server.on("POST", PATH, stream)
    response = await way.open("POST", "/v1/chat/completions", b"{}")
    await response.chunk()
    await response.close()
    async with asyncio.timeout(5):
        await stream.left.wait()


async def test_a_connection_that_breaks_is_lost(server: ApiServer, way: PodProxy) -> None:
    stream = Stream(b"data: 1\n\n", kind="text/event-stream")
    server.on("POST", PATH, stream)
    response = await way.open("POST", "/v1/chat/completions", b"{}")
    await response.chunk()
    stream.cut()
    with pytest.raises(Lost):
        await response.chunk()
    await response.close()


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        (status(403, "Forbidden", 'pods "tiny-a" is forbidden: User "dana" cannot create resource "pods/proxy"'), True),
        (status(401, "Unauthorized", "Unauthorized"), True),
        (status(404, "NotFound", 'pods "tiny-a" not found'), False),
        (status(503, "ServiceUnavailable", "error trying to reach service: dial tcp: connection refused"), False),
    ],
)
async def test_what_the_api_server_refuses_is_no_answer(
    server: ApiServer, way: PodProxy, answer: Answer, denied: bool
) -> None:
    server.on("POST", PATH, answer)
    with pytest.raises(Unreached) as caught:
        await way.open("POST", "/v1/chat/completions", b"{}")
    assert caught.value.denied is denied


async def test_what_the_pod_refuses_is_its_answer(server: ApiServer, way: PodProxy) -> None:
    server.on("POST", PATH, Answer({"error": "model 'tiny' not found"}, status=404))
    response = await way.open("POST", "/v1/chat/completions", b"{}")
    assert response.status == 404
    assert await response.read() == b'{"error":"model \'tiny\' not found"}'
    await response.close()


async def test_an_api_server_that_is_gone_is_no_answer() -> None:
    async with ApiServer() as server:
        gone = server.context()
    async with Client(gone, clock=ManualClock()) as client:
        with pytest.raises(Unreached) as caught:
            await PodProxy(lambda: client, REPLICA, port=11434).open("POST", "/api/chat", b"{}")
    assert not caught.value.denied
