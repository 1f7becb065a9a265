"""`sealane health`: reads sources in a thread and gives reports as contracts promise."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any

from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import UsageError


async def reports(
    sources: Sequence[str], *, as_of: str | None, window: int, clock: Clock = SYSTEM
) -> list[dict[str, Any]]:
    """A report for each source, in order. Raises as `health.desk.report` does; UsageError for an instant that is none."""
    from sealane.health import desk

    now = int(clock.now().timestamp())
    when = instant(as_of)
    return [
        (await asyncio.to_thread(desk.report, source, as_of=when, window=window, now=now)).report for source in sources
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
