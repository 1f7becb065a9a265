"""Phase and conditions from the states of containers."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from sealane.sandbox.world import objects
from sealane.sandbox.world.kubelet import status
from sealane.sandbox.world.kubelet.containers import Container

Obj = dict[str, Any]
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def container(name: str, state: str, *, init: bool = False) -> Container:
    made = Container({"name": name, "image": "nginx:1"}, init=init)
    if state != "waiting":
        made.start(NOW)
    if state in {"ok", "failed"}:
        made.end(NOW, code=0 if state == "ok" else 1)
    made.ready = state == "ready"
    return made


def phase(*states: str, init: tuple[str, ...] = (), restart: str = "Always", backing: tuple[str, ...] = ()) -> str:
    containers = [container(f"i{n}", state, init=True) for n, state in enumerate(init)]
    containers += [container(f"c{n}", state) for n, state in enumerate(states)]
    return status.phase(containers, restart=restart, backing_off=frozenset(backing))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (phase("waiting"), "Pending"),
        (phase("running"), "Running"),
        (phase("waiting", init=("running",)), "Pending"),
        (phase("waiting", init=("failed",)), "Pending"),
        (phase("waiting", init=("failed",), restart="Never"), "Failed"),
        (phase("failed"), "Running"),
        (phase("failed", restart="Never"), "Failed"),
        (phase("ok", restart="Never"), "Succeeded"),
        (phase("ok", "running", restart="Never"), "Running"),
        (phase("failed", restart="OnFailure"), "Running"),
        (phase("ok", restart="OnFailure"), "Succeeded"),
    ],
)
def test_the_phase_follows_the_containers(found: str, expected: str) -> None:
    assert found == expected


def written(*containers: Container, backing: tuple[str, ...] = (), **spec: Any) -> Obj:
    pod: Obj = {"metadata": {}, "spec": {"containers": [], **spec}}
    status.write(
        pod, containers=containers, backing_off=frozenset(backing), ip="10.0.0.5", host_ip="10.0.0.1", now="now"
    )  # fmt: skip
    return pod


def test_readiness_and_initialisation_are_told_apart() -> None:
    pod = written(container("pull", "running", init=True), container("main", "waiting"))
    initialized = objects.condition(pod, "Initialized")
    assert initialized is not None
    assert initialized["message"] == "containers with incomplete status: [pull]"
    assert objects.condition(pod, "Ready")["message"] == "containers with unready status: [main]"  # type: ignore[index]
    assert pod["status"]["initContainerStatuses"][0]["state"]["running"]
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert pod["status"]["podIPs"] == [{"ip": "10.0.0.5"}]


def test_a_ready_pod_has_all_conditions_true() -> None:
    pod = written(container("main", "ready"))
    assert {item["type"]: item["status"] for item in pod["status"]["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
    }


def test_backing_off_shows_the_wait_and_what_happened_before() -> None:
    crashed = container("main", "failed")
    crashed.hold("CrashLoopBackOff", "back-off 10s")
    entry = written(crashed, backing=("main",))["status"]["containerStatuses"][0]
    assert entry["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert entry["lastState"]["terminated"]["exitCode"] == 1


def test_the_backoff_doubles_from_ten_seconds_to_five_minutes() -> None:
    crashed = container("main", "failed")
    waits = []
    for _ in range(8):
        waits.append(crashed.back_off())
        crashed.start(NOW)
        crashed.end(NOW, code=1)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
    assert crashed.restarts == 8


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}, "Burstable"),
        ({"limits": {"nvidia.com/gpu": "1"}}, "BestEffort"),
    ],
)
def test_the_quality_of_service_follows_requests_and_limits(resources: Obj, quality: str) -> None:
    pod = written(container("main", "ready"), containers=[{"name": "main", "resources": resources}])
    assert pod["status"]["qosClass"] == quality
