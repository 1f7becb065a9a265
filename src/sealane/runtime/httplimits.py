"""uvicorn's HTTP protocol with limits on what a request's head may cost.

The parser that uvicorn uses sets none: anyone who reaches the port, with or without a key, could send one header that
never ends, or connect and say nothing. What comes without completing a head or a part of a body is counted, which
also covers trailers and chunk extensions; a head that is not there in time ends the connection. Bodies have limits of
their own, in the applications, which know what they take.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0

_TOO_LARGE = b"The head of the request is larger than 64 KiB.\n"
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_TOO_LARGE), _TOO_LARGE)
)


class Protocol(HttpToolsProtocol):
    """One connection. See the module."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._between = True  # no head is complete: a request is awaited, or its head is on its way
        self._pending = 0  # bytes that have completed nothing yet
        self._moved = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol; who connects and says nothing is let go as well."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; refuses with 431 what never completes anything."""
        if self.transport.is_closing():
            return
        self._moved = False
        super().data_received(data)
        if self._moved:
            return
        self._pending += len(data)
        if self._pending > HEAD_BYTES:
            self._stop()
            self.transport.write(_ANSWER)
            self.transport.close()
        elif self._between and self._timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._progress()
        self._between = False
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._progress()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._progress()
        self._between = True
        super().on_message_complete()

    def _progress(self) -> None:
        self._moved = True
        self._pending = 0

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
