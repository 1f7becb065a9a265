"""A view is a page's whole contract: one address, one context value, one template, its JSON twin and its live regions.

HTML and JSON come from the same context, so they cannot disagree; the live stream renders the same region templates
that the page includes, so a page looks the same after an update as after a reload.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sealane.console import errors
from sealane.console.changes import Changes
from sealane.console.frame import frame_of, freshness
from sealane.console.json import JSONResponse
from sealane.console.services import Ref, Services
from sealane.console.templating import Templates

_FRAME = ("rail", "scope", "sandbox", "away")
C = TypeVar("C", bound=msgspec.Struct)


@dataclasses.dataclass(frozen=True)
class Ask:
    """What the address says: its path's parts and its query. Hashable, so that equal asks share one live stream."""

    parts: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    @property
    def ref(self) -> Ref:
        """The hosted model that the path names."""
        parts = dict(self.parts)
        return Ref(parts["cluster"], parts["namespace"], parts["name"])

    @property
    def params(self) -> QueryParams:
        return QueryParams(list(self.query))

    @staticmethod
    def of(request: Request) -> Ask:
        parts = tuple(sorted((name, str(value)) for name, value in request.path_params.items()))
        return Ask(parts, tuple(request.query_params.multi_items()))


@dataclasses.dataclass(frozen=True)
class Desk:
    """What a page works with: the services, and the reader's own last changes."""

    services: Services
    changes: Changes


@dataclasses.dataclass(frozen=True, kw_only=True)
class View(Generic[C]):
    """One page. `regions` maps the id of a live element to the template that fills it."""

    name: str
    path: str
    template: str
    rail: str
    title: Callable[[C], str]
    context: Callable[[Desk, Ask], Awaitable[C]]
    regions: Mapping[str, str] = dataclasses.field(default_factory=dict)


def services_of(request: Request) -> Services:
    """The services that the app was built with."""
    services: Services = request.app.state.services
    return services


def desk_of(request: Request) -> Desk:
    """The services and the changes of the app."""
    return Desk(services_of(request), request.app.state.changes)


def templates_of(request: Request) -> Templates:
    """The app's templates."""
    templates: Templates = request.app.state.templates
    return templates


def show(request: Request, view: View[C], context: C, *, status: int = 200, **more: Any) -> Response:
    """`context` as the page or as its twin. `more` are values for the template alone (a problem, a test's proof)."""
    if errors.wants_json(request):
        twin = {name: getattr(context, name) for name in context.__struct_fields__}
        return JSONResponse(twin | {"freshness": freshness(services_of(request))}, status_code=status)
    html = templates_of(request).render(
        view.template,
        page=context,
        frame=frame_of(services_of(request), view.rail),
        title=view.title(context),
        view=view.name,
        live=live_path(view, request) if view.regions else "",
        nonce=request.state.nonce,
        once=secrets.token_urlsafe(9),
        problem=more.get("problem"),
        proof=more.get("proof"),
    )
    return HTMLResponse(html, status_code=status)


def endpoint(view: View[C]) -> Callable[[Request], Awaitable[Response]]:
    """GET of a view."""

    async def get(request: Request) -> Response:
        context = await view.context(desk_of(request), Ask.of(request))
        return show(request, view, context)

    return get


def live_path(view: View[Any], request: Request) -> str:
    """The address of a page's event stream: the page's own, under /live."""
    path = request.scope["path"].removesuffix(".json")
    query = request.url.query if request.method == "GET" else ""
    raw = request.scope.get("raw_path", path.encode()).decode("latin-1").partition("?")[0]
    base = f"/live/{view.name}" if view.path == "/" else f"/live{raw if request.method == 'GET' else path}"
    return base + (f"?{query}" if query else "")


def render_regions(templates: Templates, services: Services, view: View[C], context: C) -> dict[str, str]:
    """Every live region of a view, rendered: element id → HTML."""
    frame = frame_of(services, view.rail)
    found = {f"r-{part}": templates.render(f"frame/{part}.html", frame=frame) for part in _FRAME}
    found["r-gone"] = ""
    for element, template in view.regions.items():
        found[element] = templates.render(template, page=context, frame=frame)
    return found
