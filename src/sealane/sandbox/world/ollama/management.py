"""Ollama's own API, the part that manages models: what is on disk and loaded, pull, create, copy, delete, blobs."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sealane.sandbox.world.ollama import http, pulls, storage
from sealane.sandbox.world.ollama.engine import Engine, EngineError, Loaded
from sealane.sandbox.world.ollama.http import Json
from sealane.sandbox.world.ollama.library import Model
from sealane.sandbox.world.ollama.native import Handler, guarded


class Management:
    """The handlers of one server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[Route]:
        """The routes under `/api` that manage."""
        table: tuple[tuple[str, Handler, str], ...] = (
            ("/api/tags", self.tags, "GET"),
            ("/api/ps", self.running, "GET"),
            ("/api/show", self.show, "POST"),
            ("/api/pull", self.pull, "POST"),
            ("/api/create", self.create, "POST"),
            ("/api/copy", self.copy, "POST"),
            ("/api/delete", self.delete, "DELETE"),
            ("/api/blobs/{digest}", self.upload, "POST"),
            ("/api/blobs/{digest}", self.has_blob, "HEAD"),
        )
        return [Route(path, guarded(handler), methods=[method]) for path, handler, method in table]

    async def tags(self, request: Request) -> Response:
        """`/api/tags`: what is on disk, newest first."""
        del request
        stored = sorted(self._engine.store.models.items(), key=lambda item: item[1].modified, reverse=True)
        return JSONResponse({"models": [_tag(name, item) for name, item in stored]})

    async def running(self, request: Request) -> Response:
        """`/api/ps`: what is loaded."""
        del request
        return JSONResponse({"models": [_running(loaded) for loaded in self._engine.running()]})

    async def show(self, request: Request) -> Response:
        """`/api/show`: details of one model."""
        body = await http.body_of(request)
        model = self._engine.model(http.model_of(body))
        stored = self._engine.store.models[model.name]
        return JSONResponse(_show(model, stored.modified))

    async def pull(self, request: Request) -> Response:
        """`/api/pull`: joins a pull that is under way."""
        body = await http.body_of(request)
        job = self._engine.pulls.of(http.model_of(body))
        if body.get("stream", True) is False:
            try:
                async for _ in job.follow():
                    pass
            except pulls.PullFailed as error:
                raise EngineError(500, str(error)) from error
            return JSONResponse({"status": "success"})

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for progress in job.follow():
                    yield http.line(progress.to_json())
            except pulls.PullFailed as error:
                yield http.line({"error": str(error)})

        return StreamingResponse(lines(), media_type=http.NDJSON)

    async def create(self, request: Request) -> Response:
        """`/api/create`, as far as a name can be given to a model `from` another or to uploaded files."""
        body = await http.body_of(request)
        name = storage.with_tag(http.model_of(body))
        if body.get("from"):
            model = msgspec.structs.replace(self._engine.model(body["from"]), name=name)
        elif body.get("files"):
            model = Model(
                name=name, size=265_446, parameters=0.000128, family="llama", context=2048,
                capabilities=("completion",), quantization="F16", embedding=64, layers=2, kv=512,
            )  # fmt: skip
        else:
            raise EngineError(400, "neither 'from' or 'files' was specified")
        self._engine.store.add(model, now=self._engine.clock.now())
        if body.get("stream", True) is False:
            return JSONResponse({"status": "success"})
        steps = ("using existing layer", "writing manifest", "success")

        async def lines() -> AsyncIterator[bytes]:
            for status in steps:
                yield http.line({"status": status})

        return StreamingResponse(lines(), media_type=http.NDJSON)

    async def copy(self, request: Request) -> Response:
        """`/api/copy`."""
        body = await http.body_of(request)
        source, target = str(body.get("source", "")), storage.with_tag(str(body.get("destination", "")))
        found = self._engine.store.get(source)
        if found is None:
            raise EngineError(404, f'model "{source}" not found')
        self._engine.store.add(msgspec.structs.replace(found, name=target), now=self._engine.clock.now())
        return Response(status_code=200)

    async def delete(self, request: Request) -> Response:
        """`/api/delete`."""
        name = http.model_of(await http.body_of(request))
        self._engine.model(name)
        self._engine.unload(name)
        self._engine.store.remove(name)
        return Response(status_code=200)

    async def upload(self, request: Request) -> Response:
        """`POST /api/blobs/sha256:…`: the digest is checked as the real one does."""
        digest = request.path_params["digest"]
        found = f"sha256:{hashlib.sha256(await request.body()).hexdigest()}"
        if found != digest:
            raise EngineError(400, f'digest mismatch, expected "{digest}", got "{found}"')
        self._engine.store.blobs.add(digest)
        return Response(status_code=201)

    async def has_blob(self, request: Request) -> Response:
        """`HEAD /api/blobs/sha256:…`."""
        known = request.path_params["digest"] in self._engine.store.blobs
        return Response(status_code=200 if known else 404)


def _details(model: Model) -> Json:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _tag(name: str, stored: storage.Stored) -> Json:
    return {
        "name": name,
        "model": name,
        "modified_at": http.moment(stored.modified),
        "size": stored.model.size,
        "digest": stored.model.digest,
        "details": _details(stored.model),
    }


def _running(loaded: Loaded) -> Json:
    expires = loaded.expires or datetime.datetime(2319, 1, 1, tzinfo=datetime.UTC)
    return {
        "name": loaded.model.name,
        "model": loaded.model.name,
        "size": loaded.size,
        "digest": loaded.model.digest,
        "details": _details(loaded.model),
        "expires_at": http.moment(expires),
        "size_vram": loaded.vram,
        "context_length": loaded.context,
    }


def _show(model: Model, modified: datetime.datetime) -> Json:
    family = model.family
    return {
        "license": "Simulated by the Sealane sandbox; see the licence of the real model.",
        "modelfile": f"# simulated by the Sealane sandbox\nFROM {model.name}\n",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _details(model),
        "model_info": {
            "general.architecture": family,
            "general.parameter_count": int(model.parameters * 1e9),
            f"{family}.context_length": model.context,
            f"{family}.embedding_length": model.embedding,
            f"{family}.block_count": model.layers,
        },
        "tensors": [],
        "capabilities": list(model.capabilities),
        "modified_at": http.moment(modified),
    }
