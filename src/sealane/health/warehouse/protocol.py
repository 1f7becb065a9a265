"""What a warehouse must be able to do, so that metrics do not know which engine computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from sealane.health.events import Events

Row = dict[str, Any]
BEGINNING = -(2**62)
"""Before every event: the start of the window "all"."""
DAY = 86400


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """One project at one instant through one window: [as_of - days, as_of), all history for days 0."""

    project: str
    as_of: int
    days: int

    @property
    def name(self) -> str:
        """The window's name in reports: "30", "90", "365" or "all"."""
        return str(self.days) if self.days else "all"

    def row(self) -> Row:
        """As the table `scope`: `span` says which evidence decides who is core in this window."""
        since = self.as_of - self.days * DAY if self.days else BEGINNING
        span = 365 if self.days else 0
        return {"project": self.project, "as_of": self.as_of, "win": self.name, "since": since, "span": span}


class Warehouse(Protocol):
    """Holds the events of many projects. Not for several tasks at once: one caller at a time."""

    def replace(self, events: Events, *, bots: Mapping[str, str]) -> None:
        """Take a project's events in place of what was there; `bots` maps its programs to the reason."""

    def projects(self) -> Sequence[str]:
        """The projects that are here, in order."""

    def look(self, scopes: Iterable[Scope]) -> None:
        """Say what the next metrics are about, and compute who is core in it."""

    def metric(self, name: str) -> list[Row]:
        """The rows of `metrics/NAME.sql` for the scopes last looked at."""

    def close(self) -> None:
        """Give back memory and files."""
