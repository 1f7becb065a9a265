"""A WebSocket through the API server: the way of exec, attach and port-forward, and into whatever a pod serves.

aiohttp speaks the protocol; here it gets this context's identity, TLS and limits, and its failures become ours. A
refused handshake is read to its end, because the reason (a missing right, a container that does not run) stands in its
body. Each socket has a session of its own: an upgraded connection is never used again, and closing the session is the
one sure way to leave nothing open. A quiet socket is pinged, since what stands in between drops idle connections;
a missing answer proves nothing (the reader may have paused), so a vanished peer is left to TCP (`kube.http`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from sealane.kube import errors, failures
from sealane.kube.errors import Target
from sealane.kube.http import Call, Http, Query, failure

PING_EVERY = 25.0
CLOSE_WITHIN = 2.0
_OVER = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})
_NORMAL = frozenset({0, 1000, 1001, 1005})


class NoWebSocket(errors.Unreachable):
    """Something on the way does not let WebSockets through, or the server speaks none of our protocols."""

    code = "cluster-no-websocket"
    title = "Let the proxy before the API server pass the Upgrade header; see which server the context names"
    command = "config view --minify"


class Message(msgspec.Struct, frozen=True):
    """One message as it came; `text` tells a text message (UTF-8) from a binary one."""

    data: bytes
    text: bool = False


class Socket:
    """An open WebSocket. One reader at a time; writing from elsewhere meanwhile is fine."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, target: Target) -> None:
        self._socket = socket
        self._target = target

    @property
    def protocol(self) -> str:
        """The subprotocol that the server chose, "" for none."""
        return self._socket.protocol or ""

    @property
    def close_code(self) -> int:
        """Why the server closed (RFC 6455 section 7.4), 0 while it is open."""
        return self._socket.close_code or 0

    async def send(self, data: bytes) -> None:
        """One binary message. `Disconnected` when the socket is closed."""
        await self._sent(self._socket.send_bytes(data))

    async def send_text(self, data: str) -> None:
        """One text message. `Disconnected` when the socket is closed."""
        await self._sent(self._socket.send_str(data))

    async def receive(self) -> Message | None:
        """The next message, however long that takes; None when the server closed. `Disconnected` when it broke off."""
        try:
            found = await self._socket.receive()
        except aiohttp.ClientError as error:
            raise failures.network_error(error, target=self._target) from error
        if found.type is aiohttp.WSMsgType.BINARY:
            return Message(found.data)
        if found.type is aiohttp.WSMsgType.TEXT:
            return Message(found.data.encode(), text=True)
        if found.type in _OVER and self.close_code in _NORMAL:
            return None
        raise self._broken() from (found.data if isinstance(found.data, Exception) else None)

    async def ping(self) -> None:
        """Say that we are still here; a closed socket is no news."""
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            await self._socket.ping()

    async def _sent(self, sending: Any) -> None:
        try:
            await sending
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._broken() from error

    def _broken(self) -> errors.Disconnected:
        why = f"{self._target.server} closed the stream before its end"
        return errors.Disconnected(f"{why} (code {self.close_code})" if self.close_code else why, target=self._target)


@contextlib.asynccontextmanager
async def connect(
    http: Http,
    path: str,
    *,
    query: Query = (),
    protocols: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Socket]:
    """An open socket; leaving the block closes it, waiting `CLOSE_WITHIN` seconds for the server at most.

    `ApiError` (its own words), `NoWebSocket`, `Unreachable`. With `protocols` the server must choose one of them.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=http.limits.connect, sock_read=http.limits.request)
    call = Call(method="GET", path=path, query=query, headers=headers or {}, timeout=timeout)
    target = http.target("GET", path)
    async with contextlib.AsyncExitStack() as stack:
        try:
            opened = await _handshake(http, call, protocols, stack)
        except errors.Unauthorized:
            if not await http.renew():
                raise
            opened = await _handshake(http, call, protocols, stack)
        if protocols and not opened.protocol:
            raise NoWebSocket(f"{target.server} speaks none of {', '.join(protocols)} here", target=target)
        socket = Socket(opened, target=target)
        pinging = asyncio.create_task(_keep_awake(socket), name=f"pings: {path}")
        try:
            yield socket
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)


async def _handshake(
    http: Http, call: Call, protocols: Sequence[str], stack: contextlib.AsyncExitStack
) -> aiohttp.ClientWebSocketResponse:
    target = http.target(call.method, call.path)
    refusals: list[Exception] = []
    upgrade = http.upgrade(call, protocols, trace=_listener(refusals, target), closing=CLOSE_WITHIN)
    try:
        opened = await stack.enter_async_context(upgrade)
    except aiohttp.WSServerHandshakeError as error:
        if refusals:
            raise _worded(refusals[0], target) from error
        raise NoWebSocket(f"{target.server} does not speak WebSocket ({error.message})", target=target) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise failures.network_error(error, target=target, limit=http.limits.request) from error
    stack.push_async_callback(_farewell, opened)
    return opened


async def _farewell(opened: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
        await opened.close()


def _listener(refusals: list[Exception], target: Target) -> aiohttp.TraceConfig:
    """Reads what a refusal says, which aiohttp would throw away."""

    async def ended(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        if params.response.status != 101:
            refusals.append(await failure(params.response, target=target))

    async def redirected(_: object, __: object, params: aiohttp.TraceRequestRedirectParams) -> None:
        """aiohttp would follow it, and show another server our certificate and for whom we act."""
        params.response.close()
        raise NoWebSocket(f"{target.server} answers {params.response.status} and leads elsewhere", target=target)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    trace.on_request_redirect.append(redirected)
    return trace


def _worded(refusal: Exception, target: Target) -> Exception:
    """Where the API server names no cause itself: it never saw our Upgrade header, or nothing listens in the pod."""
    if not isinstance(refusal, errors.ApiError):
        return refusal
    if refusal.message.startswith("error dialing backend") and "/proxy/" in target.request:
        return errors.PodUnreachable(refusal.status, refusal.reason, refusal.message, target=target)
    if refusal.message.startswith("Upgrade request required"):
        return NoWebSocket("something on the way to the API server drops the request for a WebSocket", target=target)
    return refusal


async def _keep_awake(socket: Socket) -> None:
    never = asyncio.Event()
    while True:
        try:
            async with asyncio.timeout(PING_EVERY):
                await never.wait()
        except TimeoutError:
            await socket.ping()
