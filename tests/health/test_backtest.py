"""The back-test's design: which month is looked at, who is a control, and how a lead is measured."""

from __future__ import annotations

import csv
import datetime
import gzip
from pathlib import Path

import msgspec
import pytest

from sealane.health import backtest
from sealane.health.backtest import auc, month_end, months_before
from sealane.health.errors import SourceBroken, SourceMissing

ROW = {
    "commits_90": 5, "active_days_90": 4, "authors_90": 2, "days_since_tag": 3, "pull_people_90": 1, "domains_365": 1,
    "age_days": 900, "beyond_snapshot": False, "authors_365": 3, "authors_365_peak": 9, "pulls_90": 1,
}  # fmt: skip


def written(folder: Path, labels: list[dict[str, str]], rows: list[dict[str, object]]) -> Path:
    fields = ["project", "role", "archived_landscape", "joined"]
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(labels)
    (folder / "monthly.ndjson.gz").write_bytes(gzip.compress(b"\n".join(msgspec.json.encode(row) for row in rows)))
    return folder


def months(project: str, first: int, last: int, **changed: object) -> list[dict[str, object]]:
    """Rows from month number `first` to `last`, counted from January 2020."""
    return [
        {**ROW, "project": project, "month": f"{2020 + n // 12}-{n % 12 + 1:02d}", **changed}
        for n in range(first, last)
    ]


ENDED = {"project": "a", "role": "positive", "archived_landscape": "2024-03-15", "joined": "2020-01-01"}
RUNS = {"project": "b", "role": "control", "archived_landscape": "", "joined": "2020-01-10"}


def test_an_ended_project_is_looked_at_at_the_last_month_end_before_each_lead(tmp_path: Path) -> None:
    history = backtest.load(written(tmp_path, [ENDED], months("a", 0, 60)))
    seen = {one.lead: one.row["month"] for one in backtest.observations(history)}
    assert seen == {3: "2023-11", 6: "2023-08", 12: "2023-02", 18: "2022-08"}


def test_a_running_project_is_looked_at_each_half_year_once_it_is_settled(tmp_path: Path) -> None:
    history = backtest.load(written(tmp_path, [RUNS], months("b", 0, 80)))
    seen = [one.row["month"] for one in backtest.observations(history)]
    assert seen[0] == "2020-12"  # its half year with the foundation had not passed on 1 July
    assert seen[-1] == "2025-06"  # a year must lie behind it
    assert all(month.endswith(("-06", "-12")) for month in seen)


@pytest.mark.parametrize("changed", [{"age_days": 729}, {"beyond_snapshot": True}])
def test_young_projects_and_months_beyond_the_copy_are_not_judged(tmp_path: Path, changed: dict[str, object]) -> None:
    history = backtest.load(written(tmp_path, [RUNS], months("b", 0, 40, **changed)))
    assert backtest.observations(history) == []


def test_a_lead_is_counted_from_the_alarm_that_stayed_until_the_end(tmp_path: Path) -> None:
    rows = months("a", 0, 60)
    for row in rows:
        row["commits_90"] = 0 if str(row["month"]) in {"2022-05", "2023-09", "2023-10", "2023-11", "2023-12"} else 5
        row["commits_90"] = 0 if str(row["month"]) >= "2023-09" else row["commits_90"]
    history = backtest.load(written(tmp_path, [ENDED], rows))
    lead = backtest.lead_months(history, "a", lambda row: row["commits_90"] == 0)
    assert lead == pytest.approx((datetime.date(2024, 3, 15) - datetime.date(2023, 10, 1)).days / 30.4375)
    assert backtest.lead_months(history, "a", lambda row: False) is None


def test_ties_count_half_in_the_auc() -> None:
    assert auc([1.0, 2.0], [0.0, 1.0]) == (1 + 0.5 + 1 + 1) / 4


def test_months_end_and_go_back_as_calendars_do() -> None:
    assert month_end("2023-12") == datetime.date(2024, 1, 1)
    assert months_before(datetime.date(2024, 3, 31), 1) == datetime.date(2024, 2, 29)
    assert months_before(datetime.date(2024, 1, 15), 13) == datetime.date(2022, 12, 15)


def test_missing_and_damaged_data_are_one_sentence_each(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"labels\.csv is missing"):
        backtest.load(tmp_path)
    written(tmp_path, [ENDED], months("a", 0, 3))
    whole = (tmp_path / "monthly.ndjson.gz").read_bytes()
    (tmp_path / "monthly.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceBroken, match="cannot be read"):
        backtest.load(tmp_path)
