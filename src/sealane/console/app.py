"""The console as one ASGI application: guard, routes, error handling and the live hub, from one `Services` value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sealane.console import errors, live, pages, problems, security
from sealane.console.assets import Assets
from sealane.console.changes import Changes
from sealane.console.forms import read_form
from sealane.console.frame import frame_of
from sealane.console.once import Once
from sealane.console.services import Services
from sealane.console.templating import Templates
from sealane.console.views import Ask, View, desk_of, endpoint, render_regions
from sealane.lib.errors import SealaneError

log = logging.getLogger(__name__)


def build(
    services: Services, *, sessions: security.Sessions | None = None, reload_templates: bool = False
) -> Starlette:
    """The console's application. It serves once its lifespan has started; nothing runs before that.

    A process that builds one application after another (clusters were changed) hands on its `sessions`, so that a link
    that was used stays used.
    """
    assets = Assets()
    templates = Templates(assets, reload=reload_templates)
    settings = services.settings
    sessions = sessions or security.Sessions(settings.token, secret=settings.session_secret)
    answers = errors.Pages(_error_renderer(templates, services))
    hub = live.Hub(services)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(hub.run(), name="console: live hub")
        await hub.ready.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app = Starlette(
        routes=_routes(assets, sessions, hub),
        lifespan=lifespan,
        exception_handlers={SealaneError: answers.on_sealane_error, HTTPException: answers.on_http_error},
        middleware=[
            Middleware(security.Guard, settings=services.settings, sessions=sessions, pages=answers),
            Middleware(GZipMiddleware, minimum_size=1024),
            Middleware(_Border, pages=answers),
        ],
    )
    app.state.services = services
    app.state.templates = templates
    app.state.changes = Changes(services.clock)
    app.state.once = Once()
    app.state.hub = hub
    return app


def _routes(assets: Assets, sessions: security.Sessions, hub: live.Hub) -> list[BaseRoute]:
    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        token = form.text("token").rpartition("token=")[2].strip()
        if not sessions.is_token(token):
            raise problems.NoSession(reason="token")
        response = RedirectResponse("/", status_code=303)
        security.set_session(response, request.scope, sessions.open())
        return response

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes: list[BaseRoute] = [
        Route("/static/{name}", assets.serve),
        Route("/session", sign_in, methods=["POST"]),
        Route("/healthz", health),
    ]
    for view in pages.VIEWS:
        routes += _view_routes(view, hub)
    return routes + list(pages.ACTIONS)


def _view_routes(view: View[Any], hub: live.Hub) -> Sequence[BaseRoute]:
    async def stream(request: Request) -> Response:
        services: Services = request.app.state.services
        templates: Templates = request.app.state.templates
        ask, desk = Ask.of(request), desk_of(request)
        await view.context(desk, ask)  # what cannot be shown is refused before the stream opens

        async def render() -> dict[str, str]:
            return render_regions(templates, services, view, await view.context(desk, ask))

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(hub.read((view.name, ask), render), media_type="text/event-stream", headers=headers)

    get = endpoint(view)
    if view.path == "/":
        found: list[BaseRoute] = [Route(path, get) for path in ("/", "/home", "/.json", "/home.json", "/index.json")]
        found.append(Route(f"/live/{view.name}", stream))
        return found
    found = [Route(f"{view.path}.json", get), Route(view.path, get)]
    if view.regions:
        found.append(Route(f"/live{view.path}", stream))
    return found


def _error_renderer(templates: Templates, services: Services) -> Any:
    def render(request: Request, template: str, *, error: SealaneError) -> str:
        common = {
            "error": error,
            "nonce": request.scope.get("state", {}).get("nonce", ""),
            "title": "Not done" if error.http_status != 404 else "Not found",
        }
        if template != "error.html":
            return templates.render(template, **common, sandbox=services.settings.sandbox)
        try:
            frame = frame_of(services, "")
        except Exception:  # the request border: the frame itself may be what failed
            log.exception("the frame of an error page failed")
            return templates.render("refused.html", **common, sandbox=services.settings.sandbox)
        return templates.render(template, **common, frame=frame, view="error", live="", problem=None, page=None)

    return render


class _Border:
    """The last place an exception may come to. Whatever arrives here is our bug: logged with a mark, never shown."""

    def __init__(self, app: ASGIApp, *, pages: errors.Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http":
                raise
            request = Request(scope, receive)
            answer = (
                self._pages.answer(request, error)
                if isinstance(error, SealaneError)
                else await self._pages.on_bug(request, error)
            )
            if not started:
                await answer(scope, receive, send)
