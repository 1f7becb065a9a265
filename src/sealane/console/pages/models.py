"""Models: everything that is hosted, what needs a look first. The twin is the same list for scripts."""

from __future__ import annotations

import msgspec

from sealane.console.rows import ModelRow, by_need, model_row
from sealane.console.services import Sight
from sealane.console.views import Ask, Desk, View


class ModelsContext(msgspec.Struct, frozen=True, kw_only=True):
    """The list after `q` was applied: any part of model, cluster, namespace, queue or state. `total` is before."""

    models: tuple[ModelRow, ...]
    total: int
    q: str
    sights: tuple[Sight, ...]


async def context(desk: Desk, ask: Ask) -> ModelsContext:
    """All hosted models that match."""
    rows = by_need([model_row(model) for model in desk.services.models.hosted()])
    wanted = ask.params.get("q", "").strip()[:200]
    found = tuple(row for row in rows if _matches(row, wanted.lower()))
    return ModelsContext(models=found, total=len(rows), q=wanted, sights=tuple(desk.services.rights.sights()))


def _matches(row: ModelRow, wanted: str) -> bool:
    hay = " ".join((row.model, row.name, row.cluster, row.namespace, row.queue, row.state)).lower()
    return all(word in hay for word in wanted.split())


VIEW = View(
    name="models",
    path="/models",
    template="models.html",
    rail="models",
    title=lambda _: "Models",
    context=context,
    regions={"r-sights": "fragments/sights.html", "r-models": "models/list.html"},
)
