"""The health report of projects at instants: every figure of every window, put together from the metrics' rows.

Nothing is computed here that a metric could say: this module only asks each metric once, for all projects, instants and
windows together, and sorts the answers into the published shape (docs/health.md). Where a sample is too small a figure
is None rather than a number that would be believed.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sealane.health.numbers import FEWEST, ratio, wilson
from sealane.health.warehouse.protocol import DAY, Row, Scope, Warehouse

WINDOWS = (30, 90, 365, 0)
"""Days; 0 is all history."""
_PER_WINDOW = (
    "opened", "closed", "outside_dated", "absence_factor", "conversation", "commits", "releases", "people",
    "core_cadence", "response", "variant_approvals",
)  # fmt: skip
_PER_INSTANT = ("release_cadence", "retained", "excluded")
_EVIDENCE = ("e1", "e2", "e3", "e4", "e5")
Report = dict[str, Any]
Instant = tuple[str, int]


def reports(warehouse: Warehouse, instants: Sequence[Instant], *, extra: int = 365) -> list[Report]:
    """A report for each (project, as_of in seconds), in order; `extra` is a window of days beside the usual ones."""
    windows = tuple(dict.fromkeys((*WINDOWS, extra)))
    warehouse.look(
        Scope(project=project, as_of=as_of, days=days) for project, as_of in dict.fromkeys(instants) for days in windows
    )
    found = _Found(warehouse)
    names = [Scope(project="", as_of=0, days=days).name for days in windows]
    return [_report(found, instant, names) for instant in instants]


class _Found:
    """The metrics' rows by (project, as_of, window) and by (project, as_of)."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.windows: dict[tuple[str, Instant, str], list[Row]] = defaultdict(list)
        self.instants: dict[tuple[str, Instant], Row] = {}
        for name in _PER_WINDOW:
            for row in warehouse.metric(name):
                self.windows[name, (row["project"], row["as_of"]), row["win"]].append(row)
        for name in _PER_INSTANT:
            for row in warehouse.metric(name):
                self.instants[name, (row["project"], row["as_of"])] = row
        self.core: dict[tuple[Instant, int], list[Row]] = defaultdict(list)
        for row in warehouse.metric("core"):
            self.core[(row["project"], row["as_of"]), row["span"]].append(row)
        self.since = {(row["project"], row["actor"]): row["since"] for row in warehouse.metric("core_since")}

    def row(self, metric: str, instant: Instant, window: str, **wanted: str) -> Row:
        """The one row of a metric, {} where nothing happened."""
        rows = self.windows.get((metric, instant, window), [])
        return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), {})


def _report(found: _Found, instant: Instant, names: Sequence[str]) -> Report:
    project, as_of = instant
    return {
        "project": project,
        "as_of": iso(as_of),
        "windows": {name: _window(found, instant, name) for name in names},
        "variant_approvals": {name: _variant(found, instant, name) for name in ("365", "all")},
        "core_team": [
            {"actor": row["actor"], "evidence": _codes(row), "since": _since(found, project, row)}
            for row in _team(found, instant, 365)
        ],
        "core_team_all": [{"actor": row["actor"], "evidence": _codes(row)} for row in _team(found, instant, 0)],
        "retained_90": _retained(found.instants.get(("retained", instant), {})),
        "releases": _releases(found.instants.get(("release_cadence", instant), {}), as_of),
        "excluded": {key: found.instants.get(("excluded", instant), {}).get(key, 0) for key in ("bots", "unknown")},
    }


def _window(found: _Found, instant: Instant, name: str) -> Report:
    return {
        "issues": {
            **_opened(found, instant, name, "issue"),
            "outside_dated": found.row("outside_dated", instant, name).get("outside_dated", 0),
        },
        "response_issues": _response(found, instant, name, ("issue", "all")),
        "response_issues_outside": _response(found, instant, name, ("issue", "outside")),
        "response_issues_outside_by_core": _response(found, instant, name, ("issue", "outside_by_core")),
        "pulls": {**_opened(found, instant, name, "pull"), **_merged(found, instant, name)},
        "response_pulls": _response(found, instant, name, ("pull", "all")),
        "response_pulls_outside": _response(found, instant, name, ("pull", "outside")),
        "comments": _comments(found, instant, name),
        "reviews": _reviews(found, instant, name),
        "commits": _commits(found, instant, name),
        "releases": _numbers(found.row("releases", instant, name), ("tags", "days")),
        "people": _numbers(found.row("people", instant, name), ("contributors", "new")),
        "core": {
            **_numbers(found.row("core_cadence", instant, name), ("size", "active", "action_days", "action_weeks")),
            "gap_p90_days": found.row("core_cadence", instant, name).get("gap_p90_days"),
        },
    }


