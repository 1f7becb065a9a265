"""What the health pages ask: what runs and what it rests on, and everything that is known of one project.

Values ready to be shown, from `sealane.health`; nothing here counts or judges. Figures keep their source and their day,
because one project was fetched yesterday and another ships with counts of August.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealane.health.lifecycle import RowFact, State
from sealane.health.risk import Risk
from sealane.health.signal import Signal
from sealane.lib.errors import SealaneError


class NoSuchProject(SealaneError):
    """Nothing is known of a project under that name."""

    code = "health-unknown-project"
    http_status = 404


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of people in one calendar month; `month` such as 2026-07. `pulls` None where they are not known."""

    month: str
    commits: int
    authors: int
    pulls: int | None
    bot_commits: int


class YearCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A year's counts beside the year before; None where the source cannot know."""

    label: str
    now: int | None
    before: int | None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project: verdict, what it rests on, counts, and where they come from. `rests` is what runs on it here."""

    repository: str
    url: str
    state: State
    rule: str
    sentence: str
    also: tuple[State, ...]
    rows: tuple[RowFact, ...]
    flips: tuple[str, ...]
    signal: Signal | None
    as_of: str
    source: str
    notes: tuple[str, ...]
    method: str
    years: tuple[YearCounts, ...]
    half_by: int | None
    months: tuple[Month, ...]
    rests: tuple[str, ...] = ()
    copies: int = 0
    gpus: float = 0.0


class Health(Protocol):
    """Project health as the console sees it."""

    def risks(self) -> Sequence[Risk]:
        """What runs, by the projects it rests on, worst first. From memory."""

    def silent(self) -> Sequence[str]:
        """A sentence for each cluster whose workloads are not, or not all, in `risks`."""

    def watched(self) -> Sequence[Project]:
        """Every project that is known here, worst first, whether anything runs on it or not."""

    def project(self, repository: str) -> Project:
        """Everything about one project. Raises NoSuchProject with the nearest names."""
