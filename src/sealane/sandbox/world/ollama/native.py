"""Ollama's own API, the part that answers: generate, chat, embed. `management` has what is on disk and loaded."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealane.sandbox.world.ollama import generation, http, text
from sealane.sandbox.world.ollama.engine import Engine, EngineError
from sealane.sandbox.world.ollama.http import Json

Handler = Callable[[Request], Awaitable[Response]]


class Native:
    """The handlers of one server."""

    def __init__(self, engine: Engine, *, version: str) -> None:
        self._engine = engine
        self._version = version

    def routes(self) -> list[Route]:
        """The routes under `/api` that answer."""
        table: tuple[tuple[str, Handler, str], ...] = (
            ("/api/version", self.version, "GET"),
            ("/api/generate", self.generate, "POST"),
            ("/api/chat", self.chat, "POST"),
            ("/api/embed", self.embed, "POST"),
            ("/api/embeddings", self.embeddings, "POST"),
        )
        return [Route(path, guarded(handler), methods=[method]) for path, handler, method in table]

    async def version(self, request: Request) -> Response:
        """`/api/version`."""
        del request
        return JSONResponse({"version": self._version})

    async def generate(self, request: Request) -> Response:
        """`/api/generate`; without a prompt it loads or unloads."""
        body = await http.body_of(request)
        name = http.model_of(body)
        keep_alive = http.keep_alive_of(body)
        if not body.get("prompt") and not body.get("suffix"):
            return await self._load_only(name, keep_alive, kind="generate", body=body)
        prompt = str(body.get("prompt") or "")
        ask = self._ask(body, kind="generate", prompt=prompt, last=prompt, images=len(body.get("images") or ()))
        if body.get("stream", True) is False:
            said, thought, _, last = await http.collect(self._engine, ask)
            answer = self._head(name) | {"response": said, **({"thinking": thought} if thought else {})}
            return JSONResponse(answer | _last(last) | {"context": _context(ask, last)})
        return await http.stream(
            self._engine, ask, lambda pieces: self._lines(pieces, ask, chat=False), media_type=http.NDJSON
        )

    async def chat(self, request: Request) -> Response:
        """`/api/chat`."""
        body = await http.body_of(request)
        name = http.model_of(body)
        messages = body.get("messages") or []
        if not messages:
            return await self._load_only(name, http.keep_alive_of(body), kind="chat", body=body)
        prompt, last_user, images = http.flatten(messages)
        ask = self._ask(body, kind="chat", prompt=prompt, last=last_user, images=images)
        if body.get("stream", True) is False:
            said, thought, calls, last = await http.collect(self._engine, ask)
            message = _message(said, thinking=thought, calls=calls)
            return JSONResponse(self._head(name) | {"message": message} | _last(last))
        return await http.stream(
            self._engine, ask, lambda pieces: self._lines(pieces, ask, chat=True), media_type=http.NDJSON
        )

    def _ask(self, body: Json, *, kind: str, prompt: str, last: str, images: int) -> generation.Ask:
        options = body.get("options") or {}
        return generation.Ask(
            model=http.model_of(body),
            kind=kind,
            prompt=f"{body.get('system') or ''}{prompt}",
            last=last,
            suffix=str(body.get("suffix") or ""),
            context=http.whole(options.get("num_ctx")),
            keep_alive=http.keep_alive_of(body),
            limit=http.whole(options.get("num_predict")),
            stop=http.stops(options.get("stop")),
            tools=tuple(body.get("tools") or ()),
            images=images,
            think=bool(body.get("think")),
            format=body.get("format") or None,
        )

    async def _load_only(self, name: str, keep_alive: float | None, *, kind: str, body: Json) -> Response:
        self._engine.model(name)
        if keep_alive == 0:
            self._engine.unload(name)
            reason = "unload"
        else:
            context = http.whole((body.get("options") or {}).get("num_ctx"))
            async with self._engine.turn(name, context=context, keep_alive=keep_alive):
                reason = "load"
        said: Json = {"message": _message("")} if kind == "chat" else {"response": ""}
        return JSONResponse(self._head(name) | said | {"done": True, "done_reason": reason})

    def _head(self, name: str) -> Json:
        return {"model": name, "created_at": http.moment(self._engine.clock.now())}

    async def _lines(
        self, pieces: AsyncIterator[generation.Chunk], ask: generation.Ask, *, chat: bool
    ) -> AsyncIterator[bytes]:
        async for piece in pieces:
            head = self._head(ask.model)
            calls = [piece.tool] if piece.tool else []
            if chat:
                head["message"] = _message(piece.text, thinking=piece.thinking, calls=calls)
            else:
                head |= {"response": piece.text, **({"thinking": piece.thinking} if piece.thinking else {})}
            if piece.done:
                head |= _last(piece) | ({} if chat else {"context": _context(ask, piece)})
            else:
                head["done"] = False
            yield http.line(head)

    async def embed(self, request: Request) -> Response:
        """`/api/embed`: one or several inputs."""
        body = await http.body_of(request)
        given = body.get("input", "")
        inputs = [given] if isinstance(given, str) else list(given)
        context = http.whole((body.get("options") or {}).get("num_ctx"))
        vectors, tokens, load, total = await embed(
            self._engine, http.model_of(body), inputs, context=context, keep_alive=http.keep_alive_of(body)
        )
        size = http.whole(body.get("dimensions"))
        return JSONResponse(
            {
                "model": body["model"],
                "embeddings": [vector[:size] if size else vector for vector in vectors],
                "total_duration": total,
                "load_duration": load,
                "prompt_eval_count": tokens,
            }
        )

    async def embeddings(self, request: Request) -> Response:
        """`/api/embeddings`: the older form with one prompt."""
        body = await http.body_of(request)
        vectors, *_ = await embed(
            self._engine, http.model_of(body), [str(body.get("prompt", ""))], keep_alive=http.keep_alive_of(body)
        )
        return JSONResponse({"embedding": vectors[0]})


async def embed(
    engine: Engine,
    name: str,
    inputs: list[str],
    *,
    context: int | None = None,
    keep_alive: float | None = None,
) -> tuple[list[list[float]], int, int, int]:
    """`(vectors, prompt tokens, load ns, total ns)`. Raises EngineError."""
    begun = engine.clock.monotonic()
    async with engine.turn(name, context=context, keep_alive=keep_alive) as turn:
        tokens = sum(text.count(item) for item in inputs)
        await engine.clock.sleep(0.004 * max(1, len(inputs)) + tokens / 20_000)
        vectors = [text.embedding(item, turn.model.embedding) for item in inputs]
        total = int((engine.clock.monotonic() - begun) * 1e9) + 1_000_000
        return vectors, tokens, int(turn.load_seconds * 1e9) + 500_000, total


def guarded(handler: Handler) -> Handler:
    """Turn EngineErrors into Ollama's own errors."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except EngineError as error:
            return http.native_error(error)

    return endpoint


def _message(said: str, *, thinking: str = "", calls: list[Json] | None = None) -> Json:
    message: Json = {"role": "assistant", "content": said}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = [{"function": {"index": place, **call}} for place, call in enumerate(calls)]
    return message


def _last(chunk: generation.Chunk) -> Json:
    return {
        "done": True,
        "done_reason": chunk.reason,
        "total_duration": chunk.total_ns,
        "load_duration": chunk.load_ns,
        "prompt_eval_count": chunk.prompt_tokens,
        "prompt_eval_duration": chunk.prompt_ns,
        "eval_count": chunk.tokens,
        "eval_duration": chunk.eval_ns,
    }


def _context(ask: generation.Ask, chunk: generation.Chunk) -> list[int]:
    seed = hashlib.sha256(ask.prompt.encode()).digest()
    return [seed[place % 32] + 256 for place in range(min(chunk.prompt_tokens + chunk.tokens, 32))]
