"""What is allowed to differ: the table of docs/sandbox.md; and how two sets of answers are held against each other.

A difference is listed with its reason, or it is a fault; one that is listed and no longer there is a fault of the list.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from talks.speak import Said

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"
HEADING = "## Answers that differ"


def listed() -> dict[str, str]:
    """Reason by conversation, from the one table of the page; raises ValueError where the heading is missing."""
    _, found, rest = PAGE.read_text("utf-8").partition(HEADING + "\n")
    if not found:
        raise ValueError(f"docs/sandbox.md has no section {HEADING!r}")
    rows = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    return {name: row for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def faults(real: Mapping[str, Said], simulated: Mapping[str, Said], *, allowed: Mapping[str, str]) -> list[str]:
    """Every conversation that differs and is not listed, or is listed and does not differ, in words."""
    found = []
    for name, answer in real.items():
        other = simulated.get(name)
        if other is None:
            found.append(f"{name}: nothing was said")
        elif answer != other and name not in allowed:
            found.append(f"{name}: answered differently, and docs/sandbox.md does not say so\n{shown(answer, other)}")
        elif answer == other and name in allowed:
            found.append(f"{name}: answered alike, but docs/sandbox.md lists a difference")
    return found


def shown(real: Said, simulated: Said) -> str:
    """The difference of two answers, line by line."""
    lines = [] if real.code == simulated.code else [f"exit code {real.code} on the server, {simulated.code} here"]
    for stream in ("out", "err"):
        before, after = getattr(real, stream).splitlines(), getattr(simulated, stream).splitlines()
        lines += list(difflib.unified_diff(before, after, f"server {stream}", f"sandbox {stream}", n=0, lineterm=""))
    return "\n".join(lines)
