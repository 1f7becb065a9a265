"""The OpenAI-compatible endpoints, in the shapes that Ollama gives them (ids, fingerprints, the order of chunks)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealane.sandbox.world.ollama import generation, http, native
from sealane.sandbox.world.ollama.engine import Engine, EngineError
from sealane.sandbox.world.ollama.http import Json

Handler = Callable[[Request], Awaitable[Response]]
FINGERPRINT = "fp_ollama"
DONE = b"data: [DONE]\n\n"
_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


class OpenAi:
    """The handlers of one server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._serial = 0

    def routes(self) -> list[Route]:
        """All routes under `/v1` but `messages` and `responses`."""
        table: tuple[tuple[str, Handler, str], ...] = (
            ("/v1/models", self.models, "GET"),
            ("/v1/models/{model:path}", self.model, "GET"),
            ("/v1/chat/completions", self.chat, "POST"),
            ("/v1/completions", self.completions, "POST"),
            ("/v1/embeddings", self.embeddings, "POST"),
        )
        return [Route(path, guarded(handler), methods=[method]) for path, handler, method in table]

    async def models(self, request: Request) -> Response:
        """`/v1/models`."""
        del request
        stored = sorted(self._engine.store.models.items(), key=lambda item: item[1].modified, reverse=True)
        data = [_model(name, int(item.modified.timestamp())) for name, item in stored]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """`/v1/models/NAME`."""
        found = self._engine.model(request.path_params["model"])
        modified = self._engine.store.models[found.name].modified
        return JSONResponse(_model(request.path_params["model"], int(modified.timestamp())))

    async def chat(self, request: Request) -> Response:
        """`/v1/chat/completions`."""
        body = await http.body_of(request)
        if not body.get("messages"):
            raise EngineError(400, "[] is too short - 'messages'")
        prompt, last_user, images = http.flatten(body["messages"])
        ask = self._ask(body, kind="chat", prompt=prompt, last=last_user, images=images)
        head = self._head("chatcmpl", body, "chat.completion")
        if not body.get("stream"):
            said, thought, calls, last = await http.collect(self._engine, ask)
            message: Json = {"role": "assistant", "content": said}
            if thought:
                message["reasoning"] = thought
            if calls:
                message["tool_calls"] = [_call(call, place) for place, call in enumerate(calls)]
            reason = "tool_calls" if calls else last.reason
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return JSONResponse(head | {"choices": [choice], "usage": usage(last)})
        head["object"] = "chat.completion.chunk"
        return await http.stream(
            self._engine, ask, lambda pieces: _chat_events(pieces, head, body), media_type=http.SSE
        )

    async def completions(self, request: Request) -> Response:
        """`/v1/completions`, with `suffix` for fill-in-the-middle."""
        body = await http.body_of(request)
        prompt = body.get("prompt") or ""
        prompt = prompt if isinstance(prompt, str) else "\n".join(str(item) for item in prompt)
        ask = self._ask(body, kind="fim" if body.get("suffix") else "generate", prompt=prompt, last=prompt, images=0)
        head = self._head("cmpl", body, "text_completion")
        if not body.get("stream"):
            said, _, _, last = await http.collect(self._engine, ask)
            choice = {"text": said, "index": 0, "finish_reason": last.reason}
            return JSONResponse(head | {"choices": [choice], "usage": usage(last)})
        return await http.stream(
            self._engine, ask, lambda pieces: _text_events(pieces, head, body), media_type=http.SSE
        )

    async def embeddings(self, request: Request) -> Response:
        """`/v1/embeddings`."""
        body = await http.body_of(request)
        given = body.get("input")
        if not given:
            raise EngineError(400, "invalid input")
        inputs = [given] if isinstance(given, str) else [str(item) for item in given]
        vectors, tokens, *_ = await native.embed(self._engine, http.model_of(body), inputs)
        size = http.whole(body.get("dimensions"))
        encode = _base64 if body.get("encoding_format") == "base64" else list
        data = [
            {"object": "embedding", "embedding": encode(vector[:size] if size else vector), "index": place}
            for place, vector in enumerate(vectors)
        ]
        counts = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": counts})

    def _ask(self, body: Json, *, kind: str, prompt: str, last: str, images: int) -> generation.Ask:
        wanted = body.get("response_format") or {}
        schema = (wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None
        return generation.Ask(
            model=http.model_of(body),
            kind=kind,
            prompt=prompt,
            last=last,
            suffix=str(body.get("suffix") or ""),
            limit=http.whole(body.get("max_completion_tokens") or body.get("max_tokens")),
            stop=http.stops(body.get("stop")),
            tools=tuple(body.get("tools") or ()),
            images=images,
            format=schema or ("json" if wanted.get("type") == "json_object" else None),
        )

    def _head(self, prefix: str, body: Json, kind: str) -> Json:
        self._serial += 1
        return {
            "id": f"{prefix}-{self._serial}",
            "object": kind,
            "created": int(self._engine.clock.now().timestamp()),
            "model": body["model"],
            "system_fingerprint": FINGERPRINT,
        }


async def _chat_events(pieces: AsyncIterator[generation.Chunk], head: Json, body: Json) -> AsyncIterator[bytes]:
    called = False
    async for piece in pieces:
        delta: Json = {"role": "assistant", "content": piece.text}
        if piece.thinking:
            delta["reasoning"] = piece.thinking
        if piece.tool is not None:
            called = True
            delta["tool_calls"] = [_call(piece.tool, 0)]
        reason = ("tool_calls" if called else piece.reason) if piece.done else None
        yield http.event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        if piece.done:
            async for rest in _end(head, body, piece):
                yield rest


async def _text_events(pieces: AsyncIterator[generation.Chunk], head: Json, body: Json) -> AsyncIterator[bytes]:
    async for piece in pieces:
        reason = piece.reason if piece.done else None
        yield http.event(head | {"choices": [{"text": piece.text, "index": 0, "finish_reason": reason}]})
        if piece.done:
            async for rest in _end(head, body, piece):
                yield rest


async def _end(head: Json, body: Json, last: generation.Chunk) -> AsyncIterator[bytes]:
    if (body.get("stream_options") or {}).get("include_usage"):
        yield http.event(head | {"choices": [], "usage": usage(last)})
    yield DONE


def usage(last: generation.Chunk) -> dict[str, int]:
    """OpenAI's usage block."""
    return {
        "prompt_tokens": last.prompt_tokens,
        "completion_tokens": last.tokens,
        "total_tokens": last.prompt_tokens + last.tokens,
    }


def error_of(error: EngineError) -> Response:
    """OpenAI's error shape, as Ollama fills it."""
    kind = _TYPES.get(error.status, "api_error")
    body = {"message": error.text, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": body}, status_code=error.status)


def guarded(handler: Handler) -> Handler:
    """Turn EngineErrors into OpenAI's errors."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except EngineError as error:
            return error_of(error)

    return endpoint


def _model(name: str, created: int) -> Json:
    return {"id": name, "object": "model", "created": created, "owned_by": "library"}


def _call(call: dict[str, Any], place: int) -> Json:
    arguments = json.dumps(call["arguments"])
    digest = hashlib.sha256(f"{call['name']}{arguments}".encode()).hexdigest()[:8]
    function = {"name": call["name"], "arguments": arguments}
    return {"id": f"call_{digest}", "index": place, "type": "function", "function": function}


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
