"""The logs of several containers as one, in the order of their times.

What is there already is merged exactly. Live lines are put in order within a fraction of a second, which is what clocks
of nodes agree on at best. Pods join and leave while it runs: a set of sources comes from whoever watches them, and one
that is missing from it is heard out. Everything in between is bounded, so a slow reader slows the servers down
instead of filling memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Coroutine
from contextlib import aclosing
from typing import Any

from sealane.kube import tailing
from sealane.kube.http import Http
from sealane.kube.tailing import Line, Source, Told, Wish
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

SETTLE = 0.15  # seconds that a live line waits for older ones of others
LEAVE = 5.0  # seconds that a source which left may go on
LIMIT = 10 * 1024 * 1024  # bytes of each container's log, where nothing is followed
_QUEUE = 2_000
_BATCH = 2_000
_HELD = 16 * 1024 * 1024  # bytes of live lines that wait to be read
Sources = AsyncIterable[Collection[Source]]
Guard = Callable[[], Coroutine[Any, Any, None]]


async def fixed(*sources: Source) -> AsyncGenerator[Collection[Source], None]:
    """For those who know beforehand whom to listen to."""
    yield sources


async def past(
    http: Http, sources: Collection[Source], wish: Wish, *, told: Told | None = None
) -> AsyncGenerator[Line, None]:
    """What is there now, of all together, oldest first; lines without a time keep their place.

    A source that fails is told and left out; without `told` its error is raised.
    """
    bounded = Wish(
        tail_lines=wish.tail_lines, since=wish.since, previous=wish.previous, limit_bytes=wish.limit_bytes or LIMIT
    )
    logs = await asyncio.gather(*(_whole(http, source, bounded, told) for source in sources))
    for _, line in heapq.merge(*logs, key=lambda item: item[0]):
        yield line


async def _whole(http: Http, source: Source, wish: Wish, told: Told | None) -> list[tuple[int, Line]]:
    found: list[tuple[int, Line]] = []
    latest = 0
    try:
        async with aclosing(tailing.read(http, source, wish)) as lines:
            async for line in lines:
                latest = max(latest, line.at)
                found.append((latest, line))
    except SealaneError as error:
        if told is None:
            raise
        told(source, error)
    return found


async def merged(
    http: Http, sources: Sources, wish: Wish, *, clock: Clock, told: Told | None = None, guard: Guard | None = None
) -> AsyncGenerator[Line, None]:
    """Lines of all sources, followed until each has ended and no more can join. Close it with `contextlib.aclosing`.

    A source that fails is told and left out; without `told` its error ends everything. `guard` runs beside it, and what
    it raises ends everything too: an API server goes on with a log that it would not open again.
    """
    merger = _Merger(http, wish, clock=clock, told=told)
    if guard is not None:
        merger.watch(guard())
    try:
        async with aclosing(merger.lines(sources)) as found:
            async for line in found:
                yield line
    finally:
        await merger.stop()


class _Merger:
    """The queue between those who listen and the one who reads. None in it only wakes the reader."""

    def __init__(self, http: Http, wish: Wish, *, clock: Clock, told: Told | None) -> None:
        self._http = http
        self._wish = wish
        self._clock = clock
        self._told = told
        self._queue: asyncio.Queue[Line | None] = asyncio.Queue(_QUEUE)
        self._held = 0
        self._room = asyncio.Event()
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._all: set[asyncio.Task[None]] = set()
        self._guards: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def lines(self, sources: Sources) -> AsyncGenerator[Line, None]:
        self._start(self._keep(sources), "sources")
        while self._all or not self._queue.empty():
            for line in sorted(await self._next(), key=lambda line: line.at):
                yield line

    def watch(self, guard: Coroutine[Any, Any, None]) -> None:
        """Run this until the end; nothing waits for its own end."""
        task = asyncio.create_task(guard, name="logs: guard")
        self._guards.add(task)
        task.add_done_callback(self._on_end)

    async def stop(self) -> None:
        """End every task, and wait for it."""
        left = (*self._all, *self._guards)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _next(self) -> list[Line]:
        """What comes next, and what comes a moment later where several speak at once."""
        found = [await self._queue.get()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE if len(self._tasks) > 1 else 0):
                while len(found) < _BATCH:
                    found.append(await self._queue.get())
        self._held -= sum(len(line.data) for line in found if line is not None)
        self._room.set()
        if self._error is not None:
            raise self._error
        return [line for line in found if line is not None]

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"logs: {name}")
        self._all.add(task)
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = self._error or error
        with contextlib.suppress(asyncio.QueueFull):  # a full queue keeps the reader awake as it is
            self._queue.put_nowait(None)

    async def _keep(self, sources: Sources) -> None:
        """Begin to listen to who joins, and let go of who left."""
        async for wanted in sources:
            for source in set(wanted) - self._tasks.keys():
                self._tasks[source] = self._start(self._listen(source), source.pod)
            for source in self._tasks.keys() - set(wanted):
                asyncio.get_running_loop().call_later(LEAVE, self._tasks.pop(source).cancel)

    async def _listen(self, source: Source) -> None:
        try:
            tail = tailing.follow(self._http, source, self._wish, clock=self._clock, told=self._told)
            async with aclosing(tail) as lines:
                async for line in lines:
                    while self._held > _HELD:  # few lines may be many bytes
                        self._room.clear()
                        await self._room.wait()
                    self._held += len(line.data)
                    await self._queue.put(line)
        except SealaneError as error:
            if self._told is None:
                raise
            self._told(source, error)
