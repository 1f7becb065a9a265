"""Pulling a model: progress is a function of time, so that whoever asks sees the same bytes.

Ollama joins a second pull of the same model to the first; here both follow one `Job`. The speed is chosen so that a
middling model takes about 20 simulated seconds, within 150–400 MB/s. Failures are Ollama's own sentences.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ollama import library, storage
from sealane.sandbox.world.ollama.storage import ModelStore

NOT_FOUND = "pull model manifest: file does not exist"
_SECONDS = 20.0
_SLOWEST, _FASTEST = 150e6, 400e6
_SMALL = (("template", 1_482), ("license", 11_343), ("params", 485))
_STEP = 0.25


class PullFailed(Exception):
    """Ollama's sentence about a pull that failed."""


class Registry(Protocol):
    """Where models come from and where they go, as far as it may be out of order."""

    def refuses(self, model: str) -> str:
        """Why the manifest cannot be had, "" when it can."""

    @property
    def slowness(self) -> float:
        """How many times as long pulls take."""

    @property
    def full(self) -> bool:
        """Whether the disk takes no more."""


class Well(msgspec.Struct, frozen=True):
    """A registry that has everything, and a disk with room."""

    slowness: float = 1.0
    full: bool = False

    def refuses(self, model: str) -> str:
        """Nothing is refused."""
        del model
        return ""


WELL = Well()


class Progress(msgspec.Struct, frozen=True):
    """One line of the progress stream; `digest` is "" for steps that have no bytes."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0

    def to_json(self) -> dict[str, str | int]:
        """As `/api/pull` streams it: a layer without `completed` has not begun."""
        if not self.digest:
            return {"status": self.status}
        body: dict[str, str | int] = {"status": self.status, "digest": f"sha256:{self.digest}", "total": self.total}
        return body | ({"completed": self.completed} if self.completed else {})

    def line(self) -> str:
        """As the `ollama pull` command prints it."""
        if not self.digest:
            return self.status
        percent = self.completed * 100 // self.total if self.total else 0
        return f"{self.status}: {percent:3d}% {self.completed / 1e9:.1f} GB / {self.total / 1e9:.1f} GB"


class Job:
    """One pull. Reading `follow` drives it; it ends when its time is over, whoever is reading then."""

    def __init__(
        self,
        name: str,
        *,
        clock: SandboxClock,
        store: ModelStore,
        instant: bool,
        registry: Registry = WELL,
        folder: str = "/root/.ollama/models",
    ) -> None:
        self.name = storage.with_tag(name)
        self._registry = registry
        self._folder = folder
        self._clock = clock
        self._store = store
        self._instant = instant
        self._seen = clock.monotonic()
        self._done = 0.0

    async def follow(self) -> AsyncIterator[Progress]:
        """The progress from now on, ending with `success`. Raises PullFailed."""
        yield Progress("pulling manifest")
        await self._pause(0.4)
        model = library.find(self.name)
        refused = self._registry.refuses(self.name) or ("" if model else failure(self.name))
        if model is None or refused:
            raise PullFailed(refused)
        if self._store.get(self.name) is None:
            async for progress in self._bytes(model):
                yield progress
        for name, size in _SMALL:
            digest = hashlib.sha256(f"{model.digest}/{name}".encode()).hexdigest()
            yield Progress(f"pulling {digest[:12]}", digest, size, size)
        for status in ("verifying sha256 digest", "writing manifest"):
            yield Progress(status)
            await self._pause(0.2)
        self._store.add(model, now=self._clock.now())
        yield Progress("success")

    async def _bytes(self, model: library.Model) -> AsyncIterator[Progress]:
        rate = min(max(model.size / _SECONDS, _SLOWEST), _FASTEST)
        status = f"pulling {model.digest[:12]}"
        while True:
            done = self._arrived(rate)
            if self._registry.full and self._store.get(self.name) is None:
                raise PullFailed(f"write {self._folder}/blobs/sha256-{model.digest}-partial: no space left on device")
            if self._instant or self._store.get(self.name) is not None:
                done = model.size
            yield Progress(status, model.digest, model.size, min(done, model.size))
            if done >= model.size:
                return
            await self._pause(min(_STEP, (model.size - done) / rate + 0.001))

    def _arrived(self, rate: float) -> int:
        """Bytes that are there by now; whoever asks moves the count on."""
        now = self._clock.monotonic()
        self._done += (now - self._seen) * rate / self._registry.slowness
        self._seen = now
        return int(self._done)

    async def _pause(self, seconds: float) -> None:
        await self._clock.sleep(0 if self._instant else seconds)


class Pulls:
    """The pulls of one server. A finished or failed one is not joined: asking again starts anew."""

    def __init__(
        self,
        *,
        clock: SandboxClock,
        store: ModelStore,
        instant: bool,
        registry: Registry = WELL,
        folder: str = "/root/.ollama/models",
    ) -> None:
        self._clock = clock
        self._store = store
        self._instant = instant
        self._registry = registry
        self._folder = folder
        self._jobs: dict[str, tuple[Job, float]] = {}

    def of(self, name: str) -> Job:
        """The pull of this model that is under way, or a new one."""
        full = storage.with_tag(name)
        known = self._jobs.get(full)
        now = self._clock.monotonic()
        if known is not None and self._store.get(full) is None and now < known[1]:
            return known[0]
        job = Job(
            full, clock=self._clock, store=self._store, instant=self._instant,
            registry=self._registry, folder=self._folder,
        )  # fmt: skip
        model = library.find(full)
        seconds = 1.0 if model is None else 2.0 + model.size / min(max(model.size / _SECONDS, _SLOWEST), _FASTEST)
        self._jobs[full] = (job, now + 3 * seconds * self._registry.slowness)
        return job


def failure(name: str) -> str:
    """Why a pull of a model that is not in the library fails: no such model, or no such host."""
    host, slash, rest = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost") and not host.endswith("ollama.ai"):
        if host in {"hf.co", "huggingface.co"}:
            return NOT_FOUND
        path, _, tag = rest.partition(":")
        bare = host.split(":", 1)[0]
        url = f"https://{host}/v2/{path}/manifests/{tag or 'latest'}"
        return f'pull model manifest: Get "{url}": dial tcp: lookup {bare}: no such host'
    return NOT_FOUND
