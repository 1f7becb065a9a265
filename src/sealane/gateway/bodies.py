"""Reads of a request what routing needs, and changes in it what must change: nothing else of it is ever decoded.

A body is re-encoded only when the model has another name on the replica, when usage must be asked for, or when the
client would reconfigure the engine for everybody. `msgspec.Raw` keeps every other value byte for byte.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sealane.gateway import fim
from sealane.gateway.endpoints import Endpoint
from sealane.gateway.errors import UNREADABLE, Api, BrokenJson

# Ollama reloads the model when one of these differs from what is loaded (`Runner` options, api/types.go): they belong
# to whoever hosts the model. Dropping them gives every client the options that the model was loaded with.
RUNNER_OPTIONS = frozenset(
    {"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "use_mlock", "low_vram", "f16_kv", "numa"}
)


_ABSENT = msgspec.Raw()  # msgspec knows no `Raw | None`


class Peek(msgspec.Struct, frozen=True):
    """What routing and metering read of any body."""

    model: str = ""
    name: str = ""  # what old Ollama clients call `model` in /api/show
    stream: bool | None = None
    stream_options: msgspec.Raw = _ABSENT
    options: msgspec.Raw = _ABSENT
    keep_alive: msgspec.Raw = _ABSENT


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A body as the engine shall get it. `hide_usage`: we alone asked for usage, so hide it from the client."""

    body: bytes
    hide_usage: bool


_PEEK = msgspec.json.Decoder(Peek)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STREAM_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)


def peek(body: bytes, *, path: str) -> Peek:
    """The fields of `body` that routing needs. Raises BrokenJson for what is no JSON object, or names no model."""
    try:
        found = _PEEK.decode(body)
    except UNREADABLE as error:
        raise BrokenJson(f"The body of {path} is {_wrong(error)}.") from error
    if not (found.model or found.name):
        raise BrokenJson(f"The body of {path} names no `model`.")
    return found


def _wrong(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply to be read"
    what = "not what this path takes" if isinstance(error, msgspec.ValidationError) else "not valid JSON"
    return f"{what}: {str(error).rstrip('.')}"


def streams(found: Peek, endpoint: Endpoint) -> bool:
    """Whether the client asked for a stream."""
    if not endpoint.streams:
        return False
    return endpoint.streams_unasked if found.stream is None else found.stream


def prepare(body: bytes, found: Peek, endpoint: Endpoint, *, engine_model: str) -> Prepared:
    """The body for a replica that knows the model as `engine_model`. Raises BrokenJson for a malformed inner part."""
    if endpoint.fim:
        return Prepared(fim.request(body, path=endpoint.path, engine_model=engine_model), hide_usage=bool(found.stream))
    changes: dict[str, Any] = {}
    if found.model != engine_model:
        changes["model"] = engine_model
    hide_usage = False
    if endpoint.adds_usage and found.stream and not _wants_usage(found, endpoint):
        changes["stream_options"] = _with_usage(found.stream_options)
        hide_usage = True
    if endpoint.api is Api.OLLAMA:
        _pin(found, endpoint, changes)
    if not changes:
        return Prepared(body, hide_usage=False)
    fields: dict[str, Any] = dict(_FIELDS.decode(body))
    for name, value in changes.items():
        if value is msgspec.UNSET:
            fields.pop(name, None)
        else:
            fields[name] = value
    return Prepared(msgspec.json.encode(fields), hide_usage)


def _wants_usage(found: Peek, endpoint: Endpoint) -> bool:
    if found.stream_options is _ABSENT:
        return False
    try:
        options = _STREAM_OPTIONS.decode(found.stream_options)
    except UNREADABLE as error:
        raise BrokenJson(
            f"`stream_options` in the body of {endpoint.path} is not what it should be: {error}."
        ) from error
    return bool(options and options.include_usage)


def _with_usage(given: msgspec.Raw) -> dict[str, Any]:
    kept = msgspec.json.decode(given) if given is not _ABSENT else None
    return {**(kept or {}), "include_usage": True}


def _pin(found: Peek, endpoint: Endpoint, changes: dict[str, Any]) -> None:
    """No client may reload or unload a model that others use: drop runner options and `keep_alive`."""
    if found.keep_alive is not _ABSENT:
        changes["keep_alive"] = msgspec.UNSET
    if found.options is _ABSENT:
        return
    try:
        options = msgspec.json.decode(found.options, type=dict[str, msgspec.Raw] | None) or {}
    except UNREADABLE as error:
        raise BrokenJson(f"`options` in the body of {endpoint.path} is no JSON object.") from error
    kept = {name: value for name, value in options.items() if name not in RUNNER_OPTIONS}
    if len(kept) != len(options):
        changes["options"] = kept
