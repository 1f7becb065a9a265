"""From events to a verdict: the report of one project, the facts that the rules look at, and what was not known.

This is the one place where a source's silence becomes None: a source without issues must not look like a project
without issues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sealane.health import lifecycle, report
from sealane.health.lifecycle import Facts, Verdict
from sealane.health.report import Report
from sealane.health.signal import Activity
from sealane.health.warehouse.protocol import DAY, Warehouse

YEAR = 365 * DAY


class SourceNote(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures come from: `kind` is archive, git, github, gitlab or sample; `version` a commit or a digest."""

    kind: str
    location: str
    taken_at: str | None = None
    version: str = ""
    notes: tuple[str, ...] = ()


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    """What was said about a project, by its host, its maintainers or a challenge."""

    notice: str = ""
    successor: str = ""
    moved_to: str = ""
    marked_finished: str = ""
    marked_alive: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds of events the sources of a project can know at all."""

    issues: bool = False
    pulls: bool = False
    conversation: bool = False
    commits: bool = False
    domains: bool = False


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One project at one instant: the published report with the verdict in it, and the facts behind the verdict."""

    report: Report
    facts: Facts
    verdict: Verdict


def assess(
    warehouse: Warehouse,
    project: str,
    as_of: int,
    *,
    known: Known,
    sources: Sequence[SourceNote] = (),
    notices: Notices | None = None,
    window: int = 365,
) -> Assessment:
    """The health report of a project at an instant, in seconds. A project without events is judged as unknown."""
    now, before = report.reports(warehouse, [(project, as_of), (project, as_of - YEAR)], extra=window)
    beginning = _row(warehouse.metric("beginning"), as_of)
    domains = _row(warehouse.metric("domains"), as_of)
    facts = _facts(now, before, as_of=as_of, beginning=beginning, domains=domains, known=known)
    facts = msgspec.structs.replace(facts, **msgspec.structs.asdict(notices or Notices()))
    verdict = lifecycle.judge(facts)
    shown = _masked(now, known) | {
        "state": verdict.state,
        "rule": verdict.rule,
        "sentence": verdict.sentence,
        "rows": [msgspec.to_builtins(row) for row in verdict.rows],
        "flips": list(verdict.flips),
        "coverage": _coverage(beginning, known),
        "sources": [msgspec.to_builtins(source) for source in sources],
        "signal": msgspec.to_builtins(verdict.signal),
        "method": verdict.method,
    }
    return Assessment(report=shown, facts=facts, verdict=verdict)


def _facts(
    now: Report, before: Report, *, as_of: int, beginning: Mapping[str, Any], domains: Mapping[str, Any], known: Known
) -> Facts:
    quarter, year, ever = (now["windows"][name] for name in ("90", "365", "all"))
    past = before["windows"]["365"]
    first = beginning.get("first")
    age = None if first is None else (as_of - first) // DAY
    has_past = age is not None and age >= 2 * 365
    since_tag = now["releases"]["days_since_last"]
    commits, issues = known.commits, known.issues
    asked = year["response_issues_outside"]
    return Facts(
        age_days=age,
        commits_90=quarter["commits"]["count"] if commits else None,
        commits_365=year["commits"]["count"] if commits else None,
        commits_365_before=past["commits"]["count"] if commits and has_past else None,
        authors_365=year["commits"]["authors"] if commits else None,
        authors_365_before=past["commits"]["authors"] if commits and has_past else None,
        activity=Activity(
            active_days_90=quarter["commits"]["days"],
            authors_90=quarter["commits"]["authors"],
            days_since_tag=None if since_tag is None else int(since_tag),
            pull_people_90=quarter["pulls"]["authors"] if known.pulls else None,
            domains_365=int(domains.get("domains", 0)) if known.domains else None,
        )
        if commits
        else None,
        issues_ever=ever["issues"]["opened"] if issues else None,
        issues_open=ever["issues"]["opened"] - ever["issues"]["closed"] if issues else None,
        issues_90=quarter["issues"]["opened"] if issues else None,
        outside_asked_365=asked["n"] if issues and known.conversation else None,
        outside_never_365=asked["never"] if issues and known.conversation else None,
        outside_authors_365=year["issues"]["outside_authors"] if issues else None,
        outside_authors_365_before=past["issues"]["outside_authors"] if issues and has_past else None,
    )


_NEEDS = {
    "issues": ("issues", "response_issues", "response_issues_outside", "response_issues_outside_by_core"),
    "pulls": ("pulls",),
    "conversation": (
        "response_issues", "response_issues_outside", "response_issues_outside_by_core", "response_pulls",
        "response_pulls_outside", "comments", "reviews", "people",
    ),
    "commits": ("commits",),
}  # fmt: skip


def _masked(found: Report, known: Known) -> Report:
    """The report with None for every figure that its sources cannot know."""
    hidden = {name for need, names in _NEEDS.items() if not getattr(known, need) for name in names}
    windows = {
        window: {name: None if name in hidden else figures for name, figures in sections.items()}
        for window, sections in found["windows"].items()
    }
    return found | {"windows": windows}


def _coverage(beginning: Mapping[str, Any], known: Known) -> Report:
    first, last = beginning.get("first"), beginning.get("last")
    return {
        "first": None if first is None else report.iso(first),
        "last": None if last is None else report.iso(last),
        "issues": int(beginning.get("issues", 0)) if known.issues else None,
        "pulls": int(beginning.get("pulls", 0)) if known.pulls else None,
        "actions": int(beginning.get("actions", 0)) if known.conversation else None,
        "commits": int(beginning.get("commits", 0)) if known.commits else None,
    }


def _row(rows: Sequence[Mapping[str, Any]], as_of: int) -> Mapping[str, Any]:
    return next((row for row in rows if row["as_of"] == as_of), {})
