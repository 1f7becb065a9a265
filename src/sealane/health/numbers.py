"""Small estimates that say how sure they are."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: intervals here are of 95 %."""
FEWEST = 5
"""Fewer than this and a share says nothing."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, cut to [0, 1] (E. B. Wilson, 1927). `trials` must be positive."""
    share = successes / trials
    z2 = Z95 * Z95
    centre = share + z2 / (2 * trials)
    spread = Z95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    scale = 1 + z2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def ratio(part: int, whole: int, *, fewest: int = 1) -> float | None:
    """part/whole, or None where the whole is smaller than `fewest`."""
    return part / whole if whole >= fewest else None
