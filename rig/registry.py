"""A model registry on this machine, speaking what Ollama pulls from: the Docker registry protocol, version 2.

It plays two parts. Over TLS on port 443 it is `registry.ollama.ai`, so that plain names such as `tiny-chat` are
pulled by unmodified manifests; over plain HTTP on port 5000 it is somebody's private registry. Blobs are answered with
a redirect to another host and a signed path, as the public one does; Ollama takes nothing else (a plain 200 without
`Location` fails in it). Each model can be told to misbehave.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import logging
import ssl
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from rig.certificates import Authority
from rig.models import MANIFEST, Model, Packed, pack

_LOG = logging.getLogger(__name__)
_CHUNK = 64 * 1024
_TICK = 0.05  # seconds between pieces of a slow blob


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a model is served.

    `rate` is bytes a second for its weights (None: as fast as can be). `status` answers manifest requests with that
    HTTP code; `blob_status` blob requests. `cut_after` closes the connection after so many bytes of a blob, `corrupt`
    flips its bits; both for the first `faults` downloads only (None: always). `login` is "user:password" (basic) or a
    bearer token that must be presented.
    """

    rate: float | None = None
    status: int = 200
    blob_status: int = 200
    cut_after: int | None = None
    corrupt: bool = False
    faults: int | None = None
    login: str = ""


class Registry:
    """Serves models until stopped. `requests` counts what was asked for, by "METHOD path"."""

    def __init__(
        self, *, folder: Path, host: str = "127.0.0.1", authority: Authority | None = None, names: tuple[str, ...] = ()
    ) -> None:
        self.host = host
        self.requests: Counter[str] = Counter()
        self._folder = folder
        self._authority = authority
        self._names = names
        self._models: dict[str, Packed] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self._downloads: Counter[str] = Counter()
        self._servers: list[_Server] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def start(self, *, tls_port: int | None = None, plain_port: int = 0) -> None:
        """Listen on all addresses of this network namespace; port 0 picks a free one."""
        self._listen(plain_port, None)
        if tls_port is not None and self._authority is not None:
            pair = self._authority.serving("registry", hosts=(*self._names, self.host, "127.0.0.1", "localhost"))
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(pair.certificate, pair.key)
            self._listen(tls_port, tls)

    def stop(self) -> None:
        """End, and cut whoever still downloads."""
        self._stopped.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def address(self) -> str:
        """HOST:PORT of the plain one; a model reference begins with it."""
        return f"{self.host}:{self._servers[0].server_port}"

    def add(self, model: Model, behaviour: Behaviour | None = None) -> Packed:
        """Make and serve a model."""
        packed = pack(model, self._folder)
        with self._lock:
            self._models[model.name] = packed
        self.behave(model.name, behaviour or Behaviour())
        return packed

    def behave(self, name: str, behaviour: Behaviour) -> None:
        """Change how a model ("library/tiny-chat:latest") is served, from the next byte on; counts begin anew."""
        with self._lock:
            self._behaviours[name] = behaviour
            self._downloads[name] = 0

    def adjust(self, name: str, **changes: object) -> None:
        """Change parts of a model's behaviour."""
        self.behave(name, replace(self.behaviour(name), **changes))  # type: ignore[arg-type]

    def behaviour(self, name: str) -> Behaviour:
        """How a model is served now."""
        with self._lock:
            return self._behaviours.get(name, Behaviour())

    def model(self, name: str) -> Packed | None:
        """The model of that name."""
        with self._lock:
            return self._models.get(name)

    def blob(self, repository: str, digest: str) -> tuple[str, Path] | None:
        """The model of "namespace/model" that a blob belongs to, and its file; models may share blobs."""
        with self._lock:
            for name, packed in self._models.items():
                if name.startswith(f"{repository}:") and digest in packed.blobs:
                    return name, packed.blobs[digest]
        return None

    def fault_of(self, name: str) -> Behaviour:
        """The behaviour for one more download of the model's weights; healthy once its faults are used up."""
        with self._lock:
            behaviour = self._behaviours.get(name, Behaviour())
            self._downloads[name] += 1
            if behaviour.faults is not None and self._downloads[name] > behaviour.faults:
                return replace(behaviour, cut_after=None, corrupt=False, blob_status=200)
            return behaviour

    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def _listen(self, port: int, tls: ssl.SSLContext | None) -> None:
        server = _Server(("0.0.0.0", port), self, tls)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name=f"rig-registry-{port}", daemon=True).start()


class _Server(http.server.ThreadingHTTPServer):
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
    server: _Server

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
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        storage = self.server.registry.host if host != self.server.registry.host else "127.0.0.1"
        if storage == host:
            storage = "localhost"
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
        is_weights = path.stat().st_size > _CHUNK
        behaviour = self.server.registry.fault_of(name) if is_weights else Behaviour()
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
            rate = registry.behaviour(name).rate if behaviour != Behaviour() or size > _CHUNK else None
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
                time.sleep(_TICK)

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
        """No key of any client is known here: a token is what a test hands out by itself."""
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
