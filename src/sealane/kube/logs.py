"""Lines that arrive over time: container logs, and the newline-separated JSON of watches.

Bytes are split as they come and a line is handed on the moment that it is complete. A following log may be silent for
hours, which is not an error, so its limit on silence is the kubelet's own (four hours); a peer that vanished is found
by TCP keep-alive (`kube.http`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import msgspec

from sealane.kube.http import Call, Http, next_part

FOLLOW_SILENCE = 4 * 3600.0
LONGEST_LINE = 16 * 1024 * 1024


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of which container's log. `tail_lines` None means from the beginning."""

    container: str = ""
    follow: bool = False
    tail_lines: int | None = None
    previous: bool = False

    def query(self) -> list[tuple[str, str]]:
        """As the API server's query parameters."""
        pairs = (
            ("container", self.container),
            ("follow", "true" if self.follow else ""),
            ("tailLines", "" if self.tail_lines is None else str(self.tail_lines)),
            ("previous", "true" if self.previous else ""),
        )
        return [(key, value) for key, value in pairs if value]


async def stream(http: Http, path: str, options: Options) -> AsyncGenerator[bytes, None]:
    """The log's lines, each with its line end (the last may lack it). Close it with `contextlib.aclosing`."""
    silence = FOLLOW_SILENCE if options.follow else http.limits.request
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=http.limits.connect, sock_read=silence)
    call = Call(method="GET", path=path, query=options.query(), headers={"Accept": "text/plain, */*"}, timeout=timeout)
    async with http.open(call) as response:
        async for line in lines(response, end=b"\n"):
            yield line


async def lines(response: aiohttp.ClientResponse, *, end: bytes = b"") -> AsyncIterator[bytes]:
    """Complete lines, each followed by `end`; what is left when the stream ends is given as it is.

    A line longer than `LONGEST_LINE` is handed on in pieces rather than held.
    """
    rest = b""
    while part := await next_part(response.content):
        whole = (rest + part).split(b"\n")
        rest = whole.pop()
        for line in whole:
            yield line + end
        if len(rest) > LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest
