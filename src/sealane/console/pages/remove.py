"""Remove: what goes and what stays is listed before, and again after. Weights go only when they are ticked."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sealane.console import errors
from sealane.console.forms import read_form
from sealane.console.json import JSONResponse
from sealane.console.rows import ModelRow, model_row
from sealane.console.services import Removal
from sealane.console.views import Ask, Desk, View, desk_of, services_of, show
from sealane.fleet.rights import YES, Verdict

_PATH = "/remove/{cluster:path}/{namespace}/{name}"


class RemoveContext(msgspec.Struct, frozen=True, kw_only=True):
    """The removal before (`done` false) or after it. `everything` is what would go with the weights ticked."""

    model: ModelRow
    removal: Removal
    everything: Removal
    may: Verdict
    may_weights: Verdict
    done: bool = False


async def context(desk: Desk, ask: Ask) -> RemoveContext:
    """What would go and what would stay."""
    models = desk.services.models
    row = model_row(models.detail(ask.ref).hosted)
    removal = await models.preview_removal(ask.ref, with_weights=False)
    everything = await models.preview_removal(ask.ref, with_weights=True)
    rights = desk.services.rights
    return RemoveContext(
        model=row,
        removal=removal,
        everything=everything,
        may=rights.may("remove", ask.ref),
        may_weights=rights.may("remove", ask.ref, weights=True),
    )


async def remove(request: Request) -> Response:
    """POST /remove/REF: remove, then list what went and what stayed."""
    ask, services = Ask.of(request), services_of(request)
    form = await read_form(request)
    row = model_row(services.models.detail(ask.ref).hosted)
    removal = await services.models.remove(ask.ref, with_weights=form.ticked("weights"))
    desk_of(request).changes.add(f"Removed {row.model} from {row.cluster}", ask.ref)
    if errors.wants_json(request):
        return JSONResponse(removal)
    return show(
        request,
        VIEW,
        RemoveContext(model=row, removal=removal, everything=removal, may=YES, may_weights=YES, done=True),
    )


VIEW = View(
    name="remove",
    path=_PATH,
    template="remove.html",
    rail="models",
    title=lambda page: f"Remove {page.model.model}",
    context=context,
)
ACTIONS = (Route(_PATH, remove, methods=["POST"]),)
