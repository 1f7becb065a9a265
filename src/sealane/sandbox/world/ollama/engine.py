"""The part of Ollama that loads models and hands out turns: loaded set, eviction, reloads, keep-alive, queueing.

Follows what was measured on 0.23.0: at most MAX_LOADED_MODELS at once (the idle one that expires first goes); one
load at a time, all other loads wait; another num_ctx means a full reload; NUM_PARALLEL turns a model, the rest wait.
Memory is the pod's share: unlike real GPU sharing, which isolates nothing, a model that does not fit the share fails
here with the error that CUDA would give, so that a share which is too small is seen in the sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

import msgspec

from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ollama.library import Model
from sealane.sandbox.world.ollama.pulls import WELL, Pulls, Registry
from sealane.sandbox.world.ollama.settings import FOREVER, Settings
from sealane.sandbox.world.ollama.storage import ModelStore

_LOAD_RATE = 1.6e9  # bytes a second from disk to GPU
_LOAD_LEAST = 0.4
_GIB = 1024**3
_YEARS_299 = datetime.timedelta(days=299 * 365)


class EngineError(Exception):
    """A request that fails: HTTP status and Ollama's text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Loaded:
    """A loaded model. Mutable: who uses it, and until when it stays."""

    def __init__(self, model: Model, *, context: int, size: int, vram: int, parallel: int) -> None:
        self.model = model
        self.context = context
        self.size = size
        self.vram = vram
        self.users = 0
        self.turns = asyncio.Semaphore(parallel)
        self.expires: datetime.datetime | None = None
        self.keep_alive = 0.0


class Turn(msgspec.Struct, frozen=True):
    """A turn on a loaded model; `load_seconds` is what loading took for this request."""

    loaded: Loaded
    load_seconds: float

    @property
    def model(self) -> Model:
        return self.loaded.model