def _opened(found: _Found, instant: Instant, name: str, kind: str) -> Report:
    row = found.row("opened", instant, name, kind=kind)
    counts = ("opened", "authors", "outside", "outside_authors", "outside_authors_new", "by_bots", "by_unknown")
    shown = _numbers(row, counts)
    opened, outside = shown["opened"], shown["outside"]
    low, high = wilson(outside, opened) if opened >= FEWEST else (None, None)
    closed = int(found.row("closed", instant, name, kind=kind).get("closed", 0))
    return {
        **shown,
        "outside_authors_returning": shown["outside_authors"] - shown["outside_authors_new"],
        "closed": closed,
        "closure_ratio": ratio(closed, opened),
        "outside_share": ratio(outside, opened, fewest=FEWEST),
        "outside_low": low,
        "outside_high": high,
        "absence_factor": _absence(found, instant, name, kind),
    }


def _merged(found: _Found, instant: Instant, name: str) -> Report:
    opened = _numbers(found.row("opened", instant, name, kind="pull"), ("outside", "outside_merged"))
    return {
        **_numbers(found.row("closed", instant, name, kind="pull"), ("merged", "closed_unmerged")),
        "outside_merged": opened["outside_merged"],
        "outside_merge_rate": ratio(opened["outside_merged"], opened["outside"], fewest=FEWEST),
    }


def _comments(found: _Found, instant: Instant, name: str) -> Report:
    row = found.row("conversation", instant, name, kind="comment")
    return {
        "count": int(row.get("made", 0)),
        **_numbers(row, ("authors", "by_core", "by_outside", "by_unknown", "by_bots")),
        "absence_factor": _absence(found, instant, name, "comment"),
    }


def _reviews(found: _Found, instant: Instant, name: str) -> Report:
    row = found.row("conversation", instant, name, kind="review")
    inline = found.row("conversation", instant, name, kind="inline")
    return {
        "count": int(row.get("made", 0)),
        **_numbers(row, ("authors", "by_core", "by_outside", "by_unknown", "by_bots", "by_others", "approvals")),
        "inline_comments": int(inline.get("made", 0)),
        "absence_factor": _absence(found, instant, name, "review"),
    }


def _commits(found: _Found, instant: Instant, name: str) -> Report:
    row = found.row("commits", instant, name)
    return {
        "count": int(row.get("made", 0)),
        **_numbers(row, ("merges", "by_bots", "authors", "people", "web", "days", "top_author")),
        "absence_factor": _absence(found, instant, name, "commit"),
    }


def _response(found: _Found, instant: Instant, name: str, which: tuple[str, str]) -> Report:
    kind, asking = which
    row = found.row("response", instant, name, kind=kind, asking=asking)
    n, answered = int(row.get("n", 0)), int(row.get("answered", 0))
    return {
        "n": n,
        "answered": answered,
        "never": n - answered,
        "never_share": ratio(n - answered, n),
        "median_answered_days": _days(row.get("median_answered")),
        "km_median_days": _days(row.get("km_median")),
        "p7": row.get("p7"),
    }


def _variant(found: _Found, instant: Instant, name: str) -> Report:
    return _numbers(found.row("variant_approvals", instant, name), ("core", "issues_outside", "pulls_outside"))


def _team(found: _Found, instant: Instant, span: int) -> list[Row]:
    return sorted(found.core.get((instant, span), []), key=lambda row: str(row["actor"]))


def _codes(row: Row) -> list[str]:
    return [code.upper() for code in _EVIDENCE if row[code]]


def _since(found: _Found, project: str, row: Row) -> str | None:
    since = found.since.get((project, row["actor"]))
    return None if row["e5"] or since is None else iso(since)


def _retained(row: Row) -> Report:
    previous, retained = int(row.get("previous", 0)), int(row.get("retained", 0))
    return {"previous": previous, "retained": retained, "share": ratio(retained, previous)}


def _releases(row: Row, as_of: int) -> Report:
    last = row.get("last_tag")
    return {
        "days": int(row.get("days", 0)),
        "days_since_last": None if last is None else (as_of - last) / DAY,
        "median_gap_days": row.get("median_gap_days"),
    }


def _absence(found: _Found, instant: Instant, name: str, kind: str) -> int:
    return int(found.row("absence_factor", instant, name, kind=kind).get("absence_factor", 0))


def _numbers(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    return {name: int(row.get(name) or 0) for name in names}


def _days(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / DAY


def iso(seconds: int) -> str:
    """The instant as reports write it, such as 2026-04-16T00:00:00Z."""
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
