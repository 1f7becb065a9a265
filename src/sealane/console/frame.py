"""The land around every page: what the top bar and the rail say, from memory, at each render."""

from __future__ import annotations

import datetime

import msgspec

from sealane.console.rows import waits
from sealane.console.services import ClusterRow, Services


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Counts are words ready to stand in the rail; "" leaves the place empty."""

    rail: str
    sandbox: bool
    version: str
    scope: str
    clusters: tuple[ClusterRow, ...]
    unreachable: tuple[ClusterRow, ...]
    models: str
    waiting: int
    trouble: str
    now: datetime.datetime


def frame_of(services: Services, rail: str) -> Frame:
    """The frame with `rail` as the place where the reader is."""
    rows = tuple(services.clusters.rows())
    hosted = services.models.hosted()
    away = tuple(row for row in rows if row.state not in {"live", "connecting"})
    return Frame(
        rail=rail,
        sandbox=services.settings.sandbox,
        version=services.settings.version,
        scope=rows[0].name if len(rows) == 1 else f"{len(rows)} clusters",
        clusters=rows,
        unreachable=away,
        models=str(len(hosted)) if hosted else "",
        waiting=sum(1 for model in hosted if waits(model)),
        trouble=f"{len(away)} away" if away else "",
        now=services.clock.now(),
    )
