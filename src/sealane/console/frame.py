"""The land around every page: what the top bar and the rail say, from memory, at each render."""

from __future__ import annotations

import datetime

import msgspec

from sealane.console.rows import waits
from sealane.console.services import ClusterRow, Services


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """How old what is shown of a cluster is: `as_of` is when it was last known to be right, now while it is live."""

    cluster: str
    state: str
    age: float
    as_of: datetime.datetime
    sentence: str = ""


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
    behind: tuple[Fresh, ...]
    all_behind: bool
    now: datetime.datetime


def frame_of(services: Services, rail: str) -> Frame:
    """The frame with `rail` as the place where the reader is."""
    rows = tuple(services.clusters.rows())
    hosted = services.models.hosted()
    fresh = freshness(services)
    behind = tuple(each for each in fresh if each.age)
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
        behind=behind,
        all_behind=bool(behind) and len(behind) == len(fresh),
        now=services.clock.now(),
    )


def freshness(services: Services) -> tuple[Fresh, ...]:
    """How far each cluster's part of a page may be trusted; every page shows it and every twin carries it."""
    now = services.clock.now()
    return tuple(
        Fresh(
            cluster=row.name,
            state="behind" if row.state == "live" and row.behind else row.state,
            age=row.behind,
            as_of=now - datetime.timedelta(seconds=row.behind),
            sentence=row.behind_why or row.sentence,
        )
        for row in services.clusters.rows()
    )
