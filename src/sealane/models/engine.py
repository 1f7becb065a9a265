"""Asking the Ollama of one pod, through the API server's pod proxy and with the caller's own rights.

This is how Sealane knows more than Kubernetes does: bytes of a pull, whether the model is in memory, why a load failed.
Every call has a limit and fails as one of three errors: the engine cannot be reached, it refuses (its own words), or
the caller may not ask it. Nothing is retried here; the observer decides when to ask again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

import msgspec

from sealane.kube import errors as kube_errors
from sealane.kube.client import Client
from sealane.kube.proxy import ProxyResponse
from sealane.lib.errors import NextStep, NotAllowed, SealaneError
from sealane.models.engines.ollama import PORT
from sealane.models.stage_views import Pull

QUICK, LOADING, SILENCE = 5.0, 900.0, 60.0
"""Seconds: for a question, for a model to load (the engine's own limit), and without a word during a pull."""

_LINE_LIMIT = 1 << 20
T = TypeVar("T")


class EngineUnreachable(SealaneError):
    """The engine of a pod does not answer: it is not listening yet, or the pod is gone."""

    code = "engine-unreachable"
    http_status = 503


class EngineRefused(SealaneError):
    """The engine answered no. `said` is its own text, `status` its HTTP status."""

    code = "engine-refused"
    http_status = 502

    def __init__(self, sentence: str, *, said: str, status: int) -> None:
        super().__init__(sentence)
        self.said = said
        self.status = status


class EngineClosed(NotAllowed):
    """The caller has no right to `pods/proxy`, so the engine cannot be asked."""

    code = "engine-closed"


class Loaded(msgspec.Struct, frozen=True):
    """One model in memory, as `/api/ps` says. Sizes are bytes, the context is in tokens."""

    name: str
    size: int = 0
    size_vram: int = 0
    context_length: int = 0


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A tiny answer. Durations are the engine's own, in nanoseconds."""

    response: str = ""
    prompt_eval_count: int = 0
    eval_count: int = 0
    load_duration: int = 0
    total_duration: int = 0


class Shown(msgspec.Struct, frozen=True):
    """What `/api/show` says of a model."""

    capabilities: list[str] = []
    model_info: dict[str, Any] = {}


class _Version(msgspec.Struct):
    version: str = ""


class _Models(msgspec.Struct):
    models: list[Loaded] | None = None


class _Failure(msgspec.Struct):
    error: str = ""


class _PullLine(msgspec.Struct):
    status: str = ""
    digest: str = ""
    total: int = 0
    completed: int = 0
    error: str = ""


def full_name(model: str) -> str:
    """A tag as the engine lists it: `tiny` is `tiny:latest`; a port is not a tag."""
    tail = model.rpartition("/")[2]
    return model if ":" in tail else f"{model}:latest"


def same(one: str, other: str) -> bool:
    """Whether two spellings name the same model; the engine ignores case."""
    return full_name(one).lower() == full_name(other).lower()


class Tally:
    """Bytes of a pull over all its layers, from the lines of one stream. Never counts backwards for a layer."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}
        self._status = ""

    def add(self, line: _PullLine) -> Pull:
        """Take a line, give the sum so far."""
        self._status = line.status
        if line.digest and line.total:
            done = max(line.completed, self._layers.get(line.digest, (0, 0))[0])
            self._layers[line.digest] = (min(done, line.total), line.total)
        done, total = (sum(values) for values in zip(*self._layers.values(), strict=True)) if self._layers else (0, 0)
        return Pull(status=self._status, done=done, total=total)


class Engine:
    """The Ollama of one pod."""

    def __init__(self, client: Client, pod: str, *, namespace: str, port: int = PORT) -> None:
        self._client = client
        self._pod = pod
        self._namespace = namespace
        self._port = port

    async def version(self) -> str:
        """The engine's version."""
        return (await self._ask("GET", "/api/version", _Version)).version

    async def tags(self) -> list[str]:
        """Exact tags of the models on the volume."""
        return [model.name for model in (await self._ask("GET", "/api/tags", _Models)).models or ()]

    async def loaded(self) -> list[Loaded]:
        """The models in memory."""
        return (await self._ask("GET", "/api/ps", _Models)).models or []

    async def show(self, model: str) -> Shown:
        """Capabilities and the header of a model."""
        return await self._ask("POST", "/api/show", Shown, body={"model": model})

    async def preload(self, model: str) -> None:
        """Bring a model into memory and keep it there; returns when it is. Models that only embed are loaded by an
        embedding. Raises EngineRefused with the engine's own reason (not found, too large)."""
        try:
            body: dict[str, Any] = {"model": model, "keep_alive": -1, "stream": False}
            await self._ask("POST", "/api/generate", _Failure, body=body, limit=LOADING)
        except EngineRefused as error:
            if "does not support generate" not in error.said:
                raise
            body = {"model": model, "input": "ready", "keep_alive": -1}
            await self._ask("POST", "/api/embed", _Failure, body=body, limit=LOADING)

    async def complete(self, model: str, *, prompt: str = "Hello", tokens: int = 8) -> Completion:
        """A tiny completion, to prove that it answers."""
        options = {"num_predict": tokens}
        body = {"model": model, "prompt": prompt, "stream": False, "options": options, "keep_alive": -1}
        return await self._ask("POST", "/api/generate", Completion, body=body, limit=LOADING)

    async def pull(self, model: str, *, insecure: bool = False) -> AsyncGenerator[Pull, None]:
        """Attach to the pull of a model (the engine has one download however many ask) and follow its bytes until it
        succeeds. Leaving early stops nothing that somebody else pulls."""
        tally, rest = Tally(), b""
        body = {"model": model, "insecure": insecure, "stream": True}
        async with self._open("POST", "/api/pull", body=body, limit=SILENCE) as response:
            await self._raise_refusal(response, "/api/pull")
            async for chunk in response.chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield tally.add(self._line(line))
                if len(rest) > _LINE_LIMIT:
                    raise self._refusal("its pull stream is not made of lines", status=502)

    def _line(self, line: bytes) -> _PullLine:
        try:
            found = msgspec.json.decode(line, type=_PullLine)
        except msgspec.MsgspecError as error:
            raise self._refusal("a line of its pull stream is not JSON", status=502) from error
        if found.error:
            raise self._refusal(found.error, status=200)
        return found

    async def _ask(
        self, method: str, path: str, shape: type[T], *, body: dict[str, Any] | None = None, limit: float = QUICK
    ) -> T:
        async with self._open(method, path, body=body, limit=limit) as response:
            await self._raise_refusal(response, path)
            raw = await response.read()
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.MsgspecError as error:
            raise self._refusal(f"its answer to {path} is not understood", status=502) from error

    async def _raise_refusal(self, response: ProxyResponse, path: str) -> None:
        if response.status < 400:
            return
        raw = await response.read(limit=1 << 16)
        try:
            said = msgspec.json.decode(raw, type=_Failure).error
        except msgspec.MsgspecError:
            said = raw[:300].decode("utf-8", "replace").strip()
        raise self._refusal(said or f"{path} answered {response.status}", status=response.status)

    def _refusal(self, said: str, *, status: int) -> EngineRefused:
        return EngineRefused(f"The engine of {self._pod} refuses: {said.rstrip('.')}.", said=said, status=status)

    @contextlib.asynccontextmanager
    async def _open(
        self, method: str, path: str, *, body: dict[str, Any] | None, limit: float
    ) -> AsyncIterator[ProxyResponse]:
        try:
            async with self._client.proxy(
                self._pod,
                namespace=self._namespace,
                port=self._port,
                method=method,
                path=path,
                headers={"Content-Type": "application/json"} if body is not None else {},
                body=msgspec.json.encode(body) if body is not None else None,
                timeout=limit,
            ) as response:
                yield response
        except kube_errors.Unauthorized:
            raise
        except (kube_errors.ApiError, kube_errors.Unreachable) as error:
            raise self._translated(error) from error

    def _translated(self, error: SealaneError) -> SealaneError:
        pod, namespace = self._pod, self._namespace
        if isinstance(error, kube_errors.Forbidden):
            return EngineClosed(
                f"You may not ask the engine of {pod} in {namespace}: the right to create pods/proxy is missing.",
                evidence=error.evidence,
                next_steps=(
                    NextStep(title="See what you may do", command=f"kubectl -n {namespace} auth can-i --list"),
                ),
            )
        return EngineUnreachable(
            f"The engine of {pod} does not answer yet: {error.sentence}",
            evidence=error.evidence,
            next_steps=(NextStep(title="Read its log", command=f"kubectl -n {namespace} logs {pod}"),),
        )
