"""What a process takes: memory, processor time, pauses of the collector, and how long the event loop was held up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from pathlib import Path
from typing import Any

BEAT = 0.005
"""Seconds between two heartbeats."""


def memory(field: str = "VmRSS") -> float:
    """MB of the resident set, or (`VmHWM`) the most that it ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


class Heartbeat:
    """How late a task that wants to run each 5 ms comes to run: what every click in the console waits. `worst` counts
    wall time, so a busy machine shows in it; `worst_cpu` is this process's own part."""

    def __init__(self) -> None:
        self.worst = self.worst_cpu = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.create_task(self._beat(), name="heartbeat")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def take(self) -> dict[str, float]:
        """The worst since the last time, in ms."""
        found = {"gap_ms": round(self.worst * 1e3, 1), "gap_cpu_ms": round(self.worst_cpu * 1e3, 1)}
        self.worst = self.worst_cpu = 0.0
        return found

    async def _beat(self) -> None:
        while True:
            began, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.worst = max(self.worst, time.perf_counter() - began - BEAT)
            self.worst_cpu = max(self.worst_cpu, time.thread_time() - cpu)


class Pauses:
    """The collector's pauses, in ms."""

    def __init__(self) -> None:
        self.worst = self.total = 0.0
        self._began = 0.0
        gc.callbacks.append(self._told)

    def take(self) -> dict[str, float]:
        """The worst and all together since the last time."""
        found = {"gc_worst_ms": round(self.worst * 1e3, 1), "gc_total_ms": round(self.total * 1e3, 1)}
        self.worst = self.total = 0.0
        return found

    def _told(self, phase: str, _: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        taken = time.perf_counter() - self._began
        self.total += taken
        self.worst = max(self.worst, taken)
