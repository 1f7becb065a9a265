"""Probes: a failing one restarts or unreadies a container, with a kubelet's events, and backs off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.kubelet.probes import FAILING

Obj = dict[str, Any]
Make = Callable[..., Obj]
PORTS = [{"containerPort": 80, "name": "http"}]


def probed(
    a_pod: Make, *, image: str = "nginx:1.27", ports: Any = PORTS, notes: Obj | None = None, **probes: Obj
) -> Obj:
    made = a_pod("web", image=image, ports=ports, notes=notes or {})
    made["spec"]["containers"][0].update(probes)
    return made


def container(sim: Any) -> Obj:
    (found,) = sim.pod().get("status", {}).get("containerStatuses") or ({},)
    return dict(found)


def messages(sim: Any) -> list[str]:
    return [event["message"] for event in sim.cluster.list("events", "team-a")]


def note(sim: Any, value: str) -> None:
    sim.cluster.change(
        "pods", "team-a", "web", lambda obj: obj["metadata"].setdefault("annotations", {}).update({FAILING: value})
    )


@pytest.mark.parametrize(
    "probe",
    [
        {"httpGet": {"path": "/healthy", "port": "http"}},
        {"httpGet": {"path": "/", "port": 80}},
        {"tcpSocket": {"port": 80}},
        {"grpc": {"port": 80}},
        {"exec": {"command": ["cat", "/tmp/healthy"]}},
    ],
)
async def test_a_program_that_answers_lives_on(sim: Any, a_pod: Make, probe: Obj) -> None:
    sim.cluster.create("pods", probed(a_pod, livenessProbe=probe | {"periodSeconds": 5}, readinessProbe=probe))
    await sim.until(lambda: container(sim).get("ready"), within=40)
    await sim.run(60)
    assert (container(sim)["ready"], container(sim)["restartCount"]) == (True, 0)


async def test_a_port_that_nobody_listens_on_restarts_the_container(sim: Any, a_pod: Make) -> None:
    probe = {"httpGet": {"path": "/", "port": 81}, "periodSeconds": 5, "failureThreshold": 2}
    sim.cluster.create("pods", probed(a_pod, livenessProbe=probe))
    await sim.until(lambda: container(sim).get("restartCount") == 1, within=60)
    assert "Container main failed liveness probe, will be restarted" in messages(sim)
    refused = next(text for text in messages(sim) if text.startswith("Liveness probe failed: "))
    assert refused.endswith(":81: connect: connection refused")
    assert container(sim)["lastState"]["terminated"]["exitCode"] == 137


async def test_it_backs_off_when_it_is_killed_again_and_again(sim: Any, a_pod: Make) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    sim.cluster.create("pods", probed(a_pod, livenessProbe=probe))
    await sim.until(
        lambda: (container(sim).get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff", within=60
    )
    assert "Unhealthy" in sim.reasons("web")
    assert "BackOff" in sim.reasons("web")


async def test_a_wrong_path_is_seen_by_its_status(sim: Any, a_pod: Make) -> None:
    probe = {"httpGet": {"path": "/nowhere", "port": 11434}, "periodSeconds": 5}
    ports = [{"containerPort": 11434}]
    sim.cluster.create("pods", probed(a_pod, image="ollama/ollama:0.23.0", ports=ports, livenessProbe=probe))
    await sim.until(lambda: container(sim).get("restartCount") == 1, within=90)
    assert "Liveness probe failed: HTTP probe failed with statuscode: 404" in messages(sim)


async def test_readiness_comes_and_goes_without_a_restart(sim: Any, a_pod: Make) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 2}
    sim.cluster.create("pods", probed(a_pod, readinessProbe=probe))
    await sim.until(lambda: container(sim).get("ready"), within=40)
    note(sim, "readiness")
    await sim.until(lambda: not container(sim)["ready"], within=10)
    assert "Unhealthy" in sim.reasons("web")
    note(sim, "")
    await sim.until(lambda: container(sim)["ready"], within=10)
    assert container(sim)["restartCount"] == 0


async def test_a_startup_probe_holds_the_others_back(sim: Any, a_pod: Make) -> None:
    startup = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 30}
    live = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    made = probed(a_pod, notes={FAILING: "startup"}, startupProbe=startup, livenessProbe=live)
    sim.cluster.create("pods", made)
    await sim.run(25)
    assert (container(sim)["started"], container(sim)["ready"], container(sim)["restartCount"]) == (False, False, 0)
    note(sim, "")
    await sim.until(lambda: container(sim)["restartCount"] == 1, within=20)


async def test_a_start_that_takes_too_long_is_ended(sim: Any, a_pod: Make) -> None:
    startup = {"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 3}
    sim.cluster.create("pods", probed(a_pod, notes={FAILING: "startup"}, startupProbe=startup))
    await sim.until(lambda: container(sim).get("restartCount") == 1, within=40)
    assert "Container main failed startup probe, will be restarted" in messages(sim)


async def test_a_program_of_which_nothing_is_known_is_believed(sim: Any, a_pod: Make) -> None:
    probe = {"tcpSocket": {"port": 5432}, "periodSeconds": 1}
    sim.cluster.create("pods", probed(a_pod, image="postgres:17", ports=[], livenessProbe=probe, readinessProbe=probe))
    await sim.until(lambda: container(sim).get("ready"), within=40)
    await sim.run(20)
    assert container(sim)["restartCount"] == 0
