"""Doors hand bytes through in both directions, and close when the other side does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from rig import doors


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def finish() -> None:
    """Let every connection's task end."""
    me = asyncio.current_task()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not me))


async def test_what_is_said_outside_is_answered_from_inside_until_the_rig_ends(tmp_path: Path) -> None:
    over = asyncio.Event()
    async with asyncio.timeout(10), await asyncio.start_server(echo, "127.0.0.1", 0) as api:
        inside = await doors.serve_inside(tmp_path, [api.sockets[0].getsockname()[1]])
        outside = asyncio.create_task(doors.serve_outside(tmp_path, 1, over.wait()))
        while not (tmp_path / "ports.json").exists():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0)
        (port,) = json.loads((tmp_path / "ports.json").read_text())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        over.set()
        await outside
        for server in inside:
            server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await finish()


async def test_a_door_to_nobody_closes_at_once(tmp_path: Path) -> None:
    over = asyncio.Event()
    async with asyncio.timeout(10):
        outside = asyncio.create_task(doors.serve_outside(tmp_path, 1, over.wait()))
        while not (tmp_path / "ports.json").exists():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0)
        (port,) = json.loads((tmp_path / "ports.json").read_text())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        over.set()
        await outside
        await finish()


def test_without_an_outer_half_there_are_no_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALANE_RIG_DOORS", raising=False)
    assert doors.open_inside([1]) == []
