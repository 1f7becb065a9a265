"""Reading a log: from the start, the tail, a moment on, and as it is written."""

from __future__ import annotations

import asyncio
import datetime

from sealane.sandbox.world.kubelet.logs import Log

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def at(seconds: int) -> datetime.datetime:
    return T0 + datetime.timedelta(seconds=seconds)


async def read(log: Log, *, tail: int | None = None, stamps: bool = False, since: int | None = None) -> list[bytes]:
    moment = None if since is None else at(since)
    return [line async for line in log.read(follow=False, tail_lines=tail, timestamps=stamps, since=moment)]


def written() -> Log:
    log = Log()
    for number in range(3):
        log.write(at(number), f"line {number}")
    return log


async def test_all_lines_the_last_lines_and_those_since_a_moment() -> None:
    assert await read(written()) == [b"line 0\n", b"line 1\n", b"line 2\n"]
    assert await read(written(), tail=1) == [b"line 2\n"]
    assert await read(written(), tail=0) == []
    assert await read(written(), tail=9, since=1) == [b"line 1\n", b"line 2\n"]


async def test_timestamps_come_first() -> None:
    assert (await read(written(), tail=1, stamps=True))[0] == b"2026-01-01T00:00:02.000000Z line 2\n"


async def test_several_lines_at_once_are_several_lines() -> None:
    log = Log()
    log.write(T0, "a\nb")
    assert await read(log) == [b"a\n", b"b\n"]


async def test_a_follower_gets_what_comes_and_ends_with_the_container() -> None:
    log = written()
    got: list[bytes] = []

    async def follow() -> None:
        async for line in log.read(follow=True, tail_lines=1, timestamps=False, since=None):
            got.append(line)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    log.write(at(9), "later")
    log.write(at(9), "last")
    for _ in range(5):
        await asyncio.sleep(0)
    assert got == [b"line 2\n", b"later\n", b"last\n"]
    assert not task.done()
    log.close()
    async with asyncio.timeout(1):
        await task
    assert len(got) == 3


async def test_a_long_log_keeps_its_end() -> None:
    log = Log()
    for number in range(6_000):
        log.write(T0, str(number))
    kept = await read(log)
    assert (len(kept), kept[-1]) == (5_000, b"5999\n")


def test_the_tail_as_a_message_is_bounded() -> None:
    log = Log()
    log.write(T0, "x" * 5_000)
    log.write(T0, "Error: the end")
    assert log.tail(80).endswith("Error: the end\n")
    assert len(log.tail(80)) <= 2_048
