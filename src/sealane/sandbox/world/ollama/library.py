"""Which models exist, and the few facts about each that a simulation needs: size, shape, what it can do.

A compact table of our own (`data/models.json`), by name and tag. A tag that only adds a variant or a quantisation to
a known one (`7b-instruct-q8_0`) is derived from it; models of Hugging Face (`hf.co/…`) are estimated from the
parameter count in their name; a name nobody knows does not exist, as in the real library.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import re
from typing import Any

import msgspec

_BYTES = {"q2": 0.37, "q3": 0.46, "q4": 0.60, "q5": 0.70, "q6": 0.82, "q8": 1.07, "fp16": 2.0, "f16": 2.0, "bf16": 2.0}
_COUNT = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])", re.IGNORECASE)
_VARIANT = re.compile(r"[a-z0-9.]+-(instruct|chat|text|code|base|it|it-qat)")
_QUANTISED = re.compile(r"\b(i?q\d|fp16|f16|bf16)", re.IGNORECASE)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model. `size` is bytes of the weights, `parameters` billions, `kv` bytes of cache per token at f16."""

    name: str
    size: int
    parameters: float
    family: str
    context: int
    capabilities: tuple[str, ...]
    quantization: str = "Q4_K_M"
    embedding: int = 4096
    layers: int = 32
    kv: int = 131_072
    system: str = ""

    @property
    def digest(self) -> str:
        """A stable digest (hex) of name and size."""
        return hashlib.sha256(f"{self.family}/{self.size}/{self.parameters}".encode()).hexdigest()

    @property
    def is_embedding(self) -> bool:
        return "embedding" in self.capabilities

    @property
    def parameter_size(self) -> str:
        """`7.6B`, `137M`: as Ollama prints it."""
        if self.parameters >= 1:
            return f"{self.parameters:.1f}B"
        return f"{self.parameters * 1000:.2f}M".replace(".00M", "M")


def find(name: str) -> Model | None:
    """The model that a pull of this full name (with tag) fetches; None when there is no such one."""
    if name.startswith(("hf.co/", "huggingface.co/")):
        return _estimated(name)
    base, _, tag = name.partition(":")
    if base.count("/"):
        return None
    tags = _table().get(base)
    if tags is None:
        return None
    if tag in tags:
        return msgspec.structs.replace(tags[tag], name=name)
    return _variant(name, tag, tags)


def known() -> tuple[str, ...]:
    """Every name in the table, with tag."""
    return tuple(f"{base}:{tag}" for base, tags in _table().items() for tag in tags)


def _variant(name: str, tag: str, tags: dict[str, Model]) -> Model | None:
    """`7b-instruct-q8_0` from `7b`: the longest known tag that it begins with; its quantisation decides the size."""
    begins = [known_tag for known_tag in tags if tag.startswith(f"{known_tag}-")]
    quantised = _QUANTISED.search(tag)
    if not begins or (quantised is None and not _VARIANT.fullmatch(tag)):
        return None
    model = tags[max(begins, key=len)]
    if quantised is None:
        return msgspec.structs.replace(model, name=name)
    word = quantised.group(1).lower().lstrip("i")
    size = int(model.parameters * 1e9 * _BYTES.get(word[:2] if word[0] == "q" else word, 0.6))
    return msgspec.structs.replace(model, name=name, size=size, quantization=tag[quantised.start() :].upper())


def _estimated(name: str) -> Model | None:
    count = _COUNT.search(name)
    if count is None:
        return None
    parameters = float(count.group(1)) / (1 if count.group(2).lower() == "b" else 1000)
    quantised = _QUANTISED.search(name)
    word = quantised.group(1).lower().lstrip("i") if quantised else "q4"
    size = int(parameters * 1e9 * _BYTES.get(word[:2] if word[0] == "q" else word, 0.6))
    kind = ("embedding",) if "embed" in name.lower() else ("completion", "tools")
    return Model(
        name=name, size=size, parameters=parameters, family="llama", context=32_768, capabilities=kind,
        kv=_cache(parameters),
    )  # fmt: skip


def _cache(parameters: float) -> int:
    """Bytes of cache per token when nothing better is known: grows slower than the model (grouped heads)."""
    return int(100_000 * (max(parameters, 0.1) / 8) ** 0.6)


@functools.cache
def _table() -> dict[str, dict[str, Model]]:
    text = importlib.resources.files("sealane.sandbox.world").joinpath("data/models.json").read_text("utf-8")
    return {name: _tags(name, entry) for name, entry in json.loads(text).items()}


def _tags(name: str, entry: dict[str, Any]) -> dict[str, Model]:
    tags: dict[str, Model] = {}
    for tag, row in entry["tags"].items():
        if isinstance(row, str):
            tags[tag] = msgspec.structs.replace(tags[row], name=f"{name}:{tag}")
            continue
        parameters = float(row[1])
        tags[tag] = Model(
            name=f"{name}:{tag}",
            size=int(float(row[0]) * 1e6),
            parameters=parameters,
            family=entry["family"],
            context=int(entry["context"]),
            capabilities=tuple(entry["capabilities"]),
            quantization=entry.get("quantization", "Q4_K_M"),
            embedding=int(row[3]) if len(row) > 3 else int(entry.get("embedding", 4096)),
            layers=int(entry.get("layers", 32)),
            kv=int(row[2]) if len(row) > 2 and row[2] else _cache(parameters),
        )
    return tags
