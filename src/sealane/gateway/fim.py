"""Fill-in-the-middle as Mistral's clients speak it: `POST /v1/fim/completions` with `prompt` and `suffix`.

Engines know the same job as `/v1/completions` with a `suffix`; clients such as Continue read the answer in chat's
shape: `choices[0].delta.content` of a stream, `choices[0].message.content` otherwise. Such clients read `choices[0]`
of every event, so the engine's last event, usage without choices, must never reach them. All of it is pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sealane.gateway.errors import UNREADABLE, BrokenJson

# Passed on as they are. `random_seed` is Mistral's name for `seed`; `min_tokens` has no twin and is left out.
_SAME = ("prompt", "suffix", "max_tokens", "temperature", "top_p", "stop", "seed", "stream")


class _Choice(msgspec.Struct):
    text: str = ""
    index: int = 0
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    id: str = ""
    created: int = 0
    model: str = ""
    choices: list[_Choice] = []
    usage: dict[str, Any] | None = None


_COMPLETION = msgspec.json.Decoder(_Completion)


def request(body: bytes, *, path: str, engine_model: str) -> bytes:
    """The engine's `/v1/completions` body. Raises BrokenJson where `prompt` is missing."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "prompt" not in fields:
        raise BrokenJson(f"The body of {path} has no `prompt`.")
    out: dict[str, Any] = {"model": engine_model}
    out.update({name: fields[name] for name in _SAME if name in fields})
    if "random_seed" in fields:
        out["seed"] = fields["random_seed"]
    if bytes(fields.get("stream", b"")) == b"true":
        out["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(out)


def answer(body: bytes) -> bytes:
    """A whole completion in chat's shape; anything else (an engine's error) as it is."""
    try:
        found = _COMPLETION.decode(body)
    except UNREADABLE:
        return body
    if not found.choices:
        return body
    choices = [
        {"index": c.index, "message": {"role": "assistant", "content": c.text}, "finish_reason": c.finish_reason}
        for c in found.choices
    ]
    return msgspec.json.encode(_document(found, "chat.completion", choices))


def event(payload: bytes) -> bytes:
    """One event's JSON in chat's shape; anything that is no completion as it is."""
    try:
        found = _COMPLETION.decode(payload)
    except UNREADABLE:
        return payload
    if not found.choices:
        return payload
    choices = [
        {"index": c.index, "delta": {"role": "assistant", "content": c.text}, "finish_reason": c.finish_reason}
        for c in found.choices
    ]
    return msgspec.json.encode(_document(found, "chat.completion.chunk", choices))


def stream(data: bytes) -> bytes:
    """Whole SSE events, each translated; `[DONE]` and comments pass."""
    pieces = data.split(b"\n\n")
    return b"\n\n".join(_piece(piece) for piece in pieces)


def _piece(piece: bytes) -> bytes:
    if not piece.startswith(b"data:"):
        return piece
    payload = piece[5:].strip()
    return piece if payload == b"[DONE]" else b"data: " + event(payload)


def _document(found: _Completion, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": found.id,
        "object": kind,
        "created": found.created,
        "model": found.model,
        "choices": choices,
    }
    if found.usage is not None:
        document["usage"] = found.usage
    return document
