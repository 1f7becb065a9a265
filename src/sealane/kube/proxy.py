"""Requests and WebSockets to a pod's or service's port through the API server, as bytes in both directions.

From outside a cluster this is the only way to a pod that needs no tunnel: the path
`…/pods/NAME:PORT/proxy/PATH`. Bytes are handed on as they arrive, still compressed if the pod compressed them; leaving
the block early closes the connection, which makes the API server close its connection to the pod, so an engine stops
generating. A failure of the API server (no right, no such pod, nothing listens) is raised; what the pod itself answers,
also a 500, is the answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

import aiohttp

from sealane.kube import errors, failures, websocket
from sealane.kube.errors import Target
from sealane.kube.http import Body, Call, Http, next_part, read
from sealane.kube.resources import PODS, SERVICES
from sealane.kube.websocket import Socket

PATIENCE = 60.0
BODY_LIMIT = 64 * 1024 * 1024
_OURS = frozenset(
    {"authorization", "connection", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te"}
)
_OURS |= {"trailer", "transfer-encoding", "upgrade", "content-length"}


class ProxyResponse:
    """A pod's answer, open. Read it once, by `chunks` or by `read`."""

    def __init__(self, response: aiohttp.ClientResponse, *, target: Target, silence: float, head: bytes = b"") -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._target = target
        self._silence = silence
        self._head = head  # what was read already to tell whose answer it is

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive. `Disconnected` when it breaks off, `TimedOut` after silence."""
        head, self._head = self._head, b""
        if head:
            yield head
        try:
            while part := await next_part(self._response.content):
                yield part
        except (aiohttp.ClientError, TimeoutError) as error:
            raise failures.network_error(error, target=self._target, limit=self._silence) from error

    async def read(self, *, limit: int = BODY_LIMIT) -> bytes:
        """The whole body, at most `limit` bytes (`TooLarge`)."""
        head, self._head = self._head, b""
        rest = await read(self._response, target=self._target, limit=limit - len(head), seconds=self._silence)
        return head + rest


def pod_path(pod: str, *, namespace: str, port: int, path: str) -> str:
    """The API server's path for `path` (with its query) on a pod's port."""
    root = PODS.path(namespace=namespace)
    return f"{root}/{quote(pod, safe='')}:{port}/proxy/{path.lstrip('/')}"


def service_path(service: str, *, namespace: str, port: int | str, path: str) -> str:
    """The same for a service's port, by number or by name; `https:NAME` as the service where it speaks TLS."""
    root = SERVICES.path(namespace=namespace)
    return f"{root}/{quote(service, safe=':')}:{quote(str(port), safe='')}/proxy/{path.lstrip('/')}"


@contextlib.asynccontextmanager
async def open_websocket(
    http: Http, path: str, *, headers: Mapping[str, str], protocols: Sequence[str] = ()
) -> AsyncIterator[Socket]:
    """A WebSocket into a pod or service at one of the paths above; its path may carry a query. Errors as `connect`."""
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    sent = {name: value for name, value in sent.items() if not name.lower().startswith("sec-websocket-")}
    async with websocket.connect(http, path, headers=sent, protocols=protocols) as socket:
        yield socket


@contextlib.asynccontextmanager
async def open_response(
    http: Http,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: Body = None,
    silence: float = PATIENCE,
) -> AsyncIterator[ProxyResponse]:
    """Send the request and give the open answer. `silence` limits the wait for the head and between any two chunks.

    Headers that belong to a connection or to us (Authorization, Host) are not passed on. `Forbidden`, `NotFound`,
    `PodUnreachable` and the like come from the API server itself.
    """
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=http.limits.connect, sock_read=silence)
    call = Call(method=method, path=path, body=body, headers=sent, timeout=timeout, passthrough=True)
    target = http.target(method, path.partition("?")[0])
    given = False
    try:
        async with _opened(http, call, target=target, silence=silence) as response:
            given = True
            yield response
            return
    except errors.Unauthorized:
        if given or not call.repeatable or not await http.renew():
            raise
    async with _opened(http, call, target=target, silence=silence) as response:
        yield response


@contextlib.asynccontextmanager
async def _opened(http: Http, call: Call, *, target: Target, silence: float) -> AsyncIterator[ProxyResponse]:
    async with http.open(call) as response:
        head = await _raise_servers_own(response, target=target) if response.status >= 400 else b""
        yield ProxyResponse(response, target=target, silence=silence, head=head)


async def _raise_servers_own(response: aiohttp.ClientResponse, *, target: Target) -> bytes:
    """Raise when a failure is the API server's and not the pod's: a `Status`, or its plain text about the service.

    Gives back what it had to read of the pod's own answer: its first bytes as they came.
    """
    head = await next_part(response.content)
    if b'"Status"' not in head[:300] and b"trying to reach service" not in head[:300].lower():
        return head
    body = head + await read(response, target=target, limit=2**20)
    if failures.parse_status(body) is None and b"trying to reach service" not in body[:300].lower():
        return body
    raise failures.api_error(response.status, body, target=target)
