"""Old events go; what happens again afterwards is written anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
Make = Callable[..., Obj]


async def test_events_are_forgotten_after_an_hour_and_may_come_back(sim: Any, a_pod: Make) -> None:
    pod = sim.cluster.create("pods", a_pod("x", schedulerName="nobody"))
    sim.cluster.event(pod, "Old", "words", component="test")
    await sim.run(1_800)
    sim.cluster.event(pod, "Young", "words", component="test")
    await sim.run(1_900)
    assert sim.reasons("x") == ["Young"]
    sim.cluster.event(pod, "Old", "words", component="test")
    assert sorted(sim.reasons("x")) == ["Old", "Young"]


async def test_an_event_that_is_seen_again_stays(sim: Any, a_pod: Make) -> None:
    pod = sim.cluster.create("pods", a_pod("x", schedulerName="nobody"))
    for _ in range(4):
        sim.cluster.event(pod, "Again", "words", component="test")
        await sim.run(1_500)
    (event,) = [item for item in sim.cluster.list("events", "team-a") if item["reason"] == "Again"]
    assert event["count"] == 4
