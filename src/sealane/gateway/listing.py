"""What the gateway answers itself: which models there are, what is loaded where, which version.

Lists are asked of the replicas when asked of us, all at once and with a short limit; a replica that does not answer
in time is left out rather than holding up the rest.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.types import Send

import sealane
from sealane.gateway import answers
from sealane.gateway.balancer import Balancer
from sealane.gateway.errors import UNREADABLE
from sealane.gateway.routes import other_spelling
from sealane.gateway.routing import Slot
from sealane.gateway.upstream import Lost, Unreached

_LIMIT = 3.0


class _Listed(msgspec.Struct):
    models: list[dict[str, Any]] | None = None
    version: str = ""


class Listing:
    """The lists of one gateway."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer

    async def openai_models(self, send: Send) -> None:
        """`/v1/models`: hosted models that have a ready replica."""
        await answers.json(send, {"object": "list", "data": [_card(name, slots) for name, slots in self._serving()]})

    async def openai_model(self, send: Send, name: str) -> None:
        """`/v1/models/{id}`. Raises UnknownModel, NoReplica."""
        entry = self._balancer.entry(name)
        slots = next((slots for model, slots in self._serving() if model == entry.model), [])
        await answers.json(send, _card(entry.model, slots))

    async def tags(self, send: Send) -> None:
        """`/api/tags`: one row a model, as its replica describes it."""
        serving = self._serving()
        found = await asyncio.gather(*(ask(slots[0], "/api/tags") for _, slots in serving))
        rows = []
        for (model, _), listed in zip(serving, found, strict=True):
            row = next((r for r in (listed.models or []) if _is(r, model)), None) if listed else None
            rows.append(row or {"name": model, "model": model})
        await answers.json(send, {"models": rows})

    async def ps(self, send: Send) -> None:
        """`/api/ps`: what is loaded, by model and replica; `sealane_replica` says where."""
        slots = list(self._balancer.slots())
        found = await asyncio.gather(*(ask(slot, "/api/ps") for slot in slots))
        rows = [
            row | {"sealane_replica": slot.replica.id}
            for slot, listed in zip(slots, found, strict=True)
            for row in (listed.models or [] if listed else [])
        ]
        await answers.json(send, {"models": rows})

    async def version(self, send: Send) -> None:
        """`/api/version`: the engine's, because clients decide by it what they may ask for."""
        found = await asyncio.gather(*(ask(slot, "/api/version") for slot in self._balancer.slots()))
        version = next((listed.version for listed in found if listed and listed.version), "0.0.0")
        await answers.json(send, {"version": version, "sealane": sealane.__version__})

    async def poll(self) -> None:
        """Look once at what every replica has loaded, so that routing can prefer it."""
        slots = list(self._balancer.slots())
        found = await asyncio.gather(*(ask(slot, "/api/ps") for slot in slots))
        for slot, listed in zip(slots, found, strict=True):
            if listed is not None:
                names = {str(row.get("model") or row.get("name")) for row in listed.models or []}
                slot.loaded = frozenset(names | {other_spelling(name) for name in names})

    def _serving(self) -> list[tuple[str, list[Slot]]]:
        groups: dict[str, list[Slot]] = {}
        for slot in self._balancer.slots():
            groups.setdefault(slot.replica.model, []).append(slot)
        return sorted(groups.items())


async def ask(slot: Slot, path: str) -> _Listed | None:
    """One list of one replica; None when it does not answer within three seconds."""
    try:
        async with asyncio.timeout(_LIMIT):
            response = await slot.upstream.open("GET", path, b"")
            try:
                return msgspec.json.decode(await response.read(), type=_Listed)
            finally:
                await response.close()
    except (Unreached, Lost, TimeoutError, *UNREADABLE):
        return None


def _is(row: dict[str, Any], model: str) -> bool:
    name = str(row.get("model") or row.get("name"))
    return name in {model, other_spelling(model)}


def _card(model: str, slots: list[Slot]) -> dict[str, Any]:
    context = min((slot.replica.context for slot in slots if slot.replica.context), default=0)
    card: dict[str, Any] = {"id": model, "object": "model", "created": 0, "owned_by": "sealane"}
    if context:
        card["context_length"] = context
    return card
