"""One project: the verdict, the rule that fired, its rows, what would flip it, and where the counts come from."""

from __future__ import annotations

import msgspec

from sealane.console.charts import Bar, bars
from sealane.console.health import Project
from sealane.console.pages.health import TONES
from sealane.console.views import Ask, Desk, View
from sealane.health.lifecycle import ORDER, State


class RuleLine(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the order: whether it decided, also matched, or did not."""

    place: int
    state: State
    stands: str
    words: str


class ProjectContext(msgspec.Struct, frozen=True, kw_only=True):
    """`project` is all that is known; `rules` the order with what each said; charts are bars a month, oldest first."""

    project: Project
    rules: tuple[RuleLine, ...]
    commit_bars: tuple[Bar, ...]
    author_bars: tuple[Bar, ...]
    tones: dict[State, str]


_WORDS: dict[State, str] = {
    "end of life": "its maintainers or its host say so",
    "superseded": "a successor is named",
    "moved": "its work goes on elsewhere",
    "unknown": "its commits or its beginning are not known",
    "finished": "little is asked, and what is asked is answered",
    "dormant": "no person committed anything for a year",
    "new": "less than a year old",
    "dying": "the dying signal gives an alarm",
    "narrowing": "people or commits at half of the year before, or less",
    "growing": "outside issue authors, or commit authors, up by a quarter or more",
    "steady": "none of these",
}


async def context(desk: Desk, ask: Ask) -> ProjectContext:
    """Raises NoSuchProject (404)."""
    parts = dict(ask.parts)
    project = desk.services.health.project(f"{parts['owner']}/{parts['project']}")
    return ProjectContext(
        project=project,
        rules=tuple(_rule(place, state, project) for place, state in enumerate(ORDER, start=1)),
        commit_bars=bars([month.commits for month in project.months]),
        author_bars=bars([month.authors for month in project.months]),
        tones=TONES,
    )


def _rule(place: int, state: State, project: Project) -> RuleLine:
    stands = "decided" if state == project.state else "also" if state in project.also else ""
    return RuleLine(place=place, state=state, stands=stands, words=_WORDS[state])


VIEW = View(
    name="project",
    path="/health/{owner}/{project}",
    template="project.html",
    rail="health",
    title=lambda page: page.project.repository,
    context=context,
)
