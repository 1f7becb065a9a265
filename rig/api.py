"""The rig's own way to talk to its API servers: small, synchronous, and not the product's client.

Tests compare the product with the truth, so what asks for the truth must not be the code under test. It is also what
the loopback kubelet and the set-up use. One retry after a broken connection,
because fault tests restart the server under it. Idle connections are kept in a pool, and `close` ends them.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rig.errors import RigError

JsonObject = dict[str, Any]
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class Refused(RigError, LookupError):
    """The API server answered with an error; `status` is the HTTP code."""

    code = "rig-api"

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"The API server answered {status}: {body[:400]}")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An HTTP answer, read to the end."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body parsed; raises ValueError when it is no JSON."""
        return json.loads(self.body)


class Api:
    """One server, one user."""

    def __init__(self, *, port: int, authority: Path, token: str, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self._token = token
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._idle: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json", timeout: float = 30.0
    ) -> Reply:
        """Any request; no status is an error here. `body` is bytes as they are, or JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        for attempt in (1, 2):
            connection = self._take(timeout)
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                reply = Reply(status=answer.status, body=answer.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                if attempt == 2 or method == "POST":
                    raise
                continue
            self._keep(connection)
            return reply
        raise AssertionError("unreachable")

    def get(self, path: str) -> Any:
        """The object (or text) at `path`; raises Refused."""
        return self._ask("GET", path)

    def exists(self, path: str) -> bool:
        """Whether `path` answers 200; 404 is False, anything else raises Refused."""
        reply = self.send("GET", path)
        if reply.status in (200, 404):
            return reply.status == 200
        raise Refused(reply.status, reply.body.decode(errors="replace"))

    def post(self, path: str, body: object) -> Any:
        """Create; raises Refused."""
        return self._ask("POST", path, body)

    def patch(self, path: str, body: object, *, kind: str = MERGE) -> Any:
        """Merge (or strategic merge) patch; raises Refused."""
        return self._ask("PATCH", path, body, kind=kind)

    def delete(self, path: str, body: object = None) -> Any:
        """Delete; raises Refused."""
        return self._ask("DELETE", path, body)

    def apply(self, path: str, body: object, *, manager: str = "rig") -> Any:
        """Server-side apply of one object at its own path; raises Refused."""
        query = f"?fieldManager={manager}&force=true"
        return self._ask("PATCH", path + query, yaml.safe_dump(body).encode(), kind=_APPLY)

    def watch(self, path: str, *, seconds: int = 300) -> Iterator[tuple[str, JsonObject]]:
        """Everything at `path`, then its changes, as (type, object), until the stream ends or `seconds` are over.

        Raises Refused, OSError or HTTPException; the caller decides whether to begin again.
        """
        query = {
            "watch": "1",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        joiner = "&" if "?" in path else "?"
        with self.stream("GET", path + joiner + urllib.parse.urlencode(query), timeout=seconds + 30) as answer:
            if answer.status != 200:
                raise Refused(answer.status, answer.read().decode(errors="replace"))
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]

    def stream(self, method: str, path: str, body: object = None, *, timeout: float = 30.0) -> http.client.HTTPResponse:
        """An answer whose body is read as it comes; close it. The connection is its own."""
        connection = self._connect(timeout)
        data = None if body is None else json.dumps(body).encode()
        headers: Mapping[str, str] = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        connection.request(method, path, data, headers)
        return connection.getresponse()

    def close(self) -> None:
        """End the idle connections; those in use end after their request."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, timeout: float) -> http.client.HTTPSConnection:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return self._connect(timeout)
        connection.sock.settimeout(timeout)
        return connection

    def _keep(self, connection: http.client.HTTPSConnection) -> None:
        with self._lock:
            if not self._closed and connection.sock is not None and len(self._idle) < 16:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        host, port = self._address
        return http.client.HTTPSConnection(host, port, context=self._tls, timeout=timeout)

    def _ask(self, method: str, path: str, body: object = None, *, kind: str = "application/json") -> Any:
        reply = self.send(method, path, body, kind=kind)
        if reply.status >= 300:
            raise Refused(reply.status, reply.body.decode(errors="replace"))
        return reply.json() if reply.body[:1] in (b"{", b"[") else reply.body.decode()