class Engine:
    """One server process. `killed` is set when the kernel would have ended it for its memory."""

    def __init__(
        self,
        *,
        clock: SandboxClock,
        store: ModelStore,
        settings: Settings,
        instant: bool = False,
        registry: Registry = WELL,
    ) -> None:
        self.clock = clock
        self.store = store
        self.settings = settings
        self.pulls = Pulls(
            clock=clock, store=store, instant=instant, registry=registry, folder=settings.models.rstrip("/")
        )
        self.killed = asyncio.Event()
        self._instant = instant
        self._loaded: dict[str, Loaded] = {}
        self._loading = asyncio.Lock()
        self._freed = asyncio.Event()

    def running(self) -> list[Loaded]:
        """What is loaded now; what has expired and is idle is dropped first."""
        now = self.clock.now()
        for name, loaded in list(self._loaded.items()):
            if not loaded.users and loaded.expires is not None and loaded.expires <= now:
                del self._loaded[name]
        return list(self._loaded.values())

    def model(self, name: str) -> Model:
        """The stored model. Raises EngineError 404 with Ollama's text."""
        found = self.store.get(name)
        if found is None:
            raise EngineError(404, f"model '{name}' not found")
        return found

    async def preload(self, name: str, *, keep_alive: float) -> None:
        """Load without a prompt."""
        async with self.turn(name, context=None, keep_alive=keep_alive):
            pass

    def unload(self, name: str) -> None:
        """`keep_alive: 0` without a prompt: it expires now."""
        loaded = self._loaded.get(self.model(name).name)
        if loaded is not None:
            loaded.expires = self.clock.now()
        self._wake()

    @contextlib.asynccontextmanager
    async def turn(self, name: str, *, context: int | None, keep_alive: float | None) -> AsyncIterator[Turn]:
        """Wait for the model to be loaded and for one of its parallel turns. Raises EngineError."""
        model = self.model(name)
        started = self.clock.monotonic()
        loaded = await self._acquire(model, min(context or self.settings.context, model.context))
        load_seconds = self.clock.monotonic() - started
        try:
            async with loaded.turns:
                yield Turn(loaded, load_seconds)
        finally:
            loaded.users -= 1
            self._keep(loaded, self.settings.keep_alive if keep_alive is None else keep_alive)
            self._wake()

    async def _acquire(self, model: Model, context: int) -> Loaded:
        async with self._loading:
            while True:
                current = next((item for item in self.running() if item.model.name == model.name), None)
                if current is not None and current.context == context:
                    current.users += 1
                    return current
                if current is not None and not current.users:
                    del self._loaded[model.name]
                elif current is not None or not self._make_room(model, context):
                    await self._wait_for_room()
                    continue
                return await self._load(model, context)

    def _make_room(self, model: Model, context: int) -> bool:
        """Evict idle models until this one fits; False when those in use are in the way."""
        needed = footprint(model, context, self.settings)
        budget = self.settings.gpu_memory
        while True:
            others = self.running()
            full = len(others) >= self.settings.max_loaded
            if budget is not None and others:
                full = full or sum(item.vram for item in others) + needed > budget
            if not full:
                return True
            idle = [item for item in others if not item.users]
            if not idle:
                return False
            latest = datetime.datetime.max.replace(tzinfo=datetime.UTC)
            first = min(idle, key=lambda item: item.expires or latest)
            del self._loaded[first.model.name]

    async def _wait_for_room(self) -> None:
        self._freed.clear()
        await self._freed.wait()

    async def _load(self, model: Model, context: int) -> Loaded:
        needed = footprint(model, context, self.settings)
        self._check_memory(model, context)
        seconds = 0.0 if self._instant else max(_LOAD_LEAST, model.size / _LOAD_RATE)
        await self.clock.sleep(seconds)
        budget = self.settings.gpu_memory
        vram = 0 if budget is None else min(needed, budget)
        loaded = Loaded(model, context=context, size=needed, vram=vram, parallel=self.settings.parallel)
        loaded.users = 1
        self._loaded[model.name] = loaded
        return loaded

    def _check_memory(self, model: Model, context: int) -> None:
        least = model.size + int(cache(model, context, self.settings) * 0.8)
        budget = self.settings.gpu_memory
        if budget is not None:
            if least > budget:
                asked = (least - budget) / 1024**2
                raise EngineError(
                    500,
                    "llama runner process has terminated: cudaMalloc failed: out of memory\n"
                    f"ggml_backend_cuda_buffer_type_alloc_buffer: allocating {asked:.2f} MiB on device 0: "
                    "cudaMalloc failed: out of memory",
                )
            return
        limit = self.settings.memory_limit
        if limit is not None and least > 2 * limit:
            self.killed.set()
            raise EngineError(500, "llama runner process has terminated: signal: killed")
        if limit is not None and least > limit:
            raise EngineError(
                500,
                f"model requires more system memory ({least / _GIB:.1f} GiB) "
                f"than is available ({limit / _GIB:.1f} GiB)",
            )

    def _keep(self, loaded: Loaded, keep_alive: float) -> None:
        if keep_alive == FOREVER or keep_alive < 0:
            loaded.expires = self.clock.now() + _YEARS_299
        else:
            loaded.expires = self.clock.now() + datetime.timedelta(seconds=keep_alive)
        loaded.keep_alive = keep_alive

    def _wake(self) -> None:
        self._freed.set()


def cache(model: Model, context: int, settings: Settings) -> int:
    """Bytes of KV cache for all parallel turns."""
    if model.is_embedding:
        return 0
    return int(model.kv * context * settings.parallel * settings.kv_factor)


def footprint(model: Model, context: int, settings: Settings) -> int:
    """Bytes that `/api/ps` reports: weights, cache and compute buffers."""
    compute = 64 * 1024**2 if model.is_embedding else int(280 * 1024**2 + context * settings.parallel * 4096)
    return model.size + cache(model, context, settings) + compute
