"""Break something: the sandbox's scenarios, one card each, what they do now, and healing.

Only there while the sandbox is open; beside real clusters the address answers 404 with one sentence, and so do its
forms. What runs is asked of the sandbox itself at each render, because a scenario may have been started by command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors
from sealane.console.breaking import Breaking, Broken, Run, Scenario, only_the_sandbox
from sealane.console.forms import Form, read_form
from sealane.console.views import Ask, Desk, View, desk_of, services_of, show
from sealane.lib import text
from sealane.lib.errors import SealaneError

_LONGEST = 3600


class BreakContext(msgspec.Struct, frozen=True, kw_only=True):
    """Scenarios and runs. `runs` are those of now, `past` the last that ended; `problem` when the sandbox is silent."""

    heading: str
    scenarios: tuple[Scenario, ...]
    clusters: tuple[str, ...]
    speed: float
    runs: tuple[Run, ...]
    past: tuple[Run, ...]
    problem: str


async def context(desk: Desk, ask: Ask) -> BreakContext:
    """What can be broken and what is. Raises NoSandbox beside real clusters."""
    del ask
    there = _there(desk.services.breaking)
    try:
        return _context(await there.state())
    except SealaneError as error:
        return _context(Broken(scenarios=(), clusters=(), speed=1.0, runs=()), problem=error.sentence)


def _context(now: Broken, *, problem: str = "") -> BreakContext:
    return BreakContext(
        heading=_heading(now.running) if not problem else "The sandbox does not answer.",
        scenarios=now.scenarios,
        clusters=now.clusters,
        speed=now.speed,
        runs=now.running,
        past=tuple(run for run in now.runs if run.ended)[:3],
        problem=problem,
    )


def _heading(running: tuple[Run, ...]) -> str:
    if not running:
        return "Nothing is broken."
    told = text.listing([f"{run.title} ({run.cluster})" for run in running])
    return f"Broken now: {told}."


def _there(breaking: Breaking | None) -> Breaking:
    if breaking is None:
        raise only_the_sandbox()
    return breaking


async def start(request: Request) -> Response:
    """POST /break: start a scenario; the fields are `name` and, if wanted, `cluster`, `model`, `seconds`."""

    async def work(there: Breaking, form: Form) -> Broken:
        seconds = float(form.number("seconds", 0, least=1, most=_LONGEST)) or None
        return await there.start(
            form.text("name"), cluster=form.text("cluster"), model=form.text("model"), seconds=seconds
        )

    return await _answer(request, work, as_wished=_runs)


async def heal(request: Request) -> Response:
    """POST /break/heal: end what runs, of a `name` and in a `cluster` where they are given, and undo it."""

    async def work(there: Breaking, form: Form) -> Broken:
        return await there.heal(form.text("name"), cluster=form.text("cluster"))

    return await _answer(request, work, as_wished=lambda _page, _form: False)


async def _answer(
    request: Request,
    work: Callable[[Breaking, Form], Awaitable[Broken]],
    *,
    as_wished: Callable[[BreakContext, Form], bool],
) -> Response:
    there = _there(services_of(request).breaking)
    form = await read_form(request)
    try:
        now = await work(there, form)
    except SealaneError as error:
        if errors.wants_json(request):
            raise
        page = await context(desk_of(request), Ask())
        if as_wished(page, form):
            return RedirectResponse("/break", status_code=303)  # a double click, or another window: it is as wished
        return show(request, VIEW, page, status=error.http_status, problem=error)
    if errors.wants_json(request):
        return show(request, VIEW, _context(now))
    return RedirectResponse("/break", status_code=303)


def _runs(page: BreakContext, form: Form) -> bool:
    return any(run.name == form.text("name") and form.text("cluster") in {"", run.cluster} for run in page.runs)


VIEW = View(
    name="break",
    path="/break",
    template="break.html",
    rail="",
    title=lambda _: "Break something",
    context=context,
    regions={"r-broken": "break/now.html", "r-scenarios": "break/scenarios.html"},
)
ACTIONS = (Route("/break", start, methods=["POST"]), Route("/break/heal", heal, methods=["POST"]))
