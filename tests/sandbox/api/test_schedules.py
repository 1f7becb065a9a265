"""Cron schedules: what is due next, and what the cron library says to nonsense."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import schedules

UTC = datetime.UTC


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("* * * * *", "2026-01-01T10:00:00", "2026-01-01T10:01:00"),
        ("* * * * *", "2026-01-01T10:00:30", "2026-01-01T10:01:00"),
        ("*/15 * * * *", "2026-01-01T10:46:00", "2026-01-01T11:00:00"),
        ("5/20 * * * *", "2026-01-01T10:26:00", "2026-01-01T10:45:00"),
        ("0 3 * * *", "2026-01-01T03:00:00", "2026-01-02T03:00:00"),
        ("0 3 31 * *", "2026-02-01T00:00:00", "2026-03-31T03:00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("30 8 * * mon-fri", "2026-01-02T09:00:00", "2026-01-05T08:30:00"),
        ("0 0 13 * fri", "2026-01-01T12:00:00", "2026-01-02T00:00:00"),  # either day is enough
        ("0 0 * feb,jun *", "2026-03-01T00:00:00", "2026-06-01T00:00:00"),
        ("@hourly", "2026-01-01T10:20:00", "2026-01-01T11:00:00"),
        ("@weekly", "2026-01-01T10:20:00", "2026-01-04T00:00:00"),
        ("@every 1h30m", "2026-01-01T10:20:00", "2026-01-01T11:50:00"),
    ],
)
def test_the_next_due_moment_follows_the_fields(schedule: str, now: str, due: str) -> None:
    assert schedules.read(schedule).after(at(now)) == at(due)


def test_a_day_that_never_comes_is_none() -> None:
    assert schedules.read("0 0 31 2 *").after(at("2026-01-01T00:00:00")) is None


def test_a_zone_moves_the_hour() -> None:
    berlin = schedules.zone("Europe/Berlin")
    due = schedules.read("0 3 * * *").after(at("2026-07-01T00:30:00").astimezone(berlin))
    assert due is not None
    assert due.astimezone(UTC) == at("2026-07-01T01:00:00")
    assert schedules.zone("Mars/Olympus") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty spec string"),
        ("0 3 1", "expected exactly 5 fields, found 3: [0 3 1]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("30-10 * * * *", "beginning of range (30) beyond end of range (10): 30-10"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("0 0 1 foo *", 'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every often", 'failed to parse duration @every often: time: invalid duration "often"'),
    ],
)
def test_nonsense_is_told_in_the_librarys_words(text: str, why: str) -> None:
    with pytest.raises(schedules.BadSchedule) as caught:
        schedules.read(text)
    assert str(caught.value) == why


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    day=st.integers(1, 28),
    now=st.datetimes(min_value=datetime.datetime(2026, 1, 1), max_value=datetime.datetime(2030, 1, 1)),
)
def test_what_is_due_lies_ahead_and_fits(minute: int, hour: int, day: int, now: datetime.datetime) -> None:
    moment = now.replace(tzinfo=UTC)
    due = schedules.read(f"{minute} {hour} {day} * *").after(moment)
    assert due is not None
    assert due > moment
    assert (due.minute, due.hour, due.day) == (minute, hour, day)
    assert due - moment <= datetime.timedelta(days=32)
