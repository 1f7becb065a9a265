"""Keys: one an application, so that one can be taken back without the others. A secret is shown once."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors
from sealane.console.forms import read_form
from sealane.console.json import JSONResponse
from sealane.console.problems import NoSuchPage, Refused
from sealane.console.services import KeyRow
from sealane.console.views import Ask, Desk, View, desk_of, services_of, show


class KeysContext(msgspec.Struct, frozen=True, kw_only=True):
    """All keys with what was used by each; `secret` only in the answer that made it."""

    keys: tuple[KeyRow, ...]
    url: str
    made: KeyRow | None = None
    secret: str = ""
    name: str = ""


class RevokeContext(msgspec.Struct, frozen=True, kw_only=True):
    """The key that is about to be taken back."""

    key: KeyRow


async def context(desk: Desk, ask: Ask) -> KeysContext:
    """All keys."""
    del ask
    return KeysContext(keys=await _rows(desk), url=desk.services.settings.openai_url)


async def revoke_context(desk: Desk, ask: Ask) -> RevokeContext:
    """One key; raises NoSuchPage when there is none of that id."""
    wanted = dict(ask.parts)["key"]
    for row in await desk.services.keys.rows():
        if row.id == wanted:
            return RevokeContext(key=row)
    raise NoSuchPage(f"/keys/{wanted}")


async def _rows(desk: Desk) -> tuple[KeyRow, ...]:
    return tuple(
        sorted(await desk.services.keys.rows(), key=lambda row: (row.revoked is not None, -row.created.timestamp()))
    )


async def create(request: Request) -> Response:
    """POST /keys: make a key and show its secret, this once."""
    name = (await read_form(request)).text("name")
    desk = desk_of(request)
    problem: Refused | None = None
    if not name:
        problem = Refused("Give the key a name: the application that will use it.", fields={"name": "Write a name."})
    elif len(name) > 60:
        problem = Refused(
            f"The name has {len(name)} characters; 60 is the most.", fields={"name": "Write a shorter name."}
        )
    if problem is not None:
        if errors.wants_json(request):
            raise problem
        made = KeysContext(keys=await _rows(desk), url=desk.services.settings.openai_url, name=name)
        return show(request, VIEW, made, status=422, problem=problem)
    row, secret = await services_of(request).keys.create(name)
    if errors.wants_json(request):
        return JSONResponse({"key": row, "secret": secret}, status_code=201)
    shown = KeysContext(keys=await _rows(desk), url=desk.services.settings.openai_url, made=row, secret=secret)
    return show(request, VIEW, shown, status=201)


async def revoke(request: Request) -> Response:
    """POST /keys/KEY/revoke: take a key back. Programs that use it are refused from now on."""
    row = await services_of(request).keys.revoke(request.path_params["key"])
    if errors.wants_json(request):
        return JSONResponse({"key": row})
    return RedirectResponse("/keys", status_code=303)


VIEW = View(name="keys", path="/keys", template="keys.html", rail="keys", title=lambda _: "Keys", context=context)
REVOKE = View(
    name="revoke",
    path="/keys/{key}/revoke",
    template="revoke.html",
    rail="keys",
    title=lambda page: f"Revoke {page.key.name}",
    context=revoke_context,
)
ACTIONS = (Route("/keys", create, methods=["POST"]), Route("/keys/{key}/revoke", revoke, methods=["POST"]))
