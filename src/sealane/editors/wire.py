"""Reading the answers of the protocols that editors speak: is it complete, and what did the model say?

A stream counts as complete only with its own ending (`[DONE]`, `"done": true`, `message_stop`), since a cut stream
looks like an end of file. Takes the lines of a body, gives back text; raises IncompleteError or StreamError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sealane.editors.types import Wire


class IncompleteError(Exception):
    """The stream ended without its ending."""


class StreamError(Exception):
    """The stream carried an error event; its text is the argument."""


def said(wire: Wire, lines: Iterable[str]) -> str:
    """What the model said, in the order in which it came. Embeddings give `N numbers`, models their count."""
    rows = [line for line in lines if line.strip()]
    if wire == "openai-embeddings":
        vectors = _json("".join(rows)).get("data") or []
        if not vectors:
            raise IncompleteError("no embedding came back")
        return f"{len(vectors)} embeddings of {len(vectors[0].get('embedding', []))} numbers"
    if wire == "openai-models":
        return f"{len(_json(''.join(rows)).get('data') or [])} models"
    if wire == "ollama-generate":
        return _ollama(rows)
    return _anthropic(rows) if wire == "anthropic" else _openai(rows)


def _openai(rows: list[str]) -> str:
    parts: list[str] = []
    done = False
    for row in rows:
        if not row.startswith("data:"):
            continue
        data = row[5:].strip()
        if data == "[DONE]":
            done = True
            continue
        event = _json(data)
        _raise_error(event)
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {}
            parts.append(choice.get("text") or delta.get("content") or delta.get("reasoning") or "")
    if not done:
        raise IncompleteError("no [DONE] came")
    return "".join(parts)


def _ollama(rows: list[str]) -> str:
    parts: list[str] = []
    done = False
    for row in rows:
        event = _json(row)
        _raise_error(event)
        parts.append(event.get("response") or "")
        done = done or bool(event.get("done"))
    if not done:
        raise IncompleteError('no "done": true came')
    return "".join(parts)


def _anthropic(rows: list[str]) -> str:
    parts: list[str] = []
    done = False
    for row in rows:
        if not row.startswith("data:"):
            continue
        event = _json(row[5:])
        _raise_error(event)
        delta = event.get("delta") or {}
        parts.append(delta.get("text") or delta.get("thinking") or "")
        done = done or event.get("type") == "message_stop"
    if not done:
        raise IncompleteError("no message_stop came")
    return "".join(parts)


def _raise_error(event: dict[str, Any]) -> None:
    error = event.get("error")
    if error:
        raise StreamError(str(error.get("message") if isinstance(error, dict) else error))


def _json(data: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise IncompleteError(f"not JSON: {data[:80]!r}") from error
    if not isinstance(value, dict):
        raise IncompleteError(f"not an object: {data[:80]!r}")
    return value
