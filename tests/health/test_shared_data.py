"""The report against published expected values of nine real projects; skipped where that data is not there."""

from __future__ import annotations

import datetime
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from sealane.health import bots, images, report
from sealane.health.sources import archive
from sealane.health.warehouse import DuckWarehouse

DATA = Path(__file__).parents[3] / "shared" / "data" / "health"
pytestmark = pytest.mark.skipif(
    not (DATA / "expected").is_dir() or "SEALANE_CI" in os.environ,
    reason="no shared data beside the project, or CI, which tests what the project itself brings",
)
EXPECTED = sorted((DATA / "expected").glob("*__*.json"))


def differences(expected: Any, got: Any, path: str = "") -> list[str]:
    """Where two reports differ: counts, sets and None exactly, real numbers beyond 1e-9."""
    if isinstance(expected, dict):
        if set(expected) != set(got):
            return [f"{path}: keys {set(expected) ^ set(got)}"]
        return [line for key in expected for line in differences(expected[key], got[key], f"{path}/{key}")]
    if isinstance(expected, float) and isinstance(got, int | float):
        return [] if math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-12) else [f"{path}: {expected} is {got}"]
    return [] if expected == got else [f"{path}: {expected} is {got}"]


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_every_expected_value_is_reproduced(path: Path) -> None:
    expected = json.loads(path.read_text())
    events = archive.read(DATA / "archives" / path.stem)
    warehouse = DuckWarehouse()
    warehouse.replace(events, bots=bots.KNOWN.among(events.actors()))
    instants = [
        (events.project, int(datetime.datetime.fromisoformat(one["as_of"]).timestamp())) for one in expected["instants"]
    ]
    got = report.reports(warehouse, instants)
    warehouse.close()
    assert [
        line for want, have in zip(expected["instants"], got, strict=True) for line in differences(want, have)
    ] == []


def test_images_of_the_list_are_right_or_marked() -> None:
    import csv

    with (DATA / "landscape" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        found = images.resolve(row["image"])
        right = {row["repository"].lower(), *(each.lower() for each in row["also_right"].split())}
        if (found.repository or "").lower() not in right:
            wrong.append((row["image"], found.repository, found.confidence))
    assert [one for one in wrong if one[2] in {"high", "medium"}] == []
    assert len(wrong) <= 0.05 * len(rows)
