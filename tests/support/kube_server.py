"""A scripted API server on loopback: says what it was told to say, in order, and remembers what it was asked.

It knows no Kubernetes, so a test reads as a conversation. The last answer for a path repeats. `Stream` answers hold the
connection open until the test lets go, so nothing has to sleep.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from sealane.kube.config import Context

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A whole answer; a dict is sent as compact JSON, as API servers do."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if isinstance(self.body, bytes | str):
            raw, kind = self.body, "text/plain"
        else:
            raw, kind = compact(self.body), "application/json"
        data = raw.encode() if isinstance(raw, str) else raw
        headers = {"Content-Type": kind, **self.headers}
        return web.Response(body=data, status=self.status, headers=headers)


class Stream:
    """An answer in pieces: `send` pushes one, `end` finishes, `cut` drops the connection. `left` is set when the peer
    hangs up."""

    def __init__(self, *parts: Any, kind: str = "application/json", then: str = "hold") -> None:
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._kind = kind
        self._transport: asyncio.BaseTransport | None = None
        self.opened = asyncio.Event()
        self.left = asyncio.Event()
        for part in parts:
            self.send(part)
        self._then = then
        if then != "hold":
            self._parts.put_nowait(None)

    def send(self, part: Any) -> None:
        self._parts.put_nowait(part if isinstance(part, bytes) else compact(part) + b"\n")

    def end(self) -> None:
        self._parts.put_nowait(None)

    def cut(self) -> None:
        self._then = "cut"
        self._parts.put_nowait(None)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": self._kind})
        await response.prepare(request)
        self.opened.set()
        try:
            while (part := await self._parts.get()) is not None:
                await response.write(part)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        if self._then == "cut" and request.transport is not None:
            request.transport.abort()
        return response


class ApiServer:
    """The server. `on` adds answers for a method and path (the whole path, without the query)."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self._answers: dict[tuple[str, str], list[Handler]] = {}
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    def on(self, method: str, path: str, *answers: Handler) -> None:
        self._answers.setdefault((method, path), []).extend(answers)

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.path == path]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def context(self, **more: Any) -> Context:
        return Context(**{"name": "test", "server": self.url, **more})

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.raw_path.partition("?")[0]
        self.requests.append(Seen(request.method, path, dict(request.query), request.headers.copy(), body))
        answers = self._answers.get((request.method, path))
        if not answers:
            return await status(404, "NotFound", "the server could not find the requested resource")(request)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return await answer(request)


def compact(value: Any) -> bytes:
    """JSON as Go writes it: no spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def status(code: int, reason: str, message: str, *, headers: Mapping[str, str] | None = None, **details: Any) -> Answer:
    """A failure in the API server's own shape."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if details:
        body["details"] = details
    return Answer(body, status=code, headers=headers or {})


def pod(name: str, *, version: str = "1", namespace: str = "team-a", uid: str = "", **labels: str) -> dict[str, Any]:
    """A small pod."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{name}",
        "resourceVersion": version,
    }
    if labels:
        metadata["labels"] = labels
    metadata["managedFields"] = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": {"phase": "Running"}}


def pod_list(*pods: dict[str, Any], version: str = "10", token: str = "", remaining: int = 0) -> dict[str, Any]:
    """A page of pods; items carry no kind, as on a real server."""
    metadata: dict[str, Any] = {"resourceVersion": version}
    if token:
        metadata |= {"continue": token, "remainingItemCount": remaining}
    items = [{key: value for key, value in one.items() if key not in {"kind", "apiVersion"}} for one in pods]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    """One line of a watch."""
    return {"type": kind, "object": obj}


def bookmark(version: str, *, initial_end: bool = False) -> dict[str, Any]:
    """A BOOKMARK, perhaps the one that ends the initial events."""
    metadata: dict[str, Any] = {"resourceVersion": version}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": {}})


def expired(version: str = "1") -> dict[str, Any]:
    """The ERROR event of a watch from a version that was compacted."""
    return event(
        "ERROR",
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f"too old resource version: {version} (304)",
            "reason": "Expired",
            "code": 410,
        },
    )
