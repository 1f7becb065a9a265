"""What the API dressings share: reading bodies as Ollama does, starting a stream only once the first piece is there.

An error that comes before the first piece is an ordinary error response; one that comes later can only be a line of
the stream.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from sealane.sandbox.world.ollama import generation
from sealane.sandbox.world.ollama.engine import Engine, EngineError
from sealane.sandbox.world.ollama.settings import duration

Json = dict[str, Any]
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


async def body_of(request: Request) -> Json:
    """The JSON body. Raises EngineError 400 with the texts of Ollama's own parser."""
    raw = await request.body()
    if not raw:
        raise EngineError(400, "missing request body")
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise EngineError(400, f"invalid character in JSON body: {error}") from error
    if not isinstance(parsed, dict):
        raise EngineError(400, "json: cannot unmarshal the body into an object")
    return parsed


def model_of(body: Json) -> str:
    """The model that is asked for. Raises EngineError 400."""
    name = body.get("model") or body.get("name") or ""
    if not isinstance(name, str) or not name:
        raise EngineError(400, "model is required")
    return name


def keep_alive_of(body: Json) -> float | None:
    """`keep_alive` in seconds, None when it is not given. Raises EngineError 400."""
    if body.get("keep_alive") is None:
        return None
    try:
        return duration(body["keep_alive"])
    except ValueError as error:
        raise EngineError(400, str(error)) from error


def text_of(content: Any) -> tuple[str, int]:
    """`(text, images)` of a message's content: a string or a list of parts, in all three APIs."""
    if isinstance(content, str):
        return content, 0
    said, images = [], 0
    for part in content or ():
        kind = part.get("type", "") if isinstance(part, dict) else ""
        if "image" in kind:
            images += 1
        elif isinstance(part, dict):
            nested = part.get("text") or part.get("content") or ""
            said.append(nested if isinstance(nested, str) else text_of(nested)[0])
    return "\n".join(said), images


def flatten(messages: list[Json]) -> tuple[str, str, int]:
    """`(everything, last user text, images)` of a conversation."""
    parts, last, images = [], "", 0
    for message in messages:
        said, seen = text_of(message.get("content"))
        images += seen + len(message.get("images") or ())
        parts.append(said)
        if message.get("role") == "user":
            last = said
        elif message.get("role") == "tool":
            last = f"tool result: {said}"
    return "\n".join(parts), last, images


def stops(value: Any) -> tuple[str, ...]:
    """A stop word or a list of them."""
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def whole(value: Any) -> int | None:
    """A positive limit, None for absent, negative or nonsense."""
    return int(value) if isinstance(value, (int, float)) and value > 0 else None


async def stream(
    engine: Engine,
    ask: generation.Ask,
    dress: Callable[[AsyncIterator[generation.Chunk]], AsyncIterator[bytes]],
    *,
    media_type: str,
) -> Response:
    """A streaming answer that begins when the first piece is there. Raises EngineError before that."""
    pieces = generation.run(engine, ask)
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[generation.Chunk]:
        async with contextlib.aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    headers = {"Cache-Control": "no-cache"} if media_type == SSE else {}
    return StreamingResponse(dress(all_pieces()), media_type=media_type, headers=headers)


async def collect(engine: Engine, ask: generation.Ask) -> tuple[str, str, list[Json], generation.Chunk]:
    """`(text, thinking, tool calls, last chunk)` of a whole answer. Raises EngineError."""
    said, thought, calls = [], [], []
    last = generation.Chunk(done=True)
    async for piece in generation.run(engine, ask):
        said.append(piece.text)
        thought.append(piece.thinking)
        if piece.tool is not None:
            calls.append(piece.tool)
        if piece.done:
            last = piece
    return "".join(said), "".join(thought), calls, last


def line(value: Json) -> bytes:
    """One NDJSON line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def event(value: Json, *, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def moment(at: datetime.datetime) -> str:
    """A time as Go prints it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def native_error(error: EngineError) -> Response:
    """Ollama's own error shape."""
    return JSONResponse({"error": error.text}, status_code=error.status)
