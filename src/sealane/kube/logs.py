"""Lines that arrive over time: container logs, and the newline-separated JSON of watches.

Bytes are split as they come and a line is handed on the moment that it is complete. A following log may be silent for
hours, which is not an error, so its limit on silence is the kubelet's own (four hours); a peer that vanished is found
by TCP keep-alive (`kube.http`).
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import aiohttp
import msgspec

from sealane.kube.http import Call, Http, next_part

FOLLOW_SILENCE = 4 * 3600.0
LONGEST_LINE = 16 * 1024 * 1024


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of which container's log. `tail_lines` None means from the beginning; `since` is an aware time, which
    API servers cut to whole seconds; `limit_bytes` ends the answer in the middle of a line."""

    container: str = ""
    follow: bool = False
    tail_lines: int | None = None
    previous: bool = False
    since: datetime.datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None

    def query(self) -> list[tuple[str, str]]:
        """As the API server's query parameters."""
        since = self.since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if self.since else ""
        pairs = (
            ("container", self.container),
            ("follow", "true" if self.follow else ""),
            ("tailLines", "" if self.tail_lines is None else str(self.tail_lines)),
            ("previous", "true" if self.previous else ""),
            ("sinceTime", since),
            ("timestamps", "true" if self.timestamps else ""),
            ("limitBytes", "" if self.limit_bytes is None else str(self.limit_bytes)),
        )
        return [(key, value) for key, value in pairs if value]


async def stream(http: Http, path: str, options: Options) -> AsyncGenerator[bytes, None]:
    """The log's lines, each with its line end (the last may lack it). Close it with `contextlib.aclosing`."""
    async with opened(http, path, options) as response:
        async for line in lines(response, end=b"\n"):
            yield line


@contextlib.asynccontextmanager
async def opened(http: Http, path: str, options: Options) -> AsyncIterator[aiohttp.ClientResponse]:
    """The open answer, for those who need its head too."""
    silence = FOLLOW_SILENCE if options.follow else http.limits.request
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=http.limits.connect, sock_read=silence)
    call = Call(method="GET", path=path, query=options.query(), headers={"Accept": "text/plain, */*"}, timeout=timeout)
    async with http.open(call) as response:
        yield response


async def lines(
    response: aiohttp.ClientResponse, *, end: bytes = b"", longest: int | None = None
) -> AsyncIterator[bytes]:
    """Complete lines, each followed by `end`; what is left when the stream ends is given as it is.

    A line longer than `longest` (None: `LONGEST_LINE`) is handed on in pieces of just that size rather than held.
    """
    most = longest or LONGEST_LINE
    rest: list[bytes] = []  # parts of a line that has not ended: joined once, as a slow writer makes thousands of them
    held = 0
    while part := await next_part(response.content):
        *whole, last = part.split(b"\n")
        if whole:
            whole[0] = b"".join((*rest, whole[0]))
            rest, held = [], 0
            for line in whole:
                for piece in _cut(line, most):
                    yield piece
                yield line[_even(line, most) :] + end
        rest.append(last)
        held += len(last)
        if held > most:
            line = b"".join(rest)
            for piece in _cut(line, most):
                yield piece
            rest = [line[_even(line, most) :]]
            held = len(rest[0])
    if held:
        yield b"".join(rest)


def _even(line: bytes, most: int) -> int:
    """Where the last piece of a long line begins; 0 for others."""
    return 0 if len(line) <= most else len(line) // most * most


def _cut(line: bytes, most: int) -> Iterator[bytes]:
    """All whole pieces of a long line; none of others."""
    return (line[at : at + most] for at in range(0, _even(line, most), most))
