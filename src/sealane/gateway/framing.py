"""Watches a stream go by: cuts it at whole events, finds the engine's own usage numbers, knows whether it really
ended.

A replica that dies leaves a stream that just stops, without an error: only the missing end (`[DONE]`, `message_stop`,
`"done":true`) tells. Holding back a half event lets our own error event follow cleanly. Bytes are never changed; the
one thing that is ever left out is usage which the gateway alone had asked for. All of it is pure.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from sealane.gateway.errors import UNREADABLE, Api

_MAX_HELD = 4 * 1024 * 1024


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the engine counted them."""

    prompt: int = 0
    completion: int = 0

    def merged(self, other: Usage) -> Usage:
        """Counts of a stream only grow: the larger of both."""
        return Usage(max(self.prompt, other.prompt), max(self.completion, other.completion))


class _Counts(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens or self.input_tokens or 0, self.completion_tokens or self.output_tokens or 0)


class _Holder(msgspec.Struct):
    usage: _Counts | None = None


class _Event(msgspec.Struct):
    """Where the three SSE dialects put usage: at the top, in `message` (Anthropic), in `response` (Responses)."""

    choices: list[msgspec.Raw] | None = None
    usage: _Counts | None = None
    message: _Holder | None = None
    response: _Holder | None = None


class _Native(msgspec.Struct):
    done: bool = False
    error: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


_EVENT = msgspec.json.Decoder(_Event)
_NATIVE = msgspec.json.Decoder(_Native)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Reader(Protocol):
    """What a stream of one API needs."""

    @property
    def usage(self) -> Usage:
        """The engine's counts so far."""

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the client now."""

    def ended(self) -> bool:
        """Whether the engine itself finished what it had to say (also when that was an error of its own)."""

    def rest(self) -> bytes:
        """What is still held back when the stream has ended well."""


class SseReader:
    """Server-sent events of the OpenAI, Responses and Anthropic APIs."""

    __slots__ = ("_api", "_held", "_hide_usage", "_last", "_usage")

    def __init__(self, api: Api, *, hide_usage: bool = False) -> None:
        self._usage = Usage()
        self._api = api
        self._hide_usage = hide_usage
        self._held = b""
        self._last = b""

    def feed(self, chunk: bytes) -> bytes:
        """Whole events only; a half one waits for its end."""
        data = self._held + chunk if self._held else chunk
        if not data.endswith(b"\n\n"):
            data = self._cut(data)
        elif self._held:
            self._held = b""
        if b'"usage"' in data:
            data = self._look(data)
        if data:
            self._last = data
        return data

    @property
    def usage(self) -> Usage:
        """See Reader."""
        return self._usage

    def _cut(self, data: bytes) -> bytes:
        at = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0)
        if at < 2:
            at = 0 if len(data) < _MAX_HELD else len(data)
        self._held = data[at:]
        return data[:at]

    def _look(self, data: bytes) -> bytes:
        """Read usage, and leave it out where the client did not ask for it."""
        separator = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
        kept = []
        for piece in data.split(separator):
            if b'"usage"' not in piece:
                kept.append(piece)
                continue
            usage_only = self._is_usage_only(piece)
            if not self._hide_usage:
                kept.append(piece)
            elif not usage_only:
                kept.append(_without_usage(piece))
        return separator.join(kept)

    def _is_usage_only(self, piece: bytes) -> bool:
        """Note the usage in one event; true when it carries nothing else (`"choices":[]`)."""
        payload = piece[piece.find(b"data:") + 5 :]
        try:
            event = _EVENT.decode(payload)
        except UNREADABLE:
            return False  # not in a shape that carries usage: the client will judge it
        inner = [holder.usage for holder in (event.message, event.response) if holder is not None]
        for counts in (event.usage, *inner):
            if counts is not None:
                self._usage = self._usage.merged(counts.usage())
        return event.usage is not None and event.choices == []

    def ended(self) -> bool:
        """See Reader."""
        final = (self._last + self._held).rstrip(b"\r\n")
        event = final.replace(b"\r\n", b"\n").rsplit(b"\n\n", 1)[-1]
        if self._api is Api.ANTHROPIC:
            return b"message_stop" in event or event.startswith(b"event: error")
        if self._api is Api.RESPONSES:
            return any(end in event for end in _RESPONSES_ENDS) or event.startswith(b"data: [DONE]")
        return event.startswith((b"data: [DONE]", b"data:[DONE]", b'data: {"error"'))

    def rest(self) -> bytes:
        """See Reader."""
        return self._held


def _without_usage(piece: bytes) -> bytes:
    """An event without its `usage`: Ollama's /v1/completions puts zeros into each one once usage is asked for."""
    at = piece.find(b"data:") + 5
    try:
        fields = _FIELDS.decode(piece[at:])
    except UNREADABLE:
        return piece
    fields.pop("usage", None)
    return piece[:at] + b" " + msgspec.json.encode(fields)


_RESPONSES_ENDS = (
    b'"type":"response.completed"',
    b'"type":"response.incomplete"',
    b'"type":"response.failed"',
    b"event: response.completed",
    b"event: response.incomplete",
    b"event: response.failed",
    b"event: error",
)


class NdjsonReader:
    """Ollama's own streams: one JSON object a line, the last with `"done":true` and the counts, or with `error`."""

    __slots__ = ("_held", "_last")

    def __init__(self) -> None:
        self._held = b""
        self._last = b""

    def feed(self, chunk: bytes) -> bytes:
        """Whole lines only."""
        data = self._held + chunk if self._held else chunk
        at = data.rfind(b"\n") + 1
        if not at and len(data) > _MAX_HELD:
            at = len(data)
        self._held = data[at:] if at != len(data) else b""
        if at:
            self._last = data = data[:at] if at != len(data) else data
            return data
        return b""

    @property
    def usage(self) -> Usage:
        """The counts of the last line."""
        last = self._final()
        return Usage(last.prompt_eval_count or 0, last.eval_count or 0)

    def ended(self) -> bool:
        """See Reader."""
        last = self._final()
        return last.done or last.error is not None

    def rest(self) -> bytes:
        """See Reader."""
        return self._held

    def _final(self) -> _Native:
        line = (self._last + self._held).rstrip(b"\r\n")
        try:
            return _NATIVE.decode(line[line.rfind(b"\n") + 1 :])
        except UNREADABLE:
            return _Native()


def usage_of(body: bytes, api: Api) -> Usage:
    """The usage in a whole (not streamed) answer; zero where the engine tells none."""
    try:
        if api is Api.OLLAMA:
            native = _NATIVE.decode(body)
            return Usage(native.prompt_eval_count or 0, native.eval_count or 0)
        event = _EVENT.decode(body)
    except UNREADABLE:
        return Usage()
    return event.usage.usage() if event.usage is not None else Usage()
