"""Connect: the editor's file as text, saving it on this computer, and the test that proves it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors
from sealane.console.connection import masked
from sealane.console.forms import read_form
from sealane.console.json import JSONResponse
from sealane.console.pages import model
from sealane.console.views import Ask, desk_of, services_of, show, templates_of
from sealane.editors.types import Check
from sealane.lib.errors import NextStep, SealaneError

_REF = "{cluster:path}/{namespace}/{name}"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the test of one editor found."""

    editor: str
    ok: bool
    checks: tuple[Check, ...]


async def file(request: Request) -> Response:
    """GET /file/REF?editor=E: the file with its key in it, as text."""
    ask, services = Ask.of(request), services_of(request)
    hosted = services.models.detail(ask.ref).hosted
    found = await services.editors.file(
        ask.params.get("editor", ""), hosted, key=services.settings.key or "$SEALANE_KEY"
    )
    return PlainTextResponse(found.content)


async def save(request: Request) -> Response:
    """POST /save/REF: write the editor's file; what was there is kept beside it."""
    ask, desk = Ask.of(request), desk_of(request)
    services = desk.services
    editor = (await read_form(request)).text("editor")
    hosted = services.models.detail(ask.ref).hosted
    sentence = await services.editors.save(editor, hosted, key=services.settings.key or "$SEALANE_KEY")
    change = desk.changes.add(sentence, ask.ref)
    if errors.wants_json(request):
        return JSONResponse({"sentence": sentence})
    return RedirectResponse(f"/models/{ask.ref.path}?editor={editor}&done={change.number}#connect", status_code=303)


async def test(request: Request) -> Response:
    """POST /test/REF: the requests that this editor would send, each with what came of it."""
    ask, services = Ask.of(request), services_of(request)
    editor = (await read_form(request)).text("editor")
    hosted = services.models.detail(ask.ref).hosted
    try:
        checks = tuple(await services.editors.test(editor, hosted, key=services.settings.key))
    except SealaneError as error:
        checks = (Check(name="Test", ok=False, ms=None, sentence=error.sentence, fix=error.next_steps),)
    checks = tuple(_without_key(check, services.settings.key) for check in checks)
    proof = Proof(editor=editor, ok=all(check.ok for check in checks) and bool(checks), checks=checks)
    if errors.wants_json(request):
        return JSONResponse(proof)
    if request.headers.get("hx-request") == "true":
        return HTMLResponse(templates_of(request).render("model/proof.html", proof=proof))
    context = await model.context(desk_of(request), Ask(ask.parts, (("editor", editor),)))
    return show(request, model.VIEW, context, proof=proof)


def _without_key(check: Check, key: str) -> Check:
    if not key:
        return check
    fix = tuple(NextStep(title=step.title, command=step.command.replace(key, masked(key))) for step in check.fix)
    return msgspec.structs.replace(check, sentence=check.sentence.replace(key, masked(key)), fix=fix)


ACTIONS = (
    Route(f"/file/{_REF}", file),
    Route(f"/save/{_REF}", save, methods=["POST"]),
    Route(f"/test/{_REF}", test, methods=["POST"]),
)
