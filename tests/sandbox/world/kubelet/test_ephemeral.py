"""Ephemeral containers: added to a running pod, run once, and gone with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
Make = Callable[..., Obj]


def add(sim: Any, command: str) -> None:
    container = {"name": "look", "image": "busybox:1", "command": ["sh", "-c", command]}

    def change(obj: Obj) -> None:
        obj["spec"]["ephemeralContainers"] = [container]

    sim.cluster.change("pods", "team-a", "web", change, subresource="ephemeralcontainers")


def look(sim: Any) -> Obj:
    (found,) = sim.pod()["status"].get("ephemeralContainerStatuses") or ({},)
    return dict(found)


async def test_it_runs_beside_the_others_and_ends_once(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("web"))
    await sim.until(lambda: sim.pod().get("status", {}).get("phase") == "Running", within=40)
    add(sim, "sleep 10")
    await sim.until(lambda: "running" in look(sim).get("state", {}), within=20)
    assert sim.pod()["status"]["phase"] == "Running"
    await sim.until(lambda: "terminated" in look(sim)["state"], within=20)
    await sim.run(30)
    assert (look(sim)["state"]["terminated"]["exitCode"], look(sim)["restartCount"]) == (0, 0)
    assert sim.pod()["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_it_goes_with_its_pod(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("web"))
    await sim.until(lambda: sim.pod().get("status", {}).get("phase") == "Running", within=40)
    add(sim, "sleep 1000")
    await sim.until(lambda: "running" in look(sim).get("state", {}), within=20)
    sim.cluster.delete("pods", sim.pod())
    await sim.until(lambda: not sim.pods(), within=60)
    assert not sim.world.kubelet.runs
