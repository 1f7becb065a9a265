"""Every page says how old its parts are, and its twin says the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sealane.console.frame import frame_of, freshness
from tests.console import fakes


def behind(**seconds: float) -> Any:
    services = fakes.build()
    services.clusters.items = [
        msgspec.structs.replace(row, behind=seconds.get(row.name.replace("-", "_"), 0.0), behind_why="It is mended.")
        for row in services.clusters.items
    ]
    return services


def test_a_cluster_whose_watches_broke_is_behind_by_its_age() -> None:
    services = behind(harbor_eu=42.0)
    found = {each.cluster: each for each in freshness(services)}
    assert (found["harbor-eu"].state, found["harbor-eu"].age) == ("behind", 42.0)
    assert (services.clock.now() - found["harbor-eu"].as_of).total_seconds() == pytest.approx(42.0, abs=1)
    assert (found["bench"].state, found["bench"].age) == ("live", 0.0)
    assert found["atlas-us"].state == "unreachable"


def test_the_frame_is_old_as_a_whole_only_when_all_of_it_is() -> None:
    assert not frame_of(behind(harbor_eu=3.0), "home").all_behind
    assert frame_of(behind(harbor_eu=3.0, atlas_us=9.0, bench=1.0), "home").all_behind
    assert not frame_of(fakes.build(), "home").all_behind
