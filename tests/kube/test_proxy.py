"""To a pod and back through the API server: bytes untouched, as they come, and both sides hang up together."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kube_server import Answer, ApiServer, Stream, status

from sealane.kube import errors, proxy
from sealane.kube.client import Client
from sealane.kube.config import Credentials

PATH = "/api/v1/namespaces/team-a/pods/qwen-1:11434/proxy/api/generate"


def test_the_path_keeps_query_and_slashes() -> None:
    path = proxy.pod_path("qwen-1", namespace="team-a", port=11434, path="/v1/x?y=1")
    assert path == "/api/v1/namespaces/team-a/pods/qwen-1:11434/proxy/v1/x?y=1"


async def test_chunks_come_as_they_are_sent(server: ApiServer, client: Client) -> None:
    stream = Stream(b"data: 1\n\n", kind="text/event-stream")
    server.on("POST", PATH, stream)
    async with (
        asyncio.timeout(5),
        client.proxy(
            "qwen-1", namespace="team-a", port=11434, method="POST", path="/api/generate", body=b"{}"
        ) as answer,
    ):
        chunks = answer.chunks()
        assert await anext(chunks) == b"data: 1\n\n"
        stream.send(b"data: 2\n\n")
        assert await anext(chunks) == b"data: 2\n\n"
        stream.end()
        assert [chunk async for chunk in chunks] == []
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert server.requests[0].body == b"{}"


async def test_leaving_early_hangs_up(server: ApiServer, client: Client) -> None:
    stream = Stream(b"one")
    server.on("GET", PATH, stream)
    async with asyncio.timeout(5):
        async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
            assert await anext(answer.chunks()) == b"one"
        await stream.left.wait()


async def test_what_the_pod_answers_is_the_answer_also_when_it_fails(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer({"error": "model 'x' not found"}, status=404))
    async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
        assert answer.status == 404
        assert await answer.read() == b'{"error":"model \'x\' not found"}'


async def test_a_failure_of_the_pod_streams_too(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer({"error": "out of memory"}, status=500))
    async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
        assert b"".join([chunk async for chunk in answer.chunks()]) == b'{"error":"out of memory"}'


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(403, "Forbidden", 'User "bob" cannot create resource "pods/proxy"'), errors.Forbidden),
        (status(404, "NotFound", 'pods "qwen-1" not found'), errors.NotFound),
        (status(503, "ServiceUnavailable", "error trying to reach service: connection refused"), errors.PodUnreachable),
        (Answer(b"Error trying to reach service: 'dial tcp 10.0.0.7:11434'", status=503), errors.PodUnreachable),
    ],
    ids=["forbidden", "no-pod", "refused", "refused-in-text"],
)
async def test_what_the_api_server_says_itself_is_raised(
    server: ApiServer, client: Client, answer: Answer, kind: type[errors.ApiError]
) -> None:
    server.on("GET", PATH, answer)
    with pytest.raises(kind):
        async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate"):
            pass


async def test_a_pod_that_speaks_of_a_status_is_still_the_pod(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer({"kind": "Other", "text": "Status"}, status=400))
    async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
        assert await answer.read() == b'{"kind":"Other","text":"Status"}'


async def test_compressed_bytes_stay_compressed(server: ApiServer, client: Client) -> None:
    packed = gzip.compress(b"hello")
    server.on("GET", PATH, Answer(packed, headers={"Content-Encoding": "gzip"}))
    async with client.proxy(
        "qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate", headers={"accept-encoding": "gzip"}
    ) as answer:
        assert await answer.read() == packed
    assert server.requests[0].headers["Accept-Encoding"] == "gzip"


async def test_headers_pass_except_those_of_the_connection_and_of_others_credentials(server: ApiServer) -> None:
    server.on("GET", PATH, Answer(b""))
    given = {"X-Request-Id": "7", "Authorization": "Bearer caller", "Host": "elsewhere", "Connection": "close"}
    async with (
        Client(server.context(credentials=Credentials(token="ours"))) as client,
        client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate", headers=given),
    ):
        pass
    headers = server.requests[0].headers
    assert headers["X-Request-Id"] == "7"
    assert headers["Authorization"] == "Bearer ours"
    assert headers["Host"] == f"127.0.0.1:{server.port}"


async def test_a_body_may_stream(server: ApiServer, client: Client) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    server.on("POST", PATH, Answer(b"ok"))
    async with client.proxy(
        "qwen-1", namespace="team-a", port=11434, method="POST", path="api/generate", body=parts()
    ) as answer:
        assert await answer.read() == b"ok"
    assert server.requests[0].body == b"one two"


async def test_silence_has_a_limit(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(b"one"))
    async with client.proxy(
        "qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate", timeout=0.02
    ) as answer:
        chunks = answer.chunks()
        assert await anext(chunks) == b"one"
        with pytest.raises(errors.TimedOut):
            await anext(chunks)


async def test_a_stream_that_breaks_off_is_not_taken_for_its_end(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(b"one", then="cut"))
    async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
        with pytest.raises(errors.Disconnected):
            async for _ in answer.chunks():
                pass


async def test_a_whole_read_has_a_limit(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer(b"x" * 100))
    async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer:
        with pytest.raises(errors.TooLarge):
            await answer.read(limit=10)


async def test_a_token_that_ended_is_renewed_once_for_the_pod_too(server: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    server.on("GET", PATH, Answer(b"ok"), status(401, "Unauthorized", "Unauthorized"), Answer(b"ok"))
    where = {"namespace": "team-a", "port": 11434, "method": "GET", "path": "api/generate"}
    async with Client(server.context(credentials=Credentials(token_file=str(token)))) as client:
        async with client.proxy("qwen-1", **where) as answer:
            await answer.read()
        token.write_text("two")
        async with client.proxy("qwen-1", **where) as answer:
            assert await answer.read() == b"ok"
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer one", "Bearer one", "Bearer two"]


async def test_a_pods_own_401_is_its_answer_and_no_reason_to_sign_in_again(server: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    server.on("GET", PATH, Answer({"error": "key missing"}, status=401))
    async with (
        Client(server.context(credentials=Credentials(token_file=str(token)))) as client,
        client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate") as answer,
    ):
        token.write_text("two")
        assert answer.status == 401
        assert await answer.read() == b'{"error":"key missing"}'
    assert len(server.requests) == 1


async def test_what_fails_inside_the_block_is_not_tried_again(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Answer(b"ok"))
    own = errors.Unauthorized(401, "Unauthorized", "of another call")
    with pytest.raises(errors.Unauthorized, match="of another call"):
        async with client.proxy("qwen-1", namespace="team-a", port=11434, method="GET", path="api/generate"):
            raise own
    assert len(server.requests) == 1
