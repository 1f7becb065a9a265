"""A model registry on loopback that speaks the Docker registry v2 protocol, well or badly as a test asks."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

PREFIX = "application/vnd.ollama.image."


class FakeRegistry:
    """Blobs and tags in memory. `secret` asks for a bearer token got with basic credentials `user:SECRET`."""

    def __init__(self, *, secret: str = "", basic: bool = False) -> None:
        self.secret, self.basic = secret, basic
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []  # path, Range
        self.sent = 0
        self.host = ""
        self.answer_manifest: tuple[int, bytes] | None = None
        self.ignore_range = False

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {"mediaType": PREFIX + kind, "digest": digest, "size": len(data)}

    def publish(self, name: str, model: bytes, *, template: str = "", projector: bytes = b"", **config: Any) -> None:
        layers = [self.blob(model, "model")]
        if template:
            layers.append(self.blob(template.encode(), "template"))
        if projector:
            layers.append(self.blob(projector, "projector"))
        described = self.blob(json.dumps(config).encode(), "config")
        self.tags[name] = {"schemaVersion": 2, "config": described, "layers": layers}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/v2/{name:.+}/manifests/{tag}", self._manifest)
        app.router.add_get("/v2/{name:.+}/blobs/{digest}", self._blob)
        app.router.add_get("/v2/{name:.+}/tags/list", self._list)
        app.router.add_get("/token", self._token)
        async with TestServer(app) as server:
            self.host = f"{server.host}:{server.port}"
            yield self.host

    def _denied(self, request: web.Request) -> web.Response | None:
        self.requests.append((request.path, request.headers.get("Range", "")))
        given = request.headers.get("Authorization", "")
        if not self.secret:
            return None
        if self.basic:
            expected = "Basic " + base64.b64encode(f"user:{self.secret}".encode()).decode()
            return None if given == expected else web.Response(status=401)
        if given == "Bearer granted":
            return None
        challenge = f'Bearer realm="http://{self.host}/token",service="models",scope="pull"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async def _token(self, request: web.Request) -> web.Response:
        expected = "Basic " + base64.b64encode(f"user:{self.secret}".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return web.Response(status=401)
        assert request.query["service"] == "models"
        return web.json_response({"token": "granted"})

    async def _manifest(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        if self.answer_manifest is not None:
            status, body = self.answer_manifest
            return web.Response(status=status, body=body)
        name, tag = request.match_info["name"], request.match_info["tag"]
        found = self.tags.get(f"{name}:{tag}")
        if found is None:
            known = any(each.startswith(f"{name}:") for each in self.tags)
            code = "MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN"
            return web.json_response({"errors": [{"code": code}]}, status=404)
        return web.json_response(found)

    async def _list(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        tags = [each.rpartition(":")[2] for each in self.tags if each.startswith(f"{name}:")]
        return web.json_response({"name": name, "tags": tags}) if tags else web.Response(status=404)

    async def _blob(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        data = self.blobs.get(request.match_info["digest"])
        if data is None:
            return web.Response(status=404)
        wanted = request.headers.get("Range", "")
        if wanted and not self.ignore_range:
            last = int(wanted.removeprefix("bytes=0-"))
            self.sent += len(data[: last + 1])
            return web.Response(status=206, body=data[: last + 1])
        return web.Response(body=data)
