"""A fake Ollama on loopback whose moods tests set, a gateway in front of it, and a clock that moves when told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from sealane import state
from sealane.gateway import app as gateway_app
from sealane.gateway import server, upstream
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.gateway.routes import Replica, StaticReplicas
from sealane.gateway.settings import Settings
from sealane.lib.clock import ManualClock
from sealane.state.database import Database

WORDS = ("Hel", "lo ", "wör", "ld")


class WaitingClock(ManualClock):
    """Unlike ManualClock's, its sleepers wait until `tick` has moved time far enough: for tasks that loop."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.monotonic() + seconds, future))
        await future

    async def tick(self, seconds: float) -> None:
        """Move time, wake who is due, and let them run."""
        self.advance(seconds)
        due = [s for s in self._sleepers if s[0] <= self.monotonic()]
        self._sleepers = [s for s in self._sleepers if s[0] > self.monotonic()]
        for _, future in due:
            if not future.done():
                future.set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)


class FakeOllama:
    """Speaks Ollama's shapes. `mood` says how it answers; `seen` keeps (path, body) of every POST."""

    def __init__(self, model: str = "tiny:latest") -> None:
        self.model = model
        self.mood = "well"
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.loaded = True
        self.gone = asyncio.Event()  # set when a client of this engine went away in the middle
        self.hold = asyncio.Event()  # in the mood "hold" and "pause" an answer waits for it
        self.waiting = asyncio.Event()  # set when an answer has begun to wait
        self.base = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            self.hold.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._mood(request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.gone.set()
            raise

    async def _mood(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        self.headers.append(dict(request.headers))
        if request.method == "GET":
            return web.json_response(self._listed(path))
        body = json.loads(await request.read())
        self.seen.append((path, body))
        if self.mood == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.mood == "busy":
            return web.json_response({"error": "server busy, please try again"}, status=503)
        if self.mood == "refuse":
            return web.json_response(
                {"error": {"message": "this model does not support tools", "code": None}}, status=400
            )
        if self.mood == "hold":
            await self._wait()
        streamed = body.get("stream", path in {"/api/chat", "/api/generate"})
        if path in SSE | {"/api/chat", "/api/generate"} and streamed:
            return await self._stream(request, path, body)
        return web.json_response(self._whole(path, body))

    async def _wait(self) -> None:
        self.waiting.set()
        await self.hold.wait()

    async def _stream(self, request: web.Request, path: str, body: dict[str, Any]) -> web.StreamResponse:
        kind = "text/event-stream" if path in SSE else "application/x-ndjson"
        answer = web.StreamResponse(headers={"Content-Type": kind})
        await answer.prepare(request)
        for index, piece in enumerate(pieces(path, body, self.model)):
            if self.mood == "pause" and index == 2:
                await self._wait()
            if index == 3 and self.mood in {"cut", "half", "abort"}:
                if self.mood == "half":
                    await answer.write(piece[: len(piece) // 2])
                if self.mood == "abort":
                    assert request.transport is not None
                    request.transport.abort()
                return answer
            if self.mood == "crumbs":
                for at in range(0, len(piece), 7):
                    await answer.write(piece[at : at + 7])
            else:
                await answer.write(piece)
        return answer

    def _listed(self, path: str) -> dict[str, Any]:
        row = {
            "name": self.model,
            "model": self.model,
            "size": 265446,
            "digest": "bc7e",
            "details": {"family": "llama"},
        }
        return {
            "/api/tags": {"models": [row, {"name": "other:1b", "model": "other:1b"}]},
            "/api/ps": {"models": [row | {"context_length": 8192}] if self.loaded else []},
            "/api/version": {"version": "0.23.0"},
        }.get(path, {})

    def _whole(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        text, model = "".join(WORDS), body.get("model")
        usage = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
        counts = {
            "model": model,
            "created_at": "2026-01-01T00:00:00Z",
            "done": True,
            "prompt_eval_count": 7,
            "eval_count": 4,
        }
        chat = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        completion = {"index": 0, "text": text, "finish_reason": "stop"}
        head = {"id": "c-1", "created": 1, "model": model}
        return {
            "/v1/chat/completions": {**head, "object": "chat.completion", "choices": [chat], "usage": usage},
            "/v1/completions": {**head, "object": "text_completion", "choices": [completion], "usage": usage},
            "/v1/embeddings": {
                "object": "list",
                "model": model,
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3},
            },
            "/v1/responses": {
                "id": "r-1", "object": "response", "created_at": 1, "model": model, "status": "completed",
                "output": [{"type": "message", "id": "m-1", "role": "assistant", "status": "completed",
                            "content": [{"type": "output_text", "text": text, "annotations": []}]}],
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
                "usage": {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11},
            },
            "/v1/messages": {
                "id": "m-1", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
                "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 7, "output_tokens": 4},
            },
            "/api/chat": {**counts, "message": {"role": "assistant", "content": text}},
            "/api/generate": {**counts, "response": text},
            "/api/embed": {"model": model, "embeddings": [[0.5, -0.5]], "prompt_eval_count": 3},
            "/api/embeddings": {"embedding": [0.5, -0.5]},
            "/api/show": {"details": {"family": "llama"}, "model_info": {"llama.context_length": 2048}},
        }[path]  # fmt: skip


SSE = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"}


def pieces(path: str, body: dict[str, Any], model: str) -> Iterator[bytes]:
    """What the engine streams for one request, an event or a line at a time."""
    if path.startswith("/api/"):
        for word in WORDS:
            said = {"message": {"role": "assistant", "content": word}} if path == "/api/chat" else {"response": word}
            yield _line({"model": model, "created_at": "2026-01-01T00:00:00Z", "done": False, **said})
        last = {"message": {"role": "assistant", "content": ""}} if path == "/api/chat" else {"response": ""}
        counts = {"prompt_eval_count": 7, "eval_count": 4}
        yield _line({"model": model, "created_at": "2026-01-01T00:00:00Z", "done": True, **last, **counts})
    elif path == "/v1/messages":
        yield _event(
            {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}}
        )
        for word in WORDS:
            yield _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
        yield _event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}})
        yield _event({"type": "message_stop"})
    elif path == "/v1/responses":
        for word in WORDS:
            yield _event({"type": "response.output_text.delta", "delta": word, "sequence_number": 1})
        usage = {"input_tokens": 7, "output_tokens": 4}
        yield _event({"type": "response.completed", "response": {"id": "r", "usage": usage}})
    else:
        yield from _openai(path, body, model)


