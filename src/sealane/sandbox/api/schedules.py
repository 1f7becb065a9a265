"""Cron schedules as CronJobs have them: five fields or a word such as `@hourly`, read and asked for the next moment.

Grammar and complaints are those of the cron library inside the real controller, since validation repeats its sentences.
Days match as in every cron: when day of month and day of week are both restricted, either is enough.
"""

from __future__ import annotations

import calendar
import datetime
import re
import zoneinfo
from typing import Final

import msgspec

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: Final[tuple[tuple[int, int, dict[str, int]], ...]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_WORDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = "@every "
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_YEARS_AHEAD: Final = 5


class BadSchedule(ValueError):
    """The text is no schedule; the message is the cron library's."""


class Schedule(msgspec.Struct, frozen=True):
    """When something is due: minutes, hours, days, months, weekdays, or `every` so many seconds."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    any_weekday: bool = True
    every: int = 0

    def after(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The first due moment later than an aware `moment`, in its time zone; None within five years."""
        if self.every:
            return moment.replace(microsecond=0) + datetime.timedelta(seconds=self.every)
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in range(366 * _YEARS_AHEAD):
            date = (day + datetime.timedelta(days=ahead)).date()
            if not self._on(date):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    due = datetime.datetime(date.year, date.month, date.day, hour, minute, tzinfo=moment.tzinfo)
                    if due > moment:
                        return due
        return None

    def _on(self, date: datetime.date) -> bool:
        if date.month not in self.months:
            return False
        by_day, by_weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        return by_day and by_weekday if self.any_day or self.any_weekday else by_day or by_weekday


def read(text: str) -> Schedule:
    """Raises BadSchedule."""
    if not text:
        raise BadSchedule("empty spec string")
    if text.startswith("@"):
        return _word(text)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise BadSchedule(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    minutes, hours, days, months, weekdays = (
        _field(part, *bounds) for part, bounds in zip(parts, _FIELDS, strict=True)
    )
    return Schedule(minutes, hours, days, months, weekdays, any_day=_is_any(parts[2]), any_weekday=_is_any(parts[4]))


def zone(name: str) -> datetime.tzinfo | None:
    """The time zone of that name (UTC for none), None for one that there is not."""
    if not name:
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _is_any(part: str) -> bool:
    return part[0] in "*?"


def _word(text: str) -> Schedule:
    if text in _WORDS:
        return read(_WORDS[text])
    if not text.startswith(_EVERY):
        raise BadSchedule(f"unrecognized descriptor: {text}")
    span = text.removeprefix(_EVERY)
    found = _SPAN.findall(span)
    if not found or "".join(number + unit for number, unit in found) != span:
        raise BadSchedule(f'failed to parse duration {text}: time: invalid duration "{span}"')
    seconds = sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in found)
    return Schedule(every=max(1, int(seconds)))


def _field(text: str, least: int, most: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        found |= _range(part, least, most, names)
    return frozenset(found)


def _range(text: str, least: int, most: int, names: dict[str, int]) -> set[int]:
    span, *steps = text.split("/")
    bounds = span.split("-")
    if bounds[0] in {"*", "?"}:
        start, end = least, most
    else:
        start = end = _number(bounds[0], names)
        if len(bounds) == 2:
            end = _number(bounds[1], names)
        elif len(bounds) > 2:
            raise BadSchedule(f"too many hyphens: {text}")
    step = 1
    if len(steps) > 1:
        raise BadSchedule(f"too many slashes: {text}")
    if steps:
        step = _number(steps[0], {})
        end = most if len(bounds) == 1 and bounds[0] not in {"*", "?"} else end
    if start < least:
        raise BadSchedule(f"beginning of range ({start}) below minimum ({least}): {text}")
    if end > most:
        raise BadSchedule(f"end of range ({end}) above maximum ({most}): {text}")
    if start > end:
        raise BadSchedule(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise BadSchedule(f"step of range should be a positive number: {text}")
    return set(range(start, end + 1, step))


def _number(text: str, names: dict[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise BadSchedule(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise BadSchedule(f"negative number ({number}) not allowed: {text}")
    return number
