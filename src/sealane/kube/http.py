"""One HTTP exchange with an API server, with everything that every exchange needs.

Credentials and their one renewal after a 401, waiting as a 429 asks (within a limit), time-outs on everything, typed
errors, TLS, proxies. `Accept-Encoding: identity`, because an API server on the same network spends more time on gzip
than the bytes take. Nothing is opened before the first request. Callers get either bytes or an open response; aiohttp's
exceptions end here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from sealane.kube import credentials, errors, failures
from sealane.kube.config import Context
from sealane.kube.errors import Target
from sealane.kube.identity import Identity
from sealane.kube.way import Way
from sealane.lib.clock import Clock

Query = Sequence[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None
LARGEST_MESSAGE = 16 * 1024 * 1024  # bytes of one WebSocket message


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and bytes that an exchange may take. `request` is silence (a page of a list may take long on a slow line,
    but it moves), `total` all of it; `busy` bounds the sum of waits that 429 answers ask for."""

    connect: float = 10.0
    request: float = 30.0
    total: float = 120.0
    busy: float = 30.0
    answer: int = 512 * 1024 * 1024


DEFAULT = Limits()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange to make. `passthrough` leaves compression, redirects and failures as they are: for what pods answer;
    otherwise an answer of 300 or more is raised as `ApiError`."""

    method: str
    path: str
    query: Query = ()
    body: Body = None
    headers: Mapping[str, str] = {}
    timeout: aiohttp.ClientTimeout
    passthrough: bool = False
    patient: bool = True
    """Wait as a 429 asks, here; a caller that says aloud what it waits for (a watch) does it itself."""

    @property
    def repeatable(self) -> bool:
        """A body that streams can be sent only once; an eviction's 429 means that a disruption budget forbids it."""
        return isinstance(self.body, bytes | None) and not self.path.endswith("/eviction")

    def url(self, server: str) -> URL:
        """Path and query are already quoted: a second quoting would change names such as `a%2Fb`."""
        query = f"?{urlencode(self.query, quote_via=quote)}" if self.query else ""
        return URL(f"{server}{self.path}{query}", encoded=True)


