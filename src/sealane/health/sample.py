"""Twenty projects that AI on Kubernetes rests on, counted once and shipped: the first run says something true offline.

Real figures from git, counts only, no names: a month a row, each project as of the day of its copy, which stands beside
every figure. What git cannot know (issues, answers) is None here. Fetching a project replaces its sample.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from sealane.health import lifecycle
from sealane.health.assessment import Assessment, Notices, SourceNote
from sealane.health.backtest import month_end
from sealane.health.lifecycle import Facts
from sealane.health.signal import Activity

Month = dict[str, Any]


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """A project that ships with figures. `as_of` is the day of the git copy, `last_full_month` the last row."""

    project: str
    repository: str
    as_of: str
    head: str
    last_commit: str
    last_full_month: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a project's host or maintainers said of its end, with where they said it."""

    repository: str
    notice: str
    source: str
    since: str


@cache
def projects() -> Mapping[str, Sampled]:
    """By repository, in the order of the file."""
    found = msgspec.json.decode(_data("sample_projects.json"), type=list[Sampled])
    return {one.repository: one for one in found}


@cache
def months(repository: str) -> Sequence[Month]:
    """The monthly rows of one project, oldest first, at most five years."""
    wanted = projects()[repository].project
    rows = (
        msgspec.json.decode(line, type=Month) for line in gzip.decompress(_data("sample_months.ndjson.gz")).splitlines()
    )
    return tuple(row for row in rows if row["project"] == wanted)


@cache
def notices() -> Mapping[str, Notice]:
    """By repository."""
    found = msgspec.json.decode(_data("notices.json"), type=list[Notice])
    return {one.repository: one for one in found}


def find(name: str) -> Sampled | None:
    """A sampled project by `owner/name` in any case, or by its short name."""
    wanted = name.casefold()
    for one in projects().values():
        if wanted in {one.repository.casefold(), one.project.casefold()}:
            return one
    return None


def assess(one: Sampled, *, said: Notices | None = None) -> Assessment:
    """The verdict on a sampled project at the end of its last full month; figures of issues are None."""
    row = months(one.repository)[-1]
    ended = notices().get(one.repository)
    said = said or Notices()
    if ended is not None and not said.notice:
        said = msgspec.structs.replace(said, notice=ended.notice)
    facts = facts_of(row, said)
    verdict = lifecycle.judge(facts)
    source = SourceNote(
        kind="sample",
        location=f"https://github.com/{one.repository}",
        taken_at=f"{one.as_of}T00:00:00Z",
        version=one.head,
        notes=("Counts from git, shipped with Sealane; issues and answers are not in it.", *_said_where(ended)),
    )
    report = {
        "project": one.repository,
        "as_of": f"{month_end(row['month']).isoformat()}T00:00:00Z",
        "windows": windows(row),
        "core_team": None,
        "core_team_all": None,
        "retained_90": None,
        "releases": {"days": None, "days_since_last": row["days_since_tag"], "median_gap_days": None},
        "excluded": None,
        "state": verdict.state,
        "rule": verdict.rule,
        "sentence": verdict.sentence,
        "rows": [msgspec.to_builtins(each) for each in verdict.rows],
        "flips": list(verdict.flips),
        "coverage": {
            "first": None,
            "last": one.last_commit,
            "issues": None,
            "pulls": None,
            "actions": None,
            "commits": None,
        },
        "sources": [msgspec.to_builtins(source)],
        "signal": msgspec.to_builtins(verdict.signal),
        "method": verdict.method,
    }
    return Assessment(report=report, facts=facts, verdict=verdict)


def facts_of(row: Month, said: Notices) -> Facts:
    """What the rules look at, from one monthly row."""
    return Facts(
        **msgspec.structs.asdict(said),
        age_days=row["age_days"],
        commits_90=row["commits_90"],
        commits_365=row["commits_365"],
        commits_365_before=row["commits_365_prev"] if row["age_days"] >= 730 else None,
        authors_365=row["authors_365"],
        authors_365_before=row["authors_365_prev"] if row["age_days"] >= 730 else None,
        activity=Activity(
            active_days_90=row["active_days_90"],
            authors_90=row["authors_90"],
            days_since_tag=row["days_since_tag"],
            pull_people_90=row["pull_people_90"],
            domains_365=row["domains_365"],
        ),
    )


def windows(row: Month) -> dict[str, Any]:
    """The windows of the report that a monthly row can fill; the rest is None."""
    quarter = {"count": row["commits_90"], "authors": row["authors_90"], "days": row["active_days_90"]}
    year = {
        "count": row["commits_365"],
        "authors": row["authors_365"],
        "top_author": row["top_author_365"],
        "absence_factor": row["absence_factor_365"],
    }
    month = {"count": row["commits"], "authors": row["authors"], "merges": row["merges"], "by_bots": row["bot_commits"]}
    pulls = {
        "30": {"opened": row["pulls"], "authors": row["pull_people"]},
        "90": {"opened": row["pulls_90"], "authors": row["pull_people_90"]},
        "365": {
            "opened": row["pulls_365"],
            "authors": row["pull_people_365"],
            "merged": row["pulls_merged_365"],
            "outside_authors": row["outside_pull_people_365"],
        },
    }
    commits = {"30": month, "90": quarter, "365": year}
    return {name: {"issues": None, "pulls": pulls[name], "commits": commits[name]} for name in ("30", "90", "365")} | {
        "all": None
    }


def _said_where(notice: Notice | None) -> tuple[str, ...]:
    return (f"The notice: {notice.source}.",) if notice is not None else ()


def _data(name: str) -> bytes:
    return resources.files("sealane.health").joinpath("data", name).read_bytes()
