"""`sealane health`: reads sources in a thread and gives reports as contracts promise; fetching is in `fetching`."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import SealaneError, UsageError

if TYPE_CHECKING:
    from sealane.health.images import Resolved
    from sealane.health.risk import Risk


async def reports(
    sources: Sequence[str], *, as_of: str | None, window: int, data_dir: Path | None = None, clock: Clock = SYSTEM
) -> list[dict[str, Any]]:
    """A report for each source, in order. Raises as `health.desk.report` does, and UsageError for no instant."""
    from sealane.health import desk
    from sealane.runtime import datadir

    where = (data_dir or datadir.default_path()).expanduser()
    now = int(clock.now().timestamp())
    when = instant(as_of)
    return [
        (await asyncio.to_thread(desk.report, source, as_of=when, window=window, now=now, data_dir=where)).report
        for source in sources
    ]


def instant(typed: str | None) -> int | None:
    """Seconds since 1970 of a day or an instant; without a zone UTC is meant."""
    if typed is None:
        return None
    try:
        parsed = datetime.datetime.fromisoformat(typed.strip().replace("Z", "+00:00"))
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{typed[:60]!r} is no instant; write it like 2026-04-16 or 2026-04-16T00:00:00Z.") from error


def images(names: Sequence[str]) -> list[Resolved]:
    """The repository behind each image, with confidence and evidence."""
    from sealane.health import images as known

    return [known.resolve(name) for name in names]


async def risks(*, data_dir: Path | None, clusters: str | None, cluster: str) -> tuple[list[Risk], list[str]]:
    """What runs and what it rests on, worst first; and the sentence of each cluster that could not be read."""
    from sealane.health import risk, running, verdicts
    from sealane.kube import resources
    from sealane.runtime import datadir, session

    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        wanted = [fleet.cluster(cluster)] if cluster else list(fleet.clusters.values())
        problems: list[str] = []
        workloads = []
        for each in wanted:
            try:
                await each.synced(resources.PODS)
            except SealaneError as error:
                problems.append(error.sentence)
                continue
            if each.freshness(resources.PODS).state == "forbidden":
                problems.append(each.freshness(resources.PODS).sentence)
            workloads += running.of_cluster(each)
    return risk.risks(workloads, verdicts.Verdicts((data_dir or datadir.default_path()).expanduser()).known), problems
