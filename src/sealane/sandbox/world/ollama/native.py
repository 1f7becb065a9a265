"""Ollama's own API: generate, chat, embed, and the management of models."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sealane.sandbox.world.ollama import generation, http, library, pulls, storage, text
from sealane.sandbox.world.ollama.engine import Engine, EngineError, Loaded
from sealane.sandbox.world.ollama.http import Json
from sealane.sandbox.world.ollama.library import Model

Handler = Callable[[Request], Awaitable[Response]]


class Native:
    """The handlers of one server."""

    def __init__(self, engine: Engine, *, version: str) -> None:
        self._engine = engine
        self._version = version

    def routes(self) -> list[Route]:
        """All routes under `/api`."""
        table: tuple[tuple[str, Handler, str], ...] = (
            ("/api/version", self.version, "GET"),
            ("/api/tags", self.tags, "GET"),
            ("/api/ps", self.running, "GET"),
            ("/api/show", self.show, "POST"),
            ("/api/generate", self.generate, "POST"),
            ("/api/chat", self.chat, "POST"),
            ("/api/embed", self.embed, "POST"),
            ("/api/embeddings", self.embeddings, "POST"),
            ("/api/pull", self.pull, "POST"),
            ("/api/create", self.create, "POST"),
            ("/api/copy", self.copy, "POST"),
            ("/api/delete", self.delete, "DELETE"),
            ("/api/blobs/{digest}", self.upload, "POST"),
            ("/api/blobs/{digest}", self.has_blob, "HEAD"),
        )
        return [Route(path, _guarded(handler), methods=[method]) for path, handler, method in table]

    async def version(self, request: Request) -> Response:
        """`/api/version`."""
        del request
        return JSONResponse({"version": self._version})

    async def tags(self, request: Request) -> Response:
        """`/api/tags`: what is on disk, newest first."""
        del request
        stored = sorted(self._engine.store.models.items(), key=lambda item: item[1].modified, reverse=True)
        return JSONResponse({"models": [_tag(name, item) for name, item in stored]})

    async def running(self, request: Request) -> Response:
        """`/api/ps`: what is loaded."""
        del request
        return JSONResponse({"models": [_running(loaded) for loaded in self._engine.running()]})

    async def show(self, request: Request) -> Response:
        """`/api/show`: details of one model."""
        body = await http.body_of(request)
        model = self._engine.model(http.model_of(body))
        stored = self._engine.store.models[model.name]
        return JSONResponse(_show(model, stored.modified))

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

    async def pull(self, request: Request) -> Response:
        """`/api/pull`: joins a pull that is under way."""
        body = await http.body_of(request)
        job = self._engine.pulls.of(http.model_of(body))
        if body.get("stream", True) is False:
            try:
                async for _ in job.follow():
                    pass
            except pulls.PullFailed as error:
                raise EngineError(500, str(error)) from error
            return JSONResponse({"status": "success"})

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for progress in job.follow():
                    yield http.line(progress.to_json())
            except pulls.PullFailed as error:
                yield http.line({"error": str(error)})

        return StreamingResponse(lines(), media_type=http.NDJSON)

    async def create(self, request: Request) -> Response:
        """`/api/create`, as far as a name can be given to a model `from` another or to uploaded files."""
        body = await http.body_of(request)
        name = storage.with_tag(http.model_of(body))
        if body.get("from"):
            model = msgspec.structs.replace(self._engine.model(body["from"]), name=name)
        elif body.get("files"):
            model = Model(
                name=name, size=265_446, parameters=0.000128, family="llama", context=2048,
                capabilities=("completion",), quantization="F16", embedding=64, layers=2, kv=512,
            )  # fmt: skip
        else:
            raise EngineError(400, "neither 'from' or 'files' was specified")
        self._engine.store.add(model, now=self._engine.clock.now())
        if body.get("stream", True) is False:
            return JSONResponse({"status": "success"})
        steps = ("using existing layer", "writing manifest", "success")

        async def lines() -> AsyncIterator[bytes]:
            for status in steps:
                yield http.line({"status": status})

        return StreamingResponse(lines(), media_type=http.NDJSON)

    async def copy(self, request: Request) -> Response:
        """`/api/copy`."""
        body = await http.body_of(request)
        source, target = str(body.get("source", "")), storage.with_tag(str(body.get("destination", "")))
        found = self._engine.store.get(source)
        if found is None:
            raise EngineError(404, f'model "{source}" not found')
        self._engine.store.add(msgspec.structs.replace(found, name=target), now=self._engine.clock.now())
        return Response(status_code=200)

    async def delete(self, request: Request) -> Response:
        """`/api/delete`."""
        name = http.model_of(await http.body_of(request))
        self._engine.model(name)
        self._engine.unload(name)
        self._engine.store.remove(name)
        return Response(status_code=200)

    async def upload(self, request: Request) -> Response:
        """`POST /api/blobs/sha256:…`: the digest is checked as the real one does."""
        digest = request.path_params["digest"]
        found = f"sha256:{hashlib.sha256(await request.body()).hexdigest()}"
        if found != digest:
            raise EngineError(400, f'digest mismatch, expected "{digest}", got "{found}"')
        self._engine.store.blobs.add(digest)
        return Response(status_code=201)

    async def has_blob(self, request: Request) -> Response:
        """`HEAD /api/blobs/sha256:…`."""
        known = request.path_params["digest"] in self._engine.store.blobs
        return Response(status_code=200 if known else 404)


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


def _guarded(handler: Handler) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except EngineError as error:
            return http.native_error(error)

    return endpoint


def _details(model: Model) -> Json:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _tag(name: str, stored: storage.Stored) -> Json:
    return {
        "name": name,
        "model": name,
        "modified_at": http.moment(stored.modified),
        "size": stored.model.size,
        "digest": stored.model.digest,
        "details": _details(stored.model),
    }


def _running(loaded: Loaded) -> Json:
    expires = loaded.expires or datetime.datetime(2319, 1, 1, tzinfo=datetime.UTC)
    return {
        "name": loaded.model.name,
        "model": loaded.model.name,
        "size": loaded.size,
        "digest": loaded.model.digest,
        "details": _details(loaded.model),
        "expires_at": http.moment(expires),
        "size_vram": loaded.vram,
        "context_length": loaded.context,
    }


def _show(model: Model, modified: datetime.datetime) -> Json:
    family = model.family
    return {
        "license": "Simulated by the Sealane sandbox; see the licence of the real model.",
        "modelfile": f"# simulated by the Sealane sandbox\nFROM {model.name}\n",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _details(model),
        "model_info": {
            "general.architecture": family,
            "general.parameter_count": int(model.parameters * 1e9),
            f"{family}.context_length": model.context,
            f"{family}.embedding_length": model.embedding,
            f"{family}.block_count": model.layers,
        },
        "tensors": [],
        "capabilities": list(model.capabilities),
        "modified_at": http.moment(modified),
    }


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


known = library.known
