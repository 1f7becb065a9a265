"""One generation: the prompt's tokens, the answer's tokens in time, and counts and durations that add up.

All three APIs are dressings of this: they turn a request into an `Ask`, iterate over `Chunk`s and write them in
their own shape. Durations are simulated nanoseconds as Ollama reports them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from sealane.sandbox.world.ollama import text
from sealane.sandbox.world.ollama.engine import Engine, EngineError, Turn

_OVERHEAD = 20  # tokens that the chat template adds


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model, whatever API it came by. `limit` is tokens or None; `kind` is chat, generate or fim."""

    model: str
    kind: str
    prompt: str
    last: str
    suffix: str = ""
    context: int | None = None
    keep_alive: float | None = None
    limit: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    images: int = 0
    think: bool = False
    format: Any = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the answer; the last one has `done` and the counts."""

    text: str = ""
    thinking: str = ""
    tool: dict[str, Any] | None = None
    done: bool = False
    reason: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    eval_ns: int = 0
    total_ns: int = 0


def check(engine: Engine, ask: Ask) -> None:
    """Refuse what this model cannot do, before anything is loaded. Raises EngineError with Ollama's text."""
    model = engine.model(ask.model)
    if model.is_embedding and "completion" not in model.capabilities:
        verb = "chat" if ask.kind == "chat" else "generate"
        raise EngineError(400, f'"{ask.model}" does not support {verb}')
    if ask.tools and "tools" not in model.capabilities:
        raise EngineError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    if ask.think and "thinking" not in model.capabilities:
        raise EngineError(400, f'"{ask.model}" does not support thinking')
    if ask.suffix and "insert" not in model.capabilities:
        raise EngineError(400, f"registry.ollama.ai/library/{model.name} does not support insert")


async def run(engine: Engine, ask: Ask) -> AsyncGenerator[Chunk, None]:
    """The answer, piece by piece, at the pace of the model. Raises EngineError."""
    check(engine, ask)
    begun = engine.clock.monotonic()
    async with engine.turn(ask.model, context=ask.context, keep_alive=ask.keep_alive) as turn:
        prompt_tokens = min(_prompt_tokens(ask), turn.loaded.context)
        prompt_seconds = prompt_tokens / (2_500 if turn.loaded.vram else 180)
        await engine.clock.sleep(prompt_seconds)
        tokens = 0
        reason = "stop"
        pace = 1 / speed(turn)
        eval_begun = engine.clock.monotonic()
        for piece in _pieces(ask, turn):
            if ask.limit is not None and tokens >= ask.limit:
                reason = "length"
                break
            await engine.clock.sleep(pace)
            tokens += 1
            yield piece
        ended = engine.clock.monotonic()
        yield Chunk(
            done=True,
            reason=reason,
            prompt_tokens=prompt_tokens,
            tokens=tokens,
            load_ns=_nanoseconds(turn.load_seconds) + 1_000_000,
            prompt_ns=_nanoseconds(prompt_seconds),
            eval_ns=max(1, _nanoseconds(ended - eval_begun)),
            total_ns=_nanoseconds(ended - begun) + 2_000_000,
        )


def speed(turn: Turn) -> float:
    """Tokens a second: by the size of the weights, and far fewer without a GPU."""
    gigabytes = max(turn.model.size / 1e9, 0.3)
    rate: float = (420 if turn.loaded.vram else 45) / gigabytes**0.9
    return min(max(rate, 2.0), 220.0)


def _prompt_tokens(ask: Ask) -> int:
    return text.count(ask.prompt) + text.count(ask.suffix) + (_OVERHEAD if ask.kind == "chat" else 2) + 256 * ask.images


def _pieces(ask: Ask, turn: Turn) -> list[Chunk]:
    call = text.tool_call(list(ask.tools), ask.last) if ask.tools else None
    if call is not None:
        return [Chunk(tool=call)]
    said = _cut(_words(ask, turn.model.name), ask.stop)
    pieces = [Chunk(thinking=token) for token in text.tokens(text.thinking(ask.last))] if ask.think else []
    return pieces + [Chunk(text=token) for token in text.tokens(said)]


def _words(ask: Ask, model: str) -> str:
    if ask.format:
        return text.structured(ask.format, model, ask.last)
    if ask.kind == "fim" or ask.suffix or text.is_fim(ask.prompt):
        return text.completion(ask.prompt, ask.suffix)
    return text.answer(model, ask.last)


def _cut(said: str, stop: tuple[str, ...]) -> str:
    places = [said.find(word) for word in stop if word and word in said]
    return said[: min(places)] if places else said


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
