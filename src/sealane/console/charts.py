"""Small charts as shapes that a template can draw: numbers to rectangles, without any script."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT, LEAST = 120.0, 22.0, 0.35


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One rectangle in a box of 120 by 22."""

    x: float
    y: float
    width: float
    height: float


def bars(values: Sequence[float]) -> tuple[Bar, ...]:
    """A bar a value, the highest fills the height; a zero leaves a line, so that it is seen to be there."""
    if not values:
        return ()
    step, top = WIDTH / len(values), max(*values, 1)
    found = []
    for place, value in enumerate(values):
        height = max(LEAST, HEIGHT * value / top)
        found.append(
            Bar(
                x=round(place * step, 2),
                y=round(HEIGHT - height, 2),
                width=round(step * 0.78, 2),
                height=round(height, 2),
            )
        )
    return tuple(found)
