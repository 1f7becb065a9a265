"""Logs: the last lines of all copies in the order of their times, or of one, followed live and ready to be kept.

The page shows a tail of at most 2,000 lines, read again with each beat of its stream and whenever the model changes, so
a talkative model costs neither the browser nor this process more than that. Without scripts it is the same page, once.
"""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sealane.console.doing import hidden_in
from sealane.console.forms import Form
from sealane.console.rows import ModelRow, model_row
from sealane.console.services import Copy
from sealane.console.views import Ask, Desk, View, desk_of
from sealane.fleet.rights import NoRight
from sealane.lib.errors import SealaneError

_UNFIT = re.compile("[^A-Za-z0-9._-]+")
_TAIL = 200
_MOST = 2_000


class LogsContext(msgspec.Struct, frozen=True, kw_only=True):
    """Lines are oldest first; `problem` says why there are none. `copy` "" means all of them: each line then begins
    with its copy's name. `previous` means the run before the last restart."""

    model: ModelRow
    copies: tuple[Copy, ...]
    copy: str
    tail: int
    previous: bool
    lines: tuple[str, ...]
    problem: SealaneError | None
    hidden: tuple[str, ...]


async def context(desk: Desk, ask: Ask) -> LogsContext:
    """The tail of the chosen copy's log; what cannot be read is said in place."""
    services = desk.services
    detail = services.models.detail(ask.ref)
    tail = Form(ask.params).number("tail", _TAIL, least=1, most=_MOST)
    names = [copy.name for copy in detail.copies]
    wanted = ask.params.get("copy", "")
    copy = wanted if wanted in names else (names[0] if len(names) == 1 else "")
    previous = bool(ask.params.get("previous"))
    lines: tuple[str, ...] = ()
    problem: SealaneError | None = None
    may = services.rights.may("logs", ask.ref)
    if may.denied:
        problem = NoRight(may)
    elif names:
        try:
            lines = tuple(await services.models.logs(ask.ref, copy=copy, tail=tail, previous=previous))
        except SealaneError as error:
            problem = error
    return LogsContext(
        model=model_row(detail.hosted),
        copies=detail.copies,
        copy=copy,
        tail=tail,
        previous=previous,
        lines=lines,
        problem=problem,
        hidden=hidden_in(services.rights, ask.ref.cluster),
    )


VIEW = View(
    name="logs",
    path="/logs/{cluster:path}/{namespace}/{name}",
    template="logs.html",
    rail="models",
    title=lambda page: f"Logs of {page.model.model}",
    context=context,
    regions={"r-log": "logs/lines.html"},
)


async def download(request: Request) -> Response:
    """What the page shows, as a text file; what cannot be read is an error page instead of an empty file."""
    page = await context(desk_of(request), Ask.of(request))
    if page.problem is not None:
        raise page.problem
    name = "-".join(part for part in (page.copy or page.model.name, "previous" if page.previous else "") if part)
    name = _UNFIT.sub("-", name)[:200]  # a cluster chose it, and it stands in a header
    headers = {"Content-Disposition": f'attachment; filename="{name}.log"'}
    return PlainTextResponse("".join(f"{line}\n" for line in page.lines), headers=headers)


ACTIONS = (Route("/download/logs/{cluster:path}/{namespace}/{name}", download),)
