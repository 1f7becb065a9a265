"""What a fetch says while it goes on, so that nobody looks at a silent terminal for an hour."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of progress. `progress` is 0-1, or None where the end is not known."""

    stage: str
    sentence: str
    progress: float | None = None


Said = Callable[[Step], None]


def silent(step: Step) -> None:
    """Say nothing."""
