"""HTTP to an application without a socket: whole answers, slow readers, clients that hang up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealane.sandbox.streams import loopback
from sealane.sandbox.streams.duplex import PIECE
from sealane.sandbox.streams.loopback import Loopback

GET = b"GET %s HTTP/1.1\r\nHost: pod\r\nConnection: %s\r\n\r\n"


def head(length: int) -> dict[str, Any]:
    headers = [(b"content-length", str(length).encode())]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def paths(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path."""
    body = scope["path"].encode()
    await send(head(len(body)))
    await send({"type": "http.response.body", "body": body})


async def whole(connection: Loopback) -> bytes:
    found = b""
    while data := await connection.read():
        found += data
    return found


async def test_a_request_is_answered_and_the_connection_ends_when_it_was_asked_to() -> None:
    async with asyncio.timeout(5):
        connection = Loopback(paths)
        await connection.feed(GET % (b"/tags", b"close"))
        answer = await whole(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n/tags")
        assert b"server:" not in answer
        assert connection.is_closing()
        await connection.hang_up()


async def test_two_requests_go_over_one_connection_in_pieces() -> None:
    async with asyncio.timeout(5):
        connection = Loopback(paths)
        request = GET % (b"/one", b"keep-alive")
        await connection.feed(request[:7])
        await connection.feed(request[7:])
        assert (await connection.read()).endswith(b"/one")
        await connection.feed(GET % (b"/two", b"close"))
        assert (await whole(connection)).endswith(b"/two")
        await connection.hang_up()


async def test_an_application_is_held_back_while_nobody_reads_and_all_arrives() -> None:
    size = 40 * PIECE
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(head(size))
        while sent < size:
            await send({"type": "http.response.body", "body": b"x" * PIECE, "more_body": sent + PIECE < size})
            sent += PIECE

    async with asyncio.timeout(5):
        connection = Loopback(app)
        await connection.feed(GET % (b"/", b"close"))
        for _ in range(200):
            await asyncio.sleep(0)
        assert sent <= loopback._MOST_WAITING + 2 * PIECE
        assert (await whole(connection)).count(b"x") == size
        await connection.hang_up()


async def test_who_hangs_up_ends_the_request_under_way() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5):
        connection = Loopback(app)
        await connection.feed(GET % (b"/", b"close"))
        await begun.wait()
        await connection.hang_up()
    assert ended.is_set()
    assert await connection.read() == b""
    connection.write(b"after the end")
    assert await connection.read() == b""


async def test_what_is_no_http_is_answered_so_and_the_connection_closed() -> None:
    async with asyncio.timeout(5):
        connection = Loopback(paths)
        await connection.feed(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await whole(connection)).startswith(b"HTTP/1.1 400 ")
        await connection.hang_up()


def test_addresses_are_loopbacks_own_and_nothing_else_is_known() -> None:
    async def ask() -> list[Any]:
        connection = Loopback(paths)
        found = [connection.get_extra_info(name, "none") for name in ("peername", "sslcontext")]
        await connection.hang_up()
        return found

    assert asyncio.run(ask()) == [("127.0.0.1", 0), "none"]


@pytest.mark.parametrize("paused", [True, False])
async def test_input_waits_while_the_application_does_not_read(paused: bool) -> None:
    connection = Loopback(paths)
    if paused:
        connection.pause_reading()
    feeding = asyncio.create_task(connection.feed(GET % (b"/late", b"close")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert feeding.done() is not paused
    connection.resume_reading()
    async with asyncio.timeout(5):
        await feeding
        assert (await whole(connection)).endswith(b"/late")
    await connection.hang_up()
