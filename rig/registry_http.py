"""The registry's HTTP side: the Docker registry protocol as far as Ollama speaks it, and how blobs go wrong.

Blobs are answered with a redirect to the storage host and a signed path. A client that follows it there needs no login
any more, which is how Ollama downloads: it presents its token to the registry and never to the storage.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rig.behaviour import Behaviour
from rig.models import MANIFEST

if TYPE_CHECKING:
    from rig.registry import Registry

_CHUNK = 64 * 1024
_TICK = 0.05  # seconds between pieces of a slow blob


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], registry: Registry, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.registry = registry
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Requests are counted, not printed."""

    def _answer(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        self.server.registry.requests[f"{self.command} {path}"] += 1
        parts = path.strip("/").split("/")
        if parts == ["v2"]:
            self._send(200, b"{}", kind="application/json")
        elif len(parts) == 4 and parts[0] == "storage":
            self._storage(f"{parts[1]}/{parts[2]}", parts[3])
        elif len(parts) == 1 and parts[0] == "token":
            self._token()
        elif len(parts) == 5 and parts[0] == "v2" and parts[3] == "manifests":
            self._manifest(f"{parts[1]}/{parts[2]}", parts[4])
        elif len(parts) == 5 and parts[0] == "v2" and parts[3] == "blobs":
            self._blob(f"{parts[1]}/{parts[2]}", parts[4])
        else:
            self._error(404, "NOT_FOUND", "page not found")

    def _manifest(self, repository: str, tag: str) -> None:
        name = f"{repository}:{tag}"
        model, behaviour = self.server.registry.model(name), self.server.registry.behaviour(name)
        if not self._may(behaviour, repository):
            return
        if behaviour.status != 200:
            self._error(behaviour.status, "UNKNOWN", "this model was told to answer so")
        elif model is None:
            self._error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        else:
            digest = f"sha256:{hashlib.sha256(model.manifest).hexdigest()}"
            self._send(200, model.manifest, kind=MANIFEST, headers={"Docker-Content-Digest": digest})

    def _blob(self, repository: str, digest: str) -> None:
        registry = self.server.registry
        found = registry.blob(repository, digest)
        if found is None:
            self._error(404, "BLOB_UNKNOWN", "blob unknown to registry")
            return
        name, path = found
        behaviour = registry.behaviour(name)
        if not self._may(behaviour, repository):
            return
        if behaviour.blob_status != 200 and registry.fault_of(name).blob_status != 200:
            self._error(behaviour.blob_status, "UNKNOWN", "this blob was told to answer so")
        elif self.command == "HEAD":
            self._head(path)
        else:
            self._redirect(repository, digest)

    def _redirect(self, repository: str, digest: str) -> None:
        """To the storage behind the registry: another host, no login, a path that only we could have signed."""
        storage = self.server.registry.storage_host
        port = self.server.server_port
        location = (
            f"{self.server.scheme}://{storage}:{port}/storage/{repository}/{digest}?signature={_signature(digest)}"
        )
        self._send(307, b"", headers={"Location": location})

    def _storage(self, repository: str, digest: str) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        found = self.server.registry.blob(repository, digest)
        if found is None or query.get("signature") != _signature(digest):
            self._error(403, "DENIED", "the signature does not fit")
            return
        name, path = found
        if self.command == "HEAD":
            self._head(path)
            return
        start, end = _range(self.headers.get("Range"), path.stat().st_size)
        if start > end:
            self._error(416, "RANGE", "the range lies outside of the blob")
            return
        is_small = path.stat().st_size <= _CHUNK  # templates and the like are always served well
        name = "" if is_small else name
        behaviour = Behaviour() if is_small else self.server.registry.fault_of(name)
        partial = "Range" in self.headers
        self.send_response(206 if partial else 200)
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Accept-Ranges", "bytes")
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end}/{path.stat().st_size}")
        self.end_headers()
        with path.open("rb") as source:
            source.seek(start)
            self._pour(source, end - start + 1, name, behaviour)

    def _pour(self, source: BinaryIO, size: int, name: str, behaviour: Behaviour) -> None:
        """Send `size` bytes at the model's rate of the moment, or as far as its fault lets them come."""
        registry = self.server.registry
        sent = 0
        while sent < size and not registry.is_stopped():
            rate = registry.behaviour(name).rate
            piece = source.read(min(size - sent, _CHUNK if rate is None else max(1, int(rate * _TICK))))
            if behaviour.cut_after is not None and sent + len(piece) > behaviour.cut_after:
                self.wfile.write(piece[: max(0, behaviour.cut_after - sent)])
                self.close_connection = True
                return
            if behaviour.corrupt:
                piece = bytes(byte ^ 0xFF for byte in piece)
            self.wfile.write(piece)
            sent += len(piece)
            if rate is not None:
                registry.pause(_TICK)

    def _may(self, behaviour: Behaviour, repository: str) -> bool:
        """Check the login, if the model has one; answers 401 with a challenge."""
        if not behaviour.login:
            return True
        basic = base64.b64encode(behaviour.login.encode()).decode()
        given = self.headers.get("Authorization", "")
        if given in (f"Basic {basic}", f"Bearer {behaviour.login}"):
            return True
        realm = f"{self.server.scheme}://{self.headers.get('Host')}/token"
        if ":" in behaviour.login:
            challenge = f'Basic realm="{realm}"'
        else:
            challenge = f'Bearer realm="{realm}",service="rig",scope="repository:{repository}:pull"'
        self._error(401, "UNAUTHORIZED", "authentication required", headers={"WWW-Authenticate": challenge})
        return False

    def _token(self) -> None:
        """Ollama shows its public key and a signature; a trusted key gets the token of the model that it asks for."""
        key = self.headers.get("Authorization", "").partition(":")[0]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        repository = query.get("scope", "").split(":")[1:2]
        token = self.server.registry.token_for(key, repository[0] if repository else "")
        if token:
            self._send(200, json.dumps({"token": token}).encode(), kind="application/json")
        else:
            self._error(401, "UNAUTHORIZED", "this key is not known")

    def _head(self, path: Path) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def _error(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._send(status, body, kind="application/json", headers=headers)

    def _send(self, status: int, body: bytes, *, kind: str = "", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """First and last byte of "bytes=A-B", "bytes=A-" or "bytes=-N"; everything without a header."""
    if not header or not header.startswith("bytes="):
        return 0, size - 1
    first, _, last = header.removeprefix("bytes=").split(",")[0].partition("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _signature(digest: str) -> str:
    return hashlib.sha256(f"rig {digest}".encode()).hexdigest()[:16]
