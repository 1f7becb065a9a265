"""A simulated Ollama on its own, with models on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.clock import SteppedClock
from sealane.sandbox.world.ollama import app, library, settings
from sealane.sandbox.world.ollama.engine import Engine
from sealane.sandbox.world.ollama.storage import ModelStore

GIB = 1024**3


class Server:
    """One server and the way to ask it."""

    def __init__(self, engine: Engine, clock: SteppedClock, request: Any) -> None:
        self.engine = engine
        self.clock = clock
        self.log: list[str] = []
        self.app = app.build(engine, say=self.log.append)
        self._request = request

    def start(self, method: str, path: str, body: Any = None) -> asyncio.Task[tuple[int, bytes]]:
        """A request that is under way."""
        return asyncio.create_task(self._request(self.app, method, path, body))

    async def finish(self, task: asyncio.Task[tuple[int, bytes]], *, within: float = 300) -> tuple[int, bytes]:
        """Its answer, while time passes."""
        begun = self.clock.monotonic()
        while not task.done() and self.clock.monotonic() - begun < within:
            await self.clock.advance(0.05)
        return task.result()

    async def raw(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """`(status, bytes)`."""
        return await self.finish(self.start(method, path, body))

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """`(status, JSON)` of a POST."""
        status, raw = await self.raw("POST", path, body)
        return status, json.loads(raw) if raw else None

    async def get(self, path: str) -> Any:
        """The JSON of a GET that succeeds."""
        status, raw = await self.raw("GET", path)
        assert status == 200, raw
        return json.loads(raw)

    async def lines(self, path: str, **body: Any) -> list[Any]:
        """The NDJSON lines of a stream."""
        status, raw = await self.raw("POST", path, body)
        assert status == 200, raw
        return [json.loads(line) for line in raw.splitlines()]

    async def events(self, path: str, **body: Any) -> list[Any]:
        """The data of server-sent events; `[DONE]` as it is."""
        status, raw = await self.raw("POST", path, body)
        assert status == 200, raw
        found = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: ")]
        return [item if item == "[DONE]" else json.loads(item) for item in found]

    async def loaded(self) -> list[str]:
        """Names that `/api/ps` lists."""
        return [item["name"] for item in (await self.get("/api/ps"))["models"]]


@pytest.fixture
def serve(clock: SteppedClock, ask: Any) -> Callable[..., Server]:
    """`serve("qwen2.5-coder:7b", …, gpu=24, OLLAMA_…="…")`: a server with these models on disk."""

    def make(*models: str, gpu: float | None = 24, limit: float | None = None, **environment: str) -> Server:
        store = ModelStore()
        for name in models:
            found = library.find(name)
            assert found is not None, name
            store.add(found, now=clock.now())
        wanted = settings.of(
            environment,
            gpu_memory=None if gpu is None else int(gpu * GIB),
            memory_limit=None if limit is None else int(limit * GIB),
        )
        return Server(Engine(clock=clock, store=store, settings=wanted), clock, ask)

    return make
