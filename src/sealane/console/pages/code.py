"""As code: what runs, as YAML, kubectl and Helm values of the same plan, to hand over or to keep in Git."""

from __future__ import annotations

import msgspec

from sealane.console.rows import ModelRow, model_row
from sealane.console.views import Ask, Desk, View


class CodeContext(msgspec.Struct, frozen=True, kw_only=True):
    """The three renderings of one plan."""

    model: ModelRow
    yaml: str
    kubectl: str
    helm: str


async def context(desk: Desk, ask: Ask) -> CodeContext:
    """The plan of what the model's spec says now."""
    services = desk.services
    detail = services.models.detail(ask.ref)
    card = await services.catalogue.resolve(detail.spec.model)
    plan = services.planner.plan(detail.spec, card, update=True)
    return CodeContext(
        model=model_row(detail.hosted),
        yaml=services.planner.yaml(plan),
        kubectl=services.planner.kubectl(plan),
        helm=services.planner.helm(plan),
    )


VIEW = View(
    name="code",
    path="/code/{cluster:path}/{namespace}/{name}",
    template="code.html",
    rail="models",
    title=lambda page: f"{page.model.model} as code",
    context=context,
)
