"""Turning the knobs: preview, apply, put back, restart. Everything goes through a plan and a server-side dry run."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors, knobs
from sealane.console.forms import Form, read_form
from sealane.console.json import JSONResponse
from sealane.console.pages import model
from sealane.console.problems import Refused
from sealane.console.services import Ref
from sealane.console.views import Ask, desk_of, services_of, show, templates_of
from sealane.lib.errors import SealaneError
from sealane.models.types import ModelSpec

_REF = "{cluster:path}/{namespace}/{name}"


async def preview(request: Request) -> Response:
    """GET /change/REF: the difference that Apply would make."""
    ask = Ask.of(request)
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"/models/{ask.ref.path}?{request.url.query}#knobs", status_code=303)
    services = services_of(request)
    turned = await knobs.read(services, services.models.detail(ask.ref), ask.params)
    return HTMLResponse(templates_of(request).render("model/diff-partial.html", knobs=turned))


async def apply(request: Request) -> Response:
    """POST /change/REF: apply what was turned; on refusal the page comes back with what was turned."""
    ask, services = Ask.of(request), services_of(request)
    sent = await read_form(request)
    before = services.models.detail(ask.ref).spec
    try:
        after = knobs.turned(before, sent)
        if after == before:
            raise Refused("Nothing was turned, so nothing was changed.")
        await _put(request, before, after)
    except SealaneError as error:
        return await _again(request, sent, error)
    change = desk_of(request).changes.add(knobs.sentence(before, after), ask.ref, before=before)
    return _done(request, ask.ref, change.number)


async def undo(request: Request) -> Response:
    """POST /undo/REF: put back what stood before the last change, as a new change."""
    ask, desk = Ask.of(request), desk_of(request)
    change = desk.changes.undoable(ask.ref)
    if change is None or change.before is None:
        raise Refused("There is no change of the last 10 minutes to put back.")
    now = desk.services.models.detail(ask.ref).spec
    await _put(request, now, change.before)
    put_back = desk.changes.add(f"Put back: {knobs.sentence(now, change.before).removeprefix('Changed ')}", ask.ref)
    return _done(request, ask.ref, put_back.number)


async def restart(request: Request) -> Response:
    """POST /restart/REF: new copies replace the running ones, one by one where there is room."""
    ask, desk = Ask.of(request), desk_of(request)
    model_name = desk.services.models.detail(ask.ref).hosted.model
    await desk.services.models.restart(ask.ref)
    change = desk.changes.add(f"Restarted {model_name}", ask.ref)
    return _done(request, ask.ref, change.number)


async def _put(request: Request, before: ModelSpec, after: ModelSpec) -> None:
    """Copies alone are scaled; anything else is a new plan. Raises the plan's refusal or the server's."""
    services = services_of(request)
    ref = Ref(before.cluster, before.namespace, before.name)
    if msgspec.structs.replace(after, copies=before.copies) == before:
        await services.models.scale(ref, after.copies)
        return
    _, plan = await knobs.plans(services, before, after)
    if plan.refusals:
        raise plan.refusals[0]
    await services.models.submit(plan)


async def _again(request: Request, sent: Form, error: SealaneError) -> Response:
    if errors.wants_json(request):
        raise error
    ask = Ask.of(request)
    fields = tuple(
        (name, sent.text(name)) for name in ("copies", "context", "mode", "part", "cards", "mib") if name in sent
    )
    context = await model.context(desk_of(request), Ask(ask.parts, fields))
    return show(request, model.VIEW, context, status=error.http_status, problem=error)


def _done(request: Request, ref: Ref, number: int) -> Response:
    if errors.wants_json(request):
        return JSONResponse({"cluster": ref.cluster, "namespace": ref.namespace, "name": ref.name, "change": number})
    return RedirectResponse(f"/models/{ref.path}?done={number}", status_code=303)


ACTIONS = (
    Route(f"/change/{_REF}", preview),
    Route(f"/change/{_REF}", apply, methods=["POST"]),
    Route(f"/undo/{_REF}", undo, methods=["POST"]),
    Route(f"/restart/{_REF}", restart, methods=["POST"]),
)