class Http:
    """Exchanges with one context's API server. Make it anywhere; use and close it within one event loop."""

    def __init__(self, context: Context, *, clock: Clock, limits: Limits = DEFAULT) -> None:
        self.context = context
        self.limits = limits
        self._clock = clock
        self._way = Way(context, clock=clock)
        self._session: aiohttp.ClientSession | None = None
        self._answers: set[aiohttp.ClientResponse] = set()
        self._upgraded: set[aiohttp.ClientSession] = set()
        self._closed = False

    def adopt(self, context: Context) -> None:
        """Go on as `context`, the same person; what is under way goes on as it began. Where the sign-in itself did not
        change, what was fetched by it (a plugin's token) is kept."""
        before, self.context = self.context, context
        if not credentials.same_sign_in(before.credentials, context.credentials):
            self._way = Way(context, clock=self._clock)

    async def close(self) -> None:
        """Close every connection, also of exchanges under way."""
        self._closed = True
        await self.hang_up()

    async def hang_up(self) -> None:
        """Drop every connection, also under exchanges: for when they are known to be dead (after a laptop's sleep)."""
        sessions = [*self._upgraded, *((self._session,) if self._session is not None else ())]
        self._session = None
        for answer in list(self._answers):
            _hang_up(answer)
        for session in sessions:
            await session.close()

    def target(self, method: str, path: str) -> Target:
        """For sentences about this exchange."""
        return self.context.target(f"{method} {path}")

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: float | None = None,
    ) -> bytes:
        """The whole answer's body, within `limit` seconds. `ApiError`, `Unreachable`, `ConfigError` or `TooLarge`."""
        seconds = limit or self.limits.request
        timeout = aiohttp.ClientTimeout(
            total=limit or self.limits.total, sock_connect=self.limits.connect, sock_read=seconds
        )
        call = Call(method=method, path=path, query=query, body=body, headers=headers or {}, timeout=timeout)
        async with self.open(call) as response:
            return await read(response, target=self.target(method, path), limit=self.limits.answer, seconds=seconds)

    @contextlib.asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """An open answer; leaving the block closes the connection unless the answer was read to its end."""
        target = self.target(call.method, call.path)
        response = await self._patiently(call)
        self._answers.add(response)
        try:
            if not call.passthrough and response.status >= 300:
                raise await failure(response, target=await self._noted(target, response.status))
            yield response
        except aiohttp.ClientError as error:
            raise failures.network_error(error, target=target, limit=call.timeout.sock_read) from error
        finally:
            self._answers.discard(response)
            if response.content.at_eof():
                response.release()
            else:
                _hang_up(response)

    @contextlib.asynccontextmanager
    async def upgrade(
        self, call: Call, protocols: Sequence[str], *, trace: aiohttp.TraceConfig, closing: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket as this identity, with a session of its own; aiohttp's exceptions pass (see `kube.websocket`).

        `closing` limits the wait for the server's farewell, in seconds.
        """
        self._check_usable(call)
        way = self._way
        arguments = await way.arguments(call.headers, await way.identity())
        used: list[asyncio.Transport] = []
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, socket_factory=_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=call.timeout,
            trace_configs=[_noting(used), trace],
        ) as session:
            self._upgraded.add(session)
            try:
                yield await session.ws_connect(
                    call.url(self.context.server),
                    protocols=protocols,
                    **arguments,
                    timeout=aiohttp.ClientWSTimeout(ws_close=closing),
                    max_msg_size=LARGEST_MESSAGE,
                )
            finally:
                self._upgraded.discard(session)
                for transport in used:  # after the WebSocket's own farewell; see `_hang_up`
                    transport.abort()

    async def renew(self) -> bool:
        """Sign in anew after the server refused the current identity; True when that changed anything."""
        return await self._way.renew(await self._way.identity())

    async def _patiently(self, call: Call) -> aiohttp.ClientResponse:
        """Send until the server has time: a 429 (or a 5xx that names a time) is repeated after `Retry-After`."""
        waited = 0.0
        while True:
            response = await self._authenticated(call)
            wait = _asked_to_wait(response)
            if (
                not wait
                or not call.patient
                or not call.repeatable
                or call.passthrough
                or waited + wait > self.limits.busy
            ):
                return response
            response.release()
            await self._clock.sleep(wait)
            waited += wait

    async def _authenticated(self, call: Call) -> aiohttp.ClientResponse:
        """Send as the current identity; after a 401 once more as a renewed one, if there is any."""
        self._check_usable(call)
        way = self._way
        identity = await way.identity()
        response = await self._connected(call, way, identity)
        if call.passthrough:
            return response  # a pod's own 401 is no reason to sign in again
        if response.status != 401:
            way.accepted(identity)
            return response
        if not call.repeatable or not await way.renew(identity):
            return response
        response.release()
        identity = await way.identity()
        response = await self._send(call, way, identity)
        if response.status != 401:
            way.accepted(identity)
        return response

    async def _connected(self, call: Call, way: Way, identity: Identity) -> aiohttp.ClientResponse:
        """Send; after a failure of TLS once more, if a certificate or an authority was replaced since it was read."""
        try:
            return await self._send(call, way, identity)
        except errors.TlsFailed as error:
            if not call.repeatable or not await way.mended(error, identity):
                raise
        except errors.Disconnected as error:
            if call.method != "GET" or not await way.mended(error, identity):
                raise
        return await self._send(call, way, await way.identity())

    def _check_usable(self, call: Call) -> None:
        if self.context.problem is not None:
            raise self.context.problem
        if self._closed:
            raise errors.Disconnected("this client is closed", target=self.target(call.method, call.path))

    async def _send(self, call: Call, way: Way, identity: Identity) -> aiohttp.ClientResponse:
        arguments = await way.arguments(call.headers, identity)
        try:
            return await self._opened().request(
                call.method,
                call.url(way.context.server),
                data=call.body,
                timeout=call.timeout,
                allow_redirects=False,
                auto_decompress=not call.passthrough,
                **arguments,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            limit = self.limits.connect if connecting else call.timeout.sock_read or call.timeout.total
            target = self.target(call.method, call.path)
            found = failures.network_error(error, target=target, limit=limit)
            if note := await way.note(found, identity):
                found = type(found)(f"{found.why}; {note}", target=target)
            raise found from error

    async def _noted(self, target: Target, status: int) -> Target:
        """The target with what is known of why we are refused."""
        if status != 401:
            return target
        note = self._way.refusal(await self._way.identity())
        return msgspec.structs.replace(target, note=note)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # Each watch holds a connection for minutes, so the pool has no limit of its own.
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=30, socket_factory=_socket)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=2**18
            )
        return self._session


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Drop an answer that nobody reads to its end. A polite TLS farewell would keep the socket until the server answers
    it, and past the end of the event loop; the server notices a reset just as well."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _noting(used: list[asyncio.Transport]) -> aiohttp.TraceConfig:
    """Keeps the transport that a handshake used: once the WebSocket is closed, aiohttp no longer says which it was."""

    async def ended(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        connection = params.response.connection
        if connection is not None and connection.transport is not None:
            used.append(connection.transport)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    return trace


async def next_part(content: aiohttp.StreamReader) -> bytes:
    """What has arrived of a body; empty at its end. aiohttp's exceptions pass, to be named by `Http.open`.

    When the connection was dropped on our side between two reads, aiohttp raises a bare RuntimeError.
    """
    try:
        return await content.readany()
    except RuntimeError as error:
        raise aiohttp.ServerDisconnectedError from error


async def read(response: aiohttp.ClientResponse, *, target: Target, limit: int, seconds: float | None = None) -> bytes:
    """The rest of an answer, at most `limit` bytes. `TooLarge`, `TimedOut`, `Disconnected`."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := await next_part(response.content):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise errors.TooLarge(
                    f"{target.context}: the answer to {target.request} is larger than {limit:,} bytes."
                )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise failures.network_error(error, target=target, limit=seconds) from error
    return b"".join(parts)


async def failure(response: aiohttp.ClientResponse, *, target: Target) -> errors.ApiError | errors.Unreachable:
    """The typed error for an answer of 300 or more, from the first 256 KiB of its body."""
    body = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        while len(body) < 2**18 and (part := await next_part(response.content)):
            body += part
    return failures.api_error(response.status, body, target=target, retry_after=_retry_after(response))


def _asked_to_wait(response: aiohttp.ClientResponse) -> float:
    """Seconds to wait before asking again; 0 when the answer is not of that sort."""
    if response.status == 429:
        return _retry_after(response) or 1.0
    return _retry_after(response) if response.status >= 500 else 0.0


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """`Retry-After` in seconds; API servers never send the date form."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _socket(info: Any) -> socket.socket:
    """A socket that notices a peer which vanished without a word (a laptop's sleep, a lost VPN) within a minute."""
    family, kind, protocol, _name, _address = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
    ):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
