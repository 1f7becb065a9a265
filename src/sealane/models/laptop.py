"""The models on this computer, as its own Ollama lists them: shown first, tags carried over exactly.

Detect, never ask: half a second for an Ollama to answer, and when none does there is simply nothing to show. Details
come from `/api/show`, which has the GGUF keys; a model that cannot be shown is listed all the same, with its size only.
Models that run in somebody's cloud are left out: they have no weights to host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from sealane.models import catalogue, headers, registry
from sealane.models.errors import UnknownModel, UnknownTag
from sealane.models.reference import BadReference
from sealane.models.types import ModelCard

ADDRESS: Final = "http://127.0.0.1:11434"
PATIENCE: Final = 0.5  # seconds for /api/tags
_DETAILS: Final = 3.0  # seconds for all /api/show together
_AT_ONCE: Final = 4
_MOST: Final = 32 << 20  # bytes of one answer

_CAPABILITIES: Final = {
    "completion": "chat", "insert": "fim", "embedding": "embedding", "tools": "tools", "vision": "vision",
    "thinking": "thinking",
}  # fmt: skip


class _Details(msgspec.Struct, frozen=True):
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class _Listed(msgspec.Struct, frozen=True):
    name: str
    size: int = 0
    modified_at: str = ""
    details: _Details = _Details()
    remote_host: str = ""


class _Tags(msgspec.Struct, frozen=True):
    models: tuple[_Listed, ...] | None = ()


async def read(url: str = ADDRESS, *, patience: float = PATIENCE) -> list[ModelCard]:
    """The cards of the Ollama at `url`, last used first as it lists them; [] when nothing answers in time."""
    async with aiohttp.ClientSession(base_url=url.rstrip("/") + "/") as session:
        listed = await _listed(session, patience=patience)
        shown = await _shown(session, [model.name for model in listed])
    return [_card(model, shown.get(model.name, {})) for model in listed]


async def _listed(session: aiohttp.ClientSession, *, patience: float) -> list[_Listed]:
    try:
        async with asyncio.timeout(patience), session.get("api/tags") as answer:
            body = await answer.content.read(_MOST)
            found = msgspec.json.decode(body, type=_Tags) if answer.status == 200 else _Tags()
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
        return []
    return [model for model in found.models or () if not model.remote_host]


async def _shown(session: aiohttp.ClientSession, names: list[str]) -> dict[str, Mapping[str, Any]]:
    """What `/api/show` says, by name; those that do not answer in time are missing."""
    found: dict[str, Mapping[str, Any]] = {}
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> None:
        async with gate:
            try:
                async with session.post("api/show", json={"model": name}) as answer:
                    body = await _whole(answer)
                    if answer.status == 200:
                        found[name] = msgspec.json.decode(body, type=dict[str, Any])
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                return

    try:
        async with asyncio.timeout(_DETAILS), asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(one(name), name=f"show-{name}")
    except TimeoutError:
        return found
    return found


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _MOST:
            return b"{}"
    return bytes(body)


def _card(model: _Listed, shown: Mapping[str, Any]) -> ModelCard:
    """The laptop's own numbers; title, licence and words from the catalogue where it knows the tag."""
    known = _known(model.name)
    info = shown.get("model_info")
    facts = headers.facts_of(info if isinstance(info, dict) else {}, vocabulary=_vocabulary(shown))
    told = shown.get("capabilities")
    named = [_CAPABILITIES[name] for name in told if name in _CAPABILITIES] if isinstance(told, list) else []
    header = facts.header or (known.header if known else None)
    return msgspec.convert(
        {
            "tag": model.name,
            "title": known.title if known else facts.name or model.name,
            "family": known.family if known else model.details.family or model.name.partition(":")[0],
            "parameters": facts.parameters or registry.billions(model.details.parameter_size),
            "quantization": model.details.quantization_level,
            "weights_bytes": max(model.size, 0),
            "context_max": header.context_max if header else known.context_max if known else 0,
            "licence": known.licence if known else facts.licence or "not stated",
            "capabilities": tuple(dict.fromkeys(named)) or (known.capabilities if known else ("chat",)),
            "summary": known.summary if known else "On this computer.",
            "source": "laptop",
            "header": msgspec.to_builtins(header) if header else None,
            "modified": model.modified_at,
            "provenance": "size and header: this computer's Ollama",
        },
        ModelCard,
    )


def _known(name: str) -> ModelCard | None:
    try:
        return catalogue.load().find(name)
    except (UnknownModel, UnknownTag, BadReference):
        return None


def _vocabulary(shown: Mapping[str, Any]) -> int:
    """Tokens, from the embedding table's shape: `/api/show` leaves the token list itself out."""
    tensors = shown.get("tensors")
    for tensor in tensors if isinstance(tensors, list) else ():
        if isinstance(tensor, dict) and tensor.get("name") == "token_embd.weight":
            shape = tensor.get("shape")
            if isinstance(shape, list) and len(shape) == 2 and all(isinstance(side, int) for side in shape):
                return int(max(shape[1], 0))
    return 0
