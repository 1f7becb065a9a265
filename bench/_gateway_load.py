"""Load and measurement: keep-alive clients that do no more than count, and what a process tree has cost so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Cost(NamedTuple):
    """CPU seconds (user + system) and resident bytes of a process and all its children."""

    cpu: float
    rss: int


class Run(NamedTuple):
    """What one load did."""

    requests: int
    failures: int
    seconds: float
    latencies: list[float]


def cost(pid: int) -> Cost:
    """Read from /proc."""
    cpu, rss = 0.0, 0
    for each in _tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            cpu += (int(fields[11]) + int(fields[12])) / TICK
            rss += int(fields[21]) * PAGE
    return Cost(cpu, rss)


def _tree(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    return found


async def load(port: int, request: bytes, *, requests: int, clients: int) -> Run:
    """Send `request` that often over so many keep-alive connections."""
    left = iter(range(requests))
    latencies: list[float] = []
    failures = 0

    async def client() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            start = time.perf_counter()
            writer.write(request)
            status = await _answer(reader)
            latencies.append(time.perf_counter() - start)
            failures += status != 200
        writer.close()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return Run(requests, failures, time.perf_counter() - start, latencies)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    mark = head.find(b"content-length:")
    if mark >= 0:
        await reader.readexactly(int(head[mark + 15 :].split(b"\r\n", 1)[0]))
        return status
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(size + 2)
        if not size:
            return status


def request(port: int, key: str, body: bytes) -> bytes:
    """The bytes of one chat request."""
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
