"""Words and numbers as people read them: the same rounding and units in UI, CLI and JSON sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")


def binary_bytes(amount: float) -> str:
    """Memory: `7193772032` → `6.7 GiB`; whole numbers below a KiB."""
    return _scaled(amount, 1024.0, _BINARY)


def decimal_bytes(amount: float) -> str:
    """Downloads and files, as registries count them: `4683075271` → `4.7 GB`."""
    return _scaled(amount, 1000.0, _DECIMAL)


def _scaled(amount: float, base: float, units: tuple[str, ...]) -> str:
    size = float(amount)
    for unit in units[:-1]:
        if abs(size) < base:
            return f"{size:.0f} {unit}" if unit == units[0] or abs(size) >= 100 else f"{size:.1f} {unit}"
        size /= base
    return f"{size:.1f} {units[-1]}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `2 h`, `5 d`: the largest unit that says enough."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 copy`, `3 copies`; thousands are set apart."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def amount(number: float, one: str, many: str | None = None) -> str:
    """`1 GPU`, `0.25 GPUs`, `8 GPUs`: for what comes in parts; as few digits as say it."""
    return f"{number:g} {one if number == 1 else many or one + 's'}"


def listing(names: Iterable[str], *, word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(names)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def nearest(wanted: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known names that someone who typed `wanted` most likely meant, best first."""
    pool = list(dict.fromkeys(known))
    lowered = {name.lower(): name for name in pool}
    close = difflib.get_close_matches(wanted.lower(), list(lowered), n=limit, cutoff=0.5)
    found = [lowered[name] for name in close]
    found += [name for name in pool if wanted.lower() in name.lower() and name not in found]
    return found[:limit]
