"""Health: what you run that is dying, worst first, and the projects that are watched. The rows of `sealane risks`."""

from __future__ import annotations

import msgspec

from sealane.console.charts import Bar, bars
from sealane.console.health import Project
from sealane.console.views import Ask, Desk, View
from sealane.health.lifecycle import METHOD, WORST_FIRST, State
from sealane.health.risk import Risk
from sealane.lib import text

TONES: dict[State, str] = {
    "end of life": "end",
    "superseded": "off",
    "moved": "off",
    "finished": "done",
    "dormant": "dying",
    "dying": "dying",
    "narrowing": "narrow",
    "steady": "steady",
    "growing": "grow",
    "new": "steady",
    "unknown": "unknown",
}
"""How a state is marked; the word stands beside the mark always."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One project: `name` is shown, `path` its page ("" without figures). `rests` is what runs on it, in words."""

    name: str
    path: str
    state: State
    sentence: str
    rests: str
    where: tuple[str, ...]
    copies: int
    gpus: float
    confidence: str
    evidence: str
    as_of: str
    commits: int | None
    commits_before: int | None
    authors: int | None
    authors_before: int | None
    half_by: int | None
    chart: tuple[Bar, ...]
    chart_words: str


class HealthContext(msgspec.Struct, frozen=True, kw_only=True):
    """What runs (or with `shown` watched: all that is known), and what could not be read."""

    heading: str
    lead: str
    shown: str
    lines: tuple[Line, ...]
    silent: tuple[str, ...]
    method: str
    tones: dict[State, str]


async def context(desk: Desk, ask: Ask) -> HealthContext:
    """Everything from memory."""
    health = desk.services.health
    shown = "watched" if ask.params.get("show") == "watched" else "run"
    projects = {one.repository.lower(): one for one in health.watched()}
    if shown == "watched":
        lines = tuple(_watched(one) for one in projects.values())
    else:
        lines = tuple(_line(row, projects.get(row.project.lower())) for row in health.risks())
    silent = tuple(health.silent())
    return HealthContext(
        heading=_heading(lines, shown),
        lead=_lead(lines, shown, len(desk.services.clusters.rows())),
        shown=shown,
        lines=lines,
        silent=silent,
        method=METHOD,
        tones=TONES,
    )


def _heading(lines: tuple[Line, ...], shown: str) -> str:
    if shown == "watched":
        return "Projects that are watched"
    bad = sum(1 for line in lines if line.state in {"end of life", "dormant", "dying"})
    return "What you run that is dying" if bad else "Nothing you run is known to be dying"


def _lead(lines: tuple[Line, ...], shown: str, clusters: int) -> str:
    counts = {state: sum(1 for line in lines if line.state == state) for state in WORST_FIRST}
    told = text.listing([f"{count} {state}" for state, count in counts.items() if count])
    if not lines:
        return "No workload was found whose image could be looked at."
    if shown == "watched":
        return f"{text.count(len(lines), 'project')} with figures here: {told}."
    return f"{text.count(len(lines), 'project')} under {text.count(clusters, 'cluster')}: {told}."


def _line(row: Risk, known: Project | None) -> Line:
    gpus = f", {row.gpus:g} GPUs" if row.gpus else ""
    rests = f"{text.count(len(row.workloads), 'workload')}, {text.count(row.copies, 'copy', 'copies')}{gpus}"
    line = _watched(known) if known is not None else _nothing(row.project)
    return msgspec.structs.replace(
        line,
        state=row.state,
        sentence=row.sentence,
        rests=rests,
        where=row.workloads,
        copies=row.copies,
        gpus=row.gpus,
        confidence=row.confidence,
        evidence=row.evidence,
    )


def _watched(one: Project) -> Line:
    commits, authors = one.years[0], one.years[1]
    return msgspec.structs.replace(
        _nothing(one.repository),
        path=f"/health/{one.repository}",
        state=one.state,
        sentence=one.sentence,
        as_of=one.as_of,
        commits=commits.now,
        commits_before=commits.before,
        authors=authors.now,
        authors_before=authors.before,
        half_by=one.half_by,
        chart=bars([month.commits for month in one.months]),
        chart_words=_chart_words(one),
    )


def _chart_words(one: Project) -> str:
    if not one.months:
        return "No months are known."
    most = max(month.commits for month in one.months)
    return f"{one.months[0].month} to {one.months[-1].month}, at most {most:,} commits a month"


def _nothing(name: str) -> Line:
    return Line(
        name=name,
        path="",
        state="unknown",
        sentence="",
        rests="",
        where=(),
        copies=0,
        gpus=0.0,
        confidence="",
        evidence="",
        as_of="",
        commits=None,
        commits_before=None,
        authors=None,
        authors_before=None,
        half_by=None,
        chart=(),
        chart_words="",
    )


VIEW = View(
    name="health",
    path="/health",
    template="health.html",
    rail="health",
    title=lambda page: page.heading,
    context=context,
    regions={"r-health": "health/list.html"},
)
