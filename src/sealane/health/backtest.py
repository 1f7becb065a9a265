"""The back-test: how early the dying signal would have spoken, on projects whose end is known.

Observations are drawn as published with the data: for a project that ended, the last month end on or before the day of
its end minus k months; for the others every 1 January and 1 July on which they were two years old, half a year with
their foundation, a year before the data ends, and not beyond the copy of their repository. Everything is counted at
that instant. No project stands on both sides of a split.
"""

from __future__ import annotations

import calendar
import csv
import datetime
import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sealane.health.errors import SourceBroken, SourceMissing
from sealane.health.signal import Activity

MONTHS = (3, 6, 12, 18)
KNOWN_UNTIL = datetime.date(2026, 8, 7)
Month = dict[str, Any]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One project at one instant: `lead` months before its end, or None for one that did not end."""

    project: str
    lead: int | None
    row: Month

    @property
    def activity(self) -> Activity:
        """What the signal sees."""
        row = self.row
        return Activity(
            active_days_90=row["active_days_90"],
            authors_90=row["authors_90"],
            days_since_tag=row["days_since_tag"],
            pull_people_90=row["pull_people_90"],
            domains_365=row["domains_365"],
        )


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Labels and monthly rows of many projects."""

    labels: Mapping[str, Mapping[str, str]]
    months: Mapping[str, Mapping[str, Month]]

    def ends(self, project: str) -> datetime.date | None:
        """The day of a project's end, or None."""
        label = self.labels[project]
        return datetime.date.fromisoformat(label["archived_landscape"]) if label["role"] == "positive" else None

    def at(self, project: str, day: datetime.date) -> Month | None:
        """The row of the last month that had ended by `day`."""
        past = [month for month in self.months[project] if month_end(month) <= day]
        return self.months[project][max(past)] if past else None


def load(folder: Path) -> History:
    """`labels.csv` and `monthly.ndjson.gz`. Raises SourceMissing or SourceBroken."""
    try:
        with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            labels = {row["project"]: row for row in csv.DictReader(file)}
        lines = gzip.decompress((folder / "monthly.ndjson.gz").read_bytes()).splitlines()
        months: dict[str, dict[str, Month]] = defaultdict(dict)
        for line in lines:
            row = msgspec.json.decode(line, type=Month)
            if row["project"] in labels:
                months[row["project"]][row["month"]] = row
    except FileNotFoundError as error:
        raise SourceMissing(f"{folder} holds no back-test data: {error.filename} is missing.") from error
    except (OSError, EOFError, KeyError, msgspec.DecodeError) as error:
        raise SourceBroken(f"The back-test data in {folder} cannot be read: {error}.") from error
    return History(labels=labels, months=months)


def observations(history: History) -> list[Observation]:
    """All of them; projects that ended give one for each lead where they had history."""
    found: list[Observation] = []
    for project in sorted(history.labels):
        end = history.ends(project)
        if end is None:
            found += [Observation(project=project, lead=None, row=row) for row in _steady_rows(history, project)]
            continue
        for lead in MONTHS:
            row = history.at(project, months_before(end, lead))
            if row is not None:
                found.append(Observation(project=project, lead=lead, row=row))
    return found


def lead_months(history: History, project: str, alarm: Callable[[Month], bool]) -> float | None:
    """How long before its end the alarm began that was still on at the end, in months; None when it was off then."""
    end = history.ends(project)
    rows = [(month_end(month), row) for month, row in sorted(history.months[project].items())]
    before = [(day, row) for day, row in rows if end is not None and day <= end]
    began: datetime.date | None = None
    for day, row in before:
        began = (began or day) if alarm(row) else None
    return None if began is None or end is None else (end - began).days / 30.4375


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a random positive scores above a random negative, ties counting half."""
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


def month_end(month: str) -> datetime.date:
    """The first instant after a month, such as 2026-05-01 for 2026-04."""
    year, number = int(month[:4]), int(month[5:7])
    return datetime.date(year + number // 12, number % 12 + 1, 1)


def months_before(day: datetime.date, count: int) -> datetime.date:
    """The same day of the month `count` months earlier, or that month's last."""
    year, number = divmod(day.year * 12 + day.month - 1 - count, 12)
    last = calendar.monthrange(year, number + 1)[1]
    return datetime.date(year, number + 1, min(day.day, last))


def _steady_rows(history: History, project: str) -> list[Month]:
    joined = history.labels[project]["joined"]
    since = datetime.date.fromisoformat(joined) if joined else None
    rows = []
    for month, row in sorted(history.months[project].items()):
        day = month_end(month)
        settled = row["age_days"] >= 730 and (since is None or (day - since).days >= 180)
        judged = day <= KNOWN_UNTIL.replace(year=KNOWN_UNTIL.year - 1) and not row["beyond_snapshot"]
        if day.month in {1, 7} and settled and judged:
            rows.append(row)
    return rows
