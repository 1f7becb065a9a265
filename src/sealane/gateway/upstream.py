"""The way to one replica: open a request, read its status, then its bytes as they come.

Two failures matter to the caller: `Unreached`, nothing came back, so another replica may be tried; `Lost`, the answer
broke off. How long anything may take is not decided here but by `flights`, which cancels. `Direct` speaks plain HTTP
to an address (a pod's, inside its cluster); the API server's pod proxy has its own way in `pod_proxy`.
"""

from __future__ import annotations

from typing import Protocol

import aiohttp


class Unreached(Exception):
    """The replica did not begin an answer. `denied`: the cluster refused. `busy`: the engine itself said "not now"."""

    def __init__(self, cause: str, *, denied: bool = False, busy: bool = False) -> None:
        super().__init__(cause)
        self.denied = denied
        self.busy = busy


class Lost(Exception):
    """The answer began and broke off."""


class Response(Protocol):
    """An answer that has begun."""

    status: int
    content_type: str

    async def chunk(self) -> bytes:
        """The next bytes as they came; empty at the end. Raises Lost."""

    async def read(self) -> bytes:
        """All of it. Raises Lost."""

    async def close(self) -> None:
        """Let go; an unfinished answer is cut, which makes the engine stop."""


class Upstream(Protocol):
    """A way to a replica."""

    async def open(self, method: str, path: str, body: bytes) -> Response:
        """Send a request and wait for the status line. Raises Unreached."""


ANSWER_LIMIT = 64 << 20
"""Bytes of an answer that is held in one piece; streams are not held."""

_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class Direct:
    """Plain HTTP to `base`, such as `http://10.1.2.3:11434`, over a session shared by all replicas."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base.rstrip("/")

    async def open(self, method: str, path: str, body: bytes) -> Response:
        """See Upstream. A pod's redirect is its answer: following it would let any pod send us anywhere."""
        try:
            answer = await self._session.request(
                method, self._base + path, data=body or None, headers=_HEADERS, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreached(str(error) or type(error).__name__) from error
        return DirectResponse(answer)


class DirectResponse:
    """See Response."""

    __slots__ = ("_answer", "content_type", "status")

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.content_type = answer.headers.get("Content-Type", "application/json")

    async def chunk(self) -> bytes:
        """See Response."""
        try:
            return await self._answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost(str(error)) from error

    async def read(self) -> bytes:
        """See Response."""
        try:
            return await self._read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost(str(error)) from error

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := await self._answer.content.readany():
            parts.append(part)
            size += len(part)
            if size > ANSWER_LIMIT:
                self._answer.close()
                raise Lost(f"its answer is larger than {ANSWER_LIMIT:,} bytes")
        return b"".join(parts)

    async def close(self) -> None:
        """See Response."""
        self._answer.close()


def session(*, connect: float, total: int = 0) -> aiohttp.ClientSession:
    """A session for `Direct`: as many connections as needed (`total` 0), kept alive, `connect` seconds to make one."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=total, keepalive_timeout=30, ttl_dns_cache=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        raise_for_status=False,
    )
