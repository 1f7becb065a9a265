"""An upgraded connection: bytes both ways, held back where one side is slow, and its end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sealane.sandbox.streams import upgrade
from sealane.sandbox.streams.upgrade import Upgraded


class Transport:
    """What a connection was told to do, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("close")

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def upgraded(transport: Transport) -> Upgraded:
    return Upgraded(cast(asyncio.Transport, transport))


async def test_what_came_is_read_at_once_or_waited_for(upgraded: Upgraded) -> None:
    upgraded.feed(b"one")
    upgraded.feed(b"two")
    assert await upgraded.read() == b"onetwo"
    waiting = asyncio.create_task(upgraded.read())
    await asyncio.sleep(0)
    assert not waiting.done()
    upgraded.feed(b"three")
    assert await waiting == b"three"


async def test_a_client_that_sends_more_than_is_read_is_paused_until_it_is(
    upgraded: Upgraded, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade, "_MOST_WAITING", 4)
    upgraded.feed(b"1234")
    assert transport.done == []
    upgraded.feed(b"5")
    assert transport.done == ["pause"]
    assert await upgraded.read() == b"12345"
    assert transport.done == ["pause", "resume"]


async def test_a_write_waits_until_the_connection_takes_it(upgraded: Upgraded, transport: Transport) -> None:
    upgraded.writable(now=False)
    writing = asyncio.create_task(upgraded.write(b"late"))
    await asyncio.sleep(0)
    assert transport.done == []
    upgraded.writable(now=True)
    await writing
    await upgraded.close()
    assert transport.done == [b"late", "close"]


async def test_a_lost_connection_is_an_end_to_read_and_swallows_writes(
    upgraded: Upgraded, transport: Transport
) -> None:
    upgraded.writable(now=False)
    writing = asyncio.create_task(upgraded.write(b"never"))
    reading = asyncio.create_task(upgraded.read())
    await asyncio.sleep(0)
    upgraded.lost()
    assert await reading == b""
    await writing
    upgraded.feed(b"last words")
    assert await upgraded.read() == b"last words"
    assert await upgraded.read() == b""
    assert transport.done == []
