"""Where models lie: one store a volume (or a container), shared by whatever mounts it."""

from __future__ import annotations

import datetime

import msgspec

from sealane.sandbox.world.ollama.library import Model


class Stored(msgspec.Struct, frozen=True):
    """A model on disk under a name."""

    model: Model
    modified: datetime.datetime


class ModelStore:
    """Models by full name (`qwen2.5-coder:7b`). Blobs are digests that were uploaded for `create`."""

    def __init__(self) -> None:
        self.models: dict[str, Stored] = {}
        self.blobs: set[str] = set()

    def add(self, model: Model, *, now: datetime.datetime) -> None:
        """Store (or replace) a model."""
        self.models[model.name] = Stored(model, now)

    def get(self, name: str) -> Model | None:
        """The model of that name; without a tag, `:latest` is meant."""
        found = self.models.get(with_tag(name))
        return None if found is None else found.model

    def remove(self, name: str) -> bool:
        """Take a model away; False when it was not there."""
        return self.models.pop(with_tag(name), None) is not None


def with_tag(name: str) -> str:
    """`llama3.1` → `llama3.1:latest`; the library's own host and folder are dropped, as Ollama shows it."""
    for prefix in ("registry.ollama.ai/library/", "registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
