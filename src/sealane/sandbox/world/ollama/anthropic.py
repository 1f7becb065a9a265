"""`/v1/messages` in Anthropic's shape and `/v1/responses` in OpenAI's newer one, as far as editors use them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealane.sandbox.world.ollama import generation, http, openai, text
from sealane.sandbox.world.ollama.engine import Engine, EngineError
from sealane.sandbox.world.ollama.http import Json

_STOPS = {"stop": "end_turn", "length": "max_tokens"}
_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


class Messages:
    """The handlers of one server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._serial = 0

    def routes(self) -> list[Route]:
        """`/v1/messages`, its token counter, and `/v1/responses`."""
        return [
            Route("/v1/messages", _guarded(self.messages), methods=["POST"]),
            Route("/v1/messages/count_tokens", _guarded(self.count_tokens), methods=["POST"]),
            Route("/v1/responses", openai.guarded(self.responses), methods=["POST"]),
        ]

    async def messages(self, request: Request) -> Response:
        """`/v1/messages`, streamed or whole."""
        body = await http.body_of(request)
        if not body.get("messages"):
            raise EngineError(400, "messages is required")
        if not http.whole(body.get("max_tokens")):
            raise EngineError(400, "max_tokens is required and must be positive")
        ask = _ask(body)
        head = self._message_head(body)
        if not body.get("stream"):
            said, _, calls, last = await http.collect(self._engine, ask)
            content = [{"type": "text", "text": said}] if said else []
            content += [_tool_use(call, place) for place, call in enumerate(calls)]
            head |= {"content": content, "stop_reason": _stop(last, called=bool(calls)), "usage": _usage(last)}
            return JSONResponse(head)
        return await http.stream(self._engine, ask, lambda pieces: _events(pieces, head), media_type=http.SSE)

    async def count_tokens(self, request: Request) -> Response:
        """`/v1/messages/count_tokens`."""
        body = await http.body_of(request)
        prompt, _, _ = http.flatten(body.get("messages") or [])
        return JSONResponse({"input_tokens": text.count(prompt)})

    async def responses(self, request: Request) -> Response:
        """`/v1/responses`: text in, text out."""
        body = await http.body_of(request)
        given = body.get("input") or ""
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        prompt, last_user, images = http.flatten(messages)
        ask = generation.Ask(
            model=http.model_of(body), kind="chat", prompt=f"{body.get('instructions') or ''}{prompt}",
            last=last_user, images=images, limit=http.whole(body.get("max_output_tokens")),
        )  # fmt: skip
        self._serial += 1
        head = {
            "id": f"resp_{self._serial}",
            "object": "response",
            "created_at": int(self._engine.clock.now().timestamp()),
            "model": body["model"],
        }
        if not body.get("stream"):
            said, _, _, last = await http.collect(self._engine, ask)
            return JSONResponse(_response(head, said, last))
        return await http.stream(self._engine, ask, lambda pieces: _response_events(pieces, head), media_type=http.SSE)

    def _message_head(self, body: Json) -> Json:
        self._serial += 1
        return {
            "id": f"msg_{self._serial}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }


def _ask(body: Json) -> generation.Ask:
    system, _ = http.text_of(body.get("system") or "")
    prompt, last_user, images = http.flatten(body["messages"])
    return generation.Ask(
        model=http.model_of(body),
        kind="chat",
        prompt=f"{system}\n{prompt}",
        last=last_user,
        limit=http.whole(body.get("max_tokens")),
        stop=http.stops(body.get("stop_sequences")),
        tools=tuple(body.get("tools") or ()),
        images=images,
    )


async def _events(pieces: AsyncIterator[generation.Chunk], head: Json) -> AsyncIterator[bytes]:
    start = head | {"usage": {"input_tokens": 0, "output_tokens": 0}}
    yield http.event({"type": "message_start", "message": start}, name="message_start")
    block, place, called = "", 0, False
    async for piece in pieces:
        kind = "tool_use" if piece.tool is not None else "text"
        if not piece.done and kind != block:
            if block:
                yield _block_stop(place)
                place += 1
            block = kind
            yield _block_start(place, piece)
        if piece.tool is not None:
            called = True
            delta: Json = {"type": "input_json_delta", "partial_json": json.dumps(piece.tool["arguments"])}
            yield _block_delta(place, delta)
        elif piece.text:
            yield _block_delta(place, {"type": "text_delta", "text": piece.text})
        if piece.done:
            if block:
                yield _block_stop(place)
            delta = {"stop_reason": _stop(piece, called=called), "stop_sequence": None}
            body = {"type": "message_delta", "delta": delta, "usage": _usage(piece)}
            yield http.event(body, name="message_delta")
            yield http.event({"type": "message_stop"}, name="message_stop")


def _block_start(place: int, piece: generation.Chunk) -> bytes:
    block: Json = {"type": "text", "text": ""}
    if piece.tool is not None:
        block = _tool_use(piece.tool, place) | {"input": {}}
    body = {"type": "content_block_start", "index": place, "content_block": block}
    return http.event(body, name="content_block_start")


def _block_delta(place: int, delta: Json) -> bytes:
    return http.event({"type": "content_block_delta", "index": place, "delta": delta}, name="content_block_delta")


def _block_stop(place: int) -> bytes:
    return http.event({"type": "content_block_stop", "index": place}, name="content_block_stop")


def _tool_use(call: Json, place: int) -> Json:
    return {"type": "tool_use", "id": f"toolu_{place}_{call['name']}", "name": call["name"], "input": call["arguments"]}


def _stop(last: generation.Chunk, *, called: bool) -> str:
    return "tool_use" if called else _STOPS.get(last.reason, "end_turn")


def _usage(last: generation.Chunk) -> dict[str, int]:
    return {"input_tokens": last.prompt_tokens, "output_tokens": last.tokens}


def _response(head: Json, said: str, last: generation.Chunk) -> Json:
    content = [{"type": "output_text", "text": said, "annotations": []}]
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content}
    counts = {
        "input_tokens": last.prompt_tokens,
        "output_tokens": last.tokens,
        "total_tokens": last.prompt_tokens + last.tokens,
    }
    return head | {"status": "completed", "output": [message], "usage": counts}


async def _response_events(pieces: AsyncIterator[generation.Chunk], head: Json) -> AsyncIterator[bytes]:
    begun = head | {"status": "in_progress", "output": []}
    serial = 0
    yield http.event(
        {"type": "response.created", "sequence_number": serial, "response": begun}, name="response.created"
    )
    said: list[str] = []
    async for piece in pieces:
        serial += 1
        if piece.done:
            full = _response(head, "".join(said), piece)
            body = {"type": "response.completed", "sequence_number": serial, "response": full}
            yield http.event(body, name="response.completed")
        elif piece.text:
            said.append(piece.text)
            body = {
                "type": "response.output_text.delta",
                "sequence_number": serial,
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": piece.text,
            }
            yield http.event(body, name="response.output_text.delta")


def _guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except EngineError as error:
            detail = {"type": _TYPES.get(error.status, "api_error"), "message": error.text}
            return JSONResponse({"type": "error", "error": detail}, status_code=error.status)

    return endpoint
