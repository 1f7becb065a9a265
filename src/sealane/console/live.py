"""Live pages: one event stream a page, rendered once however many people look.

A `Stream` belongs to one view and address. It renders all regions when something changed, at most five times a second,
and sends only those whose HTML differs. Each reader has a short queue; one that cannot keep up is told to `resync` and
gets the whole page again, so a slow reader costs nobody anything and never sees half a change. A `beat` every few
seconds lets the page say honestly whether it is still live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from sealane.console.services import Services
from sealane.lib import waiting
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

log = logging.getLogger(__name__)

INTERVAL = 0.2  # seconds between renders: five a second at most
BEAT = 4.0  # seconds; ages on the page are refreshed with it
QUEUE = 16  # messages a reader may be behind
GONE = "r-gone"  # the element that says that what the page shows is no more

Render = Callable[[], Awaitable[dict[str, str]]]


class Reader:
    """One open page. Iterating gives SSE messages as bytes; it begins with the whole page."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE)
        self.behind = False

    def offer(self, message: bytes) -> None:
        """Queue a message; on overflow drop everything and ask for a resync instead."""
        if self.behind:
            return
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.behind = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(event("resync", ""))

    async def next(self) -> bytes | None:
        """The next message; None when the stream has ended, so that the page connects anew."""
        return await self._queue.get()

    def close(self) -> None:
        """End the reader's stream; what it has not taken is dropped."""
        self.behind = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    @property
    def idle(self) -> bool:
        """Whether everything offered was taken."""
        return self._queue.empty()


class Stream:
    """One view at one address, with its readers."""

    def __init__(self, render: Render, clock: Clock) -> None:
        self._render = render
        self._clock = clock
        self._shown: dict[str, str] = {}
        self._dirty = asyncio.Event()
        self.readers: set[Reader] = set()

    def touch(self) -> None:
        """Something changed: render soon."""
        self._dirty.set()

    async def run(self) -> None:
        """Render and send until cancelled."""
        while True:
            await self.step()
            await self._clock.sleep(INTERVAL)
            await waiting.until(self._dirty, clock=self._clock, seconds=BEAT)

    async def step(self) -> None:
        """Render once; send what differs, the whole page to whoever fell behind, and a beat."""
        self._dirty.clear()
        try:
            now = await self._render()
        except SealaneError as error:
            now = {GONE: f'<p class="notice notice--warn">{_escape(error.sentence)}</p>'}
        except Exception:
            log.exception("a live page could not be rendered")
            now = self._shown
        changed = {name: html for name, html in now.items() if self._shown.get(name) != html}
        self._shown = now
        if changed:
            self._send(partials(changed))
        whole = partials(now)
        for reader in self.readers:
            if reader.behind and reader.idle:
                reader.behind = False
                reader.offer(whole)
        self._send(event("beat", self._clock.now().isoformat(timespec="seconds")))

    def join(self) -> Reader:
        """A new reader; it gets the whole page at the next step."""
        reader = Reader()
        reader.behind = True
        self.readers.add(reader)
        self.touch()
        return reader

    def _send(self, message: bytes) -> None:
        for reader in self.readers:
            reader.offer(message)


class Hub:
    """All streams of the console. `run` owns their tasks and listens to what changes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._streams: dict[object, Stream] = {}
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; then end every stream, so that pages connect to whatever serves next."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._listen(self._services.clusters.changes), name="live: clusters")
                group.create_task(self._listen(self._services.models.changes), name="live: models")
                self.ready.set()
        finally:
            self._group = None
            for stream in self._streams.values():
                for reader in stream.readers:
                    reader.close()

    async def read(self, key: object, render: Render) -> AsyncIterator[bytes]:
        """The messages of the stream `key`, started if nobody reads it yet, ended with its last reader."""
        if self._group is None:
            return  # the hub has ended: an empty stream makes the page connect to whatever serves next
        stream = self._streams.get(key)
        if stream is None:
            stream = Stream(render, self._services.clock)
            self._tasks[key] = self._group.create_task(stream.run(), name=f"live: {key}")
            self._streams[key] = stream
        reader = stream.join()
        try:
            while (message := await reader.next()) is not None:
                yield message
        finally:
            stream.readers.discard(reader)
            if not stream.readers and self._streams.get(key) is stream:
                del self._streams[key]
                self._tasks.pop(key).cancel()

    @property
    def open(self) -> int:
        """How many streams run."""
        return len(self._streams)

    async def _listen(self, changes: Callable[[], AsyncIterator[None]]) -> None:
        source = changes()
        try:
            async with aclosing(source) as batches:  # type: ignore[type-var]
                async for _ in batches:
                    for stream in self._streams.values():
                        stream.touch()
        except Exception:
            log.exception("what changes cannot be listened to; live pages follow with their beat")


def partials(regions: dict[str, str]) -> bytes:
    """One SSE message that replaces each region's content, keeping focus and what the reader typed."""
    html = "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{content}</hx-partial>'
        for name, content in regions.items()
    )
    return "".join(f"data: {line}\n" for line in html.splitlines()).encode() + b"\n"


def event(name: str, data: str) -> bytes:
    """One named SSE message: the page gets it as a DOM event."""
    return f"event: {name}\ndata: {data}\n\n".encode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
