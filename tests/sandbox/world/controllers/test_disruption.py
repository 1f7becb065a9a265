"""Budgets count what their pods' controllers want, and evictions write themselves down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Obj = dict[str, Any]
Make = Callable[..., Obj]


def budget(name: str = "few", selector: Obj | None = None, **spec: Any) -> Obj:
    meta = {"name": name, "namespace": "team-a"}
    chosen = {"matchLabels": {"app": "web"}} if selector is None else selector
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta,
        "spec": {"selector": chosen} | spec,
    }


def status(sim: Any, name: str = "few") -> Obj:
    found: Obj = sim.cluster.get("poddisruptionbudgets", "team-a", name).get("status") or {}
    return found


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 1}, 1, 3),
        ({"minAvailable": 4}, 4, 0),
        ({"minAvailable": "50%"}, 2, 2),
        ({"minAvailable": "60%"}, 3, 1),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 0}, 4, 0),
    ],
)
async def test_how_many_may_be_missing(sim: Any, a_deployment: Make, spec: Obj, desired: int, allowed: int) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=4))
    sim.cluster.create("poddisruptionbudgets", budget(**spec))
    await sim.until(lambda: status(sim).get("currentHealthy") == 4, within=60)
    found = status(sim)
    assert (found["expectedPods"], found["desiredHealthy"], found["disruptionsAllowed"]) == (4, desired, allowed)
    (condition,) = found["conditions"]
    assert condition["type"] == "DisruptionAllowed"
    assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")
    assert condition["observedGeneration"] == 1


async def test_a_budget_for_nobody_says_so(sim: Any) -> None:
    sim.cluster.create("poddisruptionbudgets", budget(minAvailable=1))
    await sim.run(1)
    assert status(sim)["disruptionsAllowed"] == 0
    assert sim.reasons("few") == ["NoPods"]


async def test_a_percentage_needs_a_controller_behind_the_pods(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("alone", labels={"app": "web"}))
    sim.cluster.create("poddisruptionbudgets", budget(minAvailable="50%"))
    await sim.run(20)
    (condition,) = status(sim)["conditions"]
    assert (condition["reason"], condition["message"]) == ("SyncFailed", 'found no controllers for pod "alone"')
    assert "CalculateExpectedPodCountFailed" in sim.reasons("few")


async def test_a_pod_alone_is_counted_by_a_number(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("alone", labels={"app": "web"}))
    sim.cluster.create("poddisruptionbudgets", budget(minAvailable=1))
    await sim.until(lambda: status(sim).get("currentHealthy") == 1, within=60)
    assert status(sim)["disruptionsAllowed"] == 0


async def test_a_noted_eviction_counts_until_the_pod_goes_or_two_minutes_pass(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=3))
    sim.cluster.create("poddisruptionbudgets", budget(minAvailable=1))
    await sim.until(lambda: status(sim).get("disruptionsAllowed") == 2, within=60)
    name = sim.pods()[0]["metadata"]["name"]
    noted = {name: sim.clock.stamp()}

    def note(obj: Obj) -> None:
        obj["status"]["disruptedPods"] = noted

    sim.cluster.change("poddisruptionbudgets", "team-a", "few", note, subresource="status")
    await sim.until(lambda: status(sim)["disruptionsAllowed"] == 1, within=5)
    await sim.run(240)
    assert "disruptedPods" not in status(sim)
    assert status(sim)["disruptionsAllowed"] == 2
