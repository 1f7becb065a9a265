"""From hosted models to what an editor may be told of them: exact tag, capabilities, the context that is loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from sealane.editors.types import ServedModel
from sealane.lib.errors import SealaneError
from sealane.models.types import Hosted, ModelCard

_CONTEXT_UNKNOWN = 8192


async def served_models(rows: Iterable[Hosted], *, resolve: Callable[[str], Awaitable[ModelCard]]) -> list[ServedModel]:
    """Each model of `rows` once, the first row winning. A model that nobody knows is taken for one that chats."""
    found: dict[str, ServedModel] = {}
    for row in rows:
        if row.model in found:
            continue
        try:
            capabilities: tuple[str, ...] = (await resolve(row.model)).capabilities
        except SealaneError:
            capabilities = ("chat",)
        found[row.model] = ServedModel(
            name=row.model, capabilities=capabilities, context=row.context or _CONTEXT_UNKNOWN
        )
    return list(found.values())
