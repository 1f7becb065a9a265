"""A fetched project as the health pages show it: from the assessment that was kept beside its raw data.

Counts alone leave the data directory here; who the core team is stays in it. Months are not kept yet, so there is no
chart; what a source cannot know is None and is shown as unknown, never as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.console.health import Project, YearCounts
from sealane.health.assessment import Assessment


def project(assessed: Assessment, *, url: str) -> Project:
    """Everything about it but what runs on it."""
    verdict, report, facts = assessed.verdict, assessed.report, assessed.facts
    year = report["windows"]["365"]
    return Project(
        repository=report["project"],
        url=url,
        state=verdict.state,
        rule=verdict.rule,
        sentence=verdict.sentence,
        also=verdict.also,
        rows=verdict.rows,
        flips=verdict.flips,
        signal=verdict.signal,
        as_of=report["as_of"],
        source="; ".join(_source(source) for source in report["sources"]),
        notes=tuple(note for source in report["sources"] for note in source["notes"]),
        method=verdict.method,
        years=(
            YearCounts(label="Commits by people", now=facts.commits_365, before=facts.commits_365_before),
            YearCounts(label="Commit authors", now=facts.authors_365, before=facts.authors_365_before),
            YearCounts(label="Pull requests opened", now=_count(year, "pulls", "opened"), before=None),
            YearCounts(label="People who opened them", now=_count(year, "pulls", "authors"), before=None),
            YearCounts(label="Of these outside the core", now=_count(year, "pulls", "outside_authors"), before=None),
            YearCounts(label="Unique issue authors", now=_count(year, "issues", "authors"), before=None),
            YearCounts(
                label="Of these outside the core",
                now=facts.outside_authors_365,
                before=facts.outside_authors_365_before,
            ),
        ),
        half_by=_count(year, "commits", "absence_factor"),
        months=(),
    )


def _count(year: Mapping[str, Any], section: str, name: str) -> int | None:
    found = (year.get(section) or {}).get(name)
    return None if found is None else int(found)


def _source(source: Mapping[str, Any]) -> str:
    day = f" of {source['taken_at'][:10]}" if source["taken_at"] else ""
    return f"{source['kind']}{day}, {source['location']}"
