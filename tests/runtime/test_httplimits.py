"""A request's head has limits, whoever sends it; ordinary requests do not feel them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from sealane.runtime import httplimits, ports, serving

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes that came."""
    if scope["type"] != "http":
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        async with serving.serve(echo, sock, name="test"):
            yield ports.port_of(sock)


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and read until the other side has said all it says; b"" when it was cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(2000), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def refused(port: int, *pieces: bytes) -> bool:
    """Whether the pieces were refused for their size; who goes on sending may see a reset instead of the words."""
    answer = await talk(port, *pieces)
    return answer.startswith(b"HTTP/1.1 431") or answer == b""


async def test_an_ordinary_request_is_served(port: int) -> None:
    answer = await talk(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n5")


async def test_a_large_body_is_none_of_these_limits_business(port: int) -> None:
    size = 10 * httplimits.HEAD_BYTES
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    assert (await talk(port, head, b"a" * size)).endswith(str(size).encode())


async def test_a_body_in_many_small_chunks_is_served(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await talk(port, head, b"1\r\na\r\n" * 40_000, b"0\r\n\r\n")
    assert answer.endswith(b"40000")


async def test_headers_without_end_are_refused(port: int) -> None:
    assert await refused(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"A: " + b"b" * 20_000 + b"\r\n"] * 20)


async def test_one_header_without_end_is_refused(port: int) -> None:
    assert await refused(port, b"GET / HTTP/1.1\r\nHost: x\r\nA: ", *[b"b" * 20_000] * 20)


async def test_an_address_without_end_is_refused(port: int) -> None:
    assert await refused(port, b"GET /", *[b"b" * 20_000] * 20)


async def test_trailers_without_end_are_refused(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\na\r\n0\r\n"
    assert await refused(port, head, *[b"A: " + b"b" * 20_000 + b"\r\n"] * 20)


async def test_several_requests_on_one_connection_are_counted_apart(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(8):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000)
            await writer.drain()
            writer.write(b"\r\n\r\n")
            assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n0"), 5)).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_who_does_not_finish_a_head_is_let_go(port: int, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httplimits, "HEAD_SECONDS", 0.05)
    assert await talk(port, said) == b""


async def test_a_second_head_that_stops_in_the_middle_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httplimits, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n0"), 5)
        writer.write(b"GET / HTTP/1.1\r\nHo")
        assert await asyncio.wait_for(reader.read(2000), 5) == b""
    finally:
        writer.close()


async def test_a_slow_answer_is_not_cut_by_the_heads_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httplimits, "HEAD_SECONDS", 0.02)
    many = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asyncio.get_running_loop().call_later(0.1, many.set)
            await many.wait()
            await echo(scope, receive, send)

    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        async with serving.serve(slow, sock, name="test"):
            answer = await talk(ports.port_of(sock), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
