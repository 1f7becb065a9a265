"""Logs: the last lines of one copy, as the cluster gives them."""

from __future__ import annotations

import msgspec

from sealane.console.doing import hidden_in
from sealane.console.forms import Form
from sealane.console.rows import ModelRow, model_row
from sealane.console.services import Copy
from sealane.console.views import Ask, Desk, View
from sealane.fleet.rights import NoRight
from sealane.lib.errors import SealaneError

_TAIL = 200
_MOST = 2_000


class LogsContext(msgspec.Struct, frozen=True, kw_only=True):
    """Lines are oldest first; `problem` says why there are none."""

    model: ModelRow
    copies: tuple[Copy, ...]
    copy: str
    tail: int
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
    copy = wanted if wanted in names else (names[0] if names else "")
    lines: tuple[str, ...] = ()
    problem: SealaneError | None = None
    may = services.rights.may("logs", ask.ref)
    if may.denied:
        problem = NoRight(may)
    elif copy:
        try:
            lines = tuple(await services.models.logs(ask.ref, copy=copy, tail=tail))
        except SealaneError as error:
            problem = error
    return LogsContext(
        model=model_row(detail.hosted),
        copies=detail.copies,
        copy=copy,
        tail=tail,
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
)
