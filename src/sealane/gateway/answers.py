"""Whole answers that the gateway writes itself: JSON, text, and errors in the shape of the API that was called."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Send

from sealane.gateway import errors
from sealane.lib.errors import SealaneError

_JSON = (b"content-type", b"application/json")


async def json(send: Send, value: Any, *, status: int = 200) -> None:
    """`value` as JSON."""
    await _send(send, status, msgspec.json.encode(value), [_JSON])


async def plain(send: Send, body: bytes, *, kind: bytes = b"text/plain; charset=utf-8", status: int = 200) -> None:
    """Bytes of some kind."""
    await _send(send, status, body, [(b"content-type", kind)])


async def error(send: Send, api: errors.Api, problem: SealaneError, *, ends: bool = True) -> None:
    """An error, with `Retry-After` where waiting helps; a 413 closes the connection, whose body nobody will read.

    With `ends=False` the caller ends the response itself; its length is told already, so the client has it whole.
    """
    headers = [_JSON]
    retry_after = getattr(problem, "retry_after", None)
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    if problem.http_status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if problem.http_status in {408, 413}:
        headers.append((b"connection", b"close"))
    await _send(send, problem.http_status, errors.body(api, problem), headers, ends=ends)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], *, ends: bool = True) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not ends})


class _Told(msgspec.Struct):
    error: Any = None
    message: Any = None


def sentence_in(body: bytes) -> str:
    """What an error body of an engine or an API server says in words: `error`, `error.message`, `message`; else ""."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except errors.UNREADABLE:
        return ""
    inner = told.error.get("message") if isinstance(told.error, dict) else told.error
    found = inner or told.message
    return found if isinstance(found, str) else ""
