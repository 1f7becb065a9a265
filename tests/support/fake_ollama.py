"""The Ollama of one pod for tests: pulls when told, loads when told, and counts what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fake_kube import FakeResponse, answer


class FakeOllama:
    """A pod handler for `FakeKube.pods`. `pulling` takes lines of the pull stream; None ends it."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.asked: list[tuple[float, str]] = []
        self.pulling: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.memory: list[str] = []
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.load_error: tuple[int, str] | None = None
        self.clock: Any = None

    async def __call__(self, _method: str, path: str, body: dict[str, Any]) -> FakeResponse:
        self.asked.append((self.clock.monotonic() if self.clock else 0.0, path))
        if path == "/api/pull":
            return FakeResponse(self._lines())
        if path == "/api/generate":
            await self.may_load.wait()
            if self.load_error:
                return answer({"error": self.load_error[1]}, status=self.load_error[0])
            self.memory = [body["model"]]
            return answer({"done": True})
        if path == "/api/ps":
            return answer({"models": [{"name": name} for name in self.memory]})
        if path == "/api/tags":
            return answer({"models": [{"name": self.model}]})
        return answer({"error": "not here"}, status=404)

    async def _lines(self) -> AsyncIterator[bytes]:
        while (line := await self.pulling.get()) is not None:
            yield msgspec.json.encode(line) + b"\n"
