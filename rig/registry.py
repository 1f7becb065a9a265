"""A model registry on this machine, speaking what Ollama pulls from: the Docker registry protocol, version 2.

It plays two parts. Over TLS on port 443 it is `registry.ollama.ai`, so that plain names such as `tiny-chat` are
pulled by unmodified manifests; over plain HTTP on port 5000 it is somebody's private registry. Blobs are answered with
a redirect to another host and a signed path, as the public one does; Ollama takes nothing else (a plain 200 without
`Location` fails in it). Each model can be told to misbehave.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rig.behaviour import Behaviour
from rig.certificates import Authority
from rig.models import Model, Packed, pack
from rig.registry_http import Server


class Registry:
    """Serves models until stopped. `requests` counts what was asked for, by "METHOD path"."""

    def __init__(
        self,
        *,
        folder: Path,
        host: str = "127.0.0.1",
        storage_host: str = "localhost",
        bind: str = "127.0.0.1",
        authority: Authority | None = None,
        names: tuple[str, ...] = (),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host = host
        self.storage_host = storage_host
        self.requests: Counter[str] = Counter()
        self._bind = bind
        self._folder = folder
        self.authority = authority
        self._names = names
        self.pause = pause
        self._trusted: set[str] = set()
        self._models: dict[str, Packed] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self._downloads: Counter[str] = Counter()
        self._servers: list[Server] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def start(self, *, tls_port: int | None = None, plain_port: int = 0) -> None:
        """Listen; port 0 picks a free one."""
        self._listen(plain_port, None)
        if tls_port is not None and self.authority is not None:
            pair = self.authority.serving("registry", hosts=(*self._names, self.host, self.storage_host, "127.0.0.1"))
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
    def tls_port(self) -> int:
        """Where it listens for TLS."""
        return self._servers[1].server_port

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

    def trust(self, public_key: str) -> None:
        """Let the holder of an Ollama key in: `public_key` is the middle part of its id_ed25519.pub."""
        with self._lock:
            self._trusted.add(public_key)

    def token_for(self, public_key: str, repository: str) -> str:
        """The bearer token of "namespace/model" for a trusted key, "" for any other."""
        with self._lock:
            logins = [b.login for name, b in self._behaviours.items() if name.startswith(f"{repository}:")]
            return logins[0] if logins and public_key in self._trusted else ""

    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def _listen(self, port: int, tls: ssl.SSLContext | None) -> None:
        server = Server((self._bind, port), self, tls)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name=f"rig-registry-{port}", daemon=True).start()