def _openai(path: str, body: dict[str, Any], model: str) -> Iterator[bytes]:
    chat = path == "/v1/chat/completions"
    head = {"id": "c-1", "object": "chat.completion.chunk" if chat else "text_completion", "created": 1, "model": model}
    for word in WORDS:
        choice = {"delta": {"role": "assistant", "content": word}} if chat else {"text": word}
        yield _data({**head, "choices": [{"index": 0, **choice, "finish_reason": None}]})
    last = {"delta": {"role": "assistant", "content": ""}} if chat else {"text": ""}
    yield _data({**head, "choices": [{"index": 0, **last, "finish_reason": "stop"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
        yield _data({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"event: " + str(value["type"]).encode() + b"\n" + _data(value)


class Lane:
    """A gateway that serves on loopback, with everything that a test wants to look into."""

    def __init__(self, *, database: Database, settings: Settings, engines: list[FakeOllama]) -> None:
        self.database = database
        self.clock = WaitingClock()
        self.engines = engines
        self.keys = KeyStore(database, clock=self.clock)
        self.usage = UsageStore(database, clock=self.clock)
        self.key, self.secret = self.keys.create("test")
        self.session = upstream.session(connect=2.0)
        self.source = StaticReplicas({})
        self.gateway = gateway_app.build(
            replicas=self.source, keys=self.keys, usage=self.usage, settings=settings, clock=self.clock
        )
        self.url = ""

    def replica(self, index: int, *, model: str | None = None, parallel: int = 1) -> Replica:
        return Replica(
            cluster="harbor-eu",
            namespace="team-a",
            pod=f"tiny-{index}",
            name="tiny",
            model=model or self.engines[index].model,
            context=8192,
            parallel=parallel,
        )

    def use(self, *indexes: int, parallel: int = 1) -> None:
        """Serve these engines and no others from now on."""
        self.source.replace(
            {self.replica(i, parallel=parallel): upstream.Direct(self.session, self.engines[i].base) for i in indexes}
        )

    async def until(self, done: Callable[[], bool], *, tick: float = 0.0) -> None:
        """Let everything run, `tick` seconds of the gateway's clock at a time, until `done`; at most 5 real ones."""
        async with asyncio.timeout(5):
            while not done():
                await self.clock.tick(tick)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and whole body of one POST with the test's key."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.url + path, data=data, headers=self.headers | headers) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(self.url + path, headers=self.headers | headers) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()

    async def sums(self) -> tuple[int, int, int, int]:
        """(requests, failures, prompt tokens, completion tokens) over everything."""
        totals = await self.usage.totals()
        return (
            sum(t.requests for t in totals),
            sum(t.failures for t in totals),
            sum(t.prompt_tokens for t in totals),
            sum(t.completion_tokens for t in totals),
        )


class _Server(uvicorn.Server):
    """Says when it is up, stops when told, and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.stop = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        """Without uvicorn's own look at the wall clock ten times a second."""
        await self.stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    db = state.open(tmp_path / "data")
    yield db
    db.close()


@pytest.fixture
def make_lane(database: Database) -> Iterator[Callable[..., contextlib.AbstractAsyncContextManager[Lane]]]:
    """`async with make_lane(engines=2, max_body=100) as lane`."""

    @contextlib.asynccontextmanager
    async def make(*, engines: int = 1, **limits: Any) -> AsyncIterator[Lane]:
        fakes = [FakeOllama() for _ in range(engines)]
        for fake in fakes:
            await fake.start()
        lane = Lane(database=database, settings=Settings(**limits), engines=fakes)
        lane.use(*range(engines))
        running = _Server(server.config(lane.gateway, port=0))
        async with asyncio.TaskGroup() as group:
            group.create_task(running.serve(), name="gateway under test")
            await running.up.wait()
            lane.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
            try:
                yield lane
            finally:
                running.stop.set()
                for fake in fakes:
                    fake.hold.set()
        await lane.session.close()
        for fake in fakes:
            await fake.stop()

    return make  # type: ignore[return-value]


@pytest.fixture
async def lane(make_lane: Callable[..., contextlib.AbstractAsyncContextManager[Lane]]) -> AsyncIterator[Lane]:
    async with make_lane(engines=1) as made:
        yield made


@pytest.fixture
def fake_pieces() -> Callable[[str, dict[str, Any], str], Iterator[bytes]]:
    """What the engine streams, for comparison byte for byte."""
    return pieces
