"""Pods as people watch them: pulling, initialising, running, crashing, missing things, ending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world import objects

Obj = dict[str, Any]
Make = Callable[..., Obj]


def state(pod: Obj, *, init: bool = False) -> Obj:
    entry = pod["status"]["initContainerStatuses" if init else "containerStatuses"][0]
    found: Obj = entry["state"]
    return found


def waiting(pod: Obj, *, init: bool = False) -> str:
    return str(state(pod, init=init).get("waiting", {}).get("reason", ""))


async def test_the_first_pull_on_a_node_takes_time_and_the_second_none(sim: Any, a_pod: Make) -> None:
    pinned = {"nodeSelector": {"kubernetes.io/hostname": "plain"}}
    sim.cluster.create("pods", a_pod("x", image="ollama/ollama:0.23.0", **pinned))
    took = await sim.until(lambda: objects.ready(sim.pod()), within=30)
    assert 6.5 < took < 11
    assert sim.reasons("x") == ["Scheduled", "Pulling", "Pulled", "Created", "Started"]
    sim.cluster.create("pods", a_pod("y", image="ollama/ollama:0.23.0", **pinned))
    took = await sim.until(lambda: objects.ready(sim.cluster.get("pods", "team-a", "y")), within=30)
    assert took < 3
    assert "Pulling" not in sim.reasons("y")


async def test_two_pods_wait_for_one_pull(sim: Any, a_pod: Make) -> None:
    for name in ("x", "y"):
        sim.cluster.create("pods", a_pod(name, nodeSelector={"kubernetes.io/hostname": "plain"}, image="big/one:1"))
    await sim.run(10)
    pulls = [item for item in sim.cluster.list("events", "team-a") if item["reason"] == "Pulling"]
    assert len(pulls) == 1


async def test_an_image_that_is_not_there_ends_in_image_pull_backoff(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", image="team/does-not-exist:1"))
    await sim.until(lambda: "status" in sim.pod() and waiting(sim.pod()) == "ErrImagePull", within=10, step=0.2)
    assert "docker.io/team/does-not-exist:1: not found" in state(sim.pod())["waiting"]["message"]
    await sim.until(lambda: waiting(sim.pod()) == "ImagePullBackOff", within=10)
    assert sim.pod()["status"]["phase"] == "Pending"
    assert {"Failed", "BackOff", "Pulling"} <= set(sim.reasons("x"))


async def test_init_containers_run_in_order_before_the_main_one(sim: Any, a_pod: Make) -> None:
    pod = a_pod("x")
    pod["spec"]["initContainers"] = [
        {"name": name, "image": "busybox:1", "command": ["sh", "-c", "sleep 2"]} for name in ("one", "two")
    ]
    sim.cluster.create("pods", pod)
    await sim.until(lambda: objects.ready(sim.pod()), within=30)
    one, two = sim.pod()["status"]["initContainerStatuses"]
    assert one["state"]["terminated"]["finishedAt"] <= two["state"]["terminated"]["startedAt"]
    main = sim.pod()["status"]["containerStatuses"][0]
    assert two["state"]["terminated"]["finishedAt"] <= main["state"]["running"]["startedAt"]


async def test_a_crash_loop_counts_its_restarts_and_keeps_the_last_log(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", command=["sh", "-c", "echo no luck; exit 7"]))
    await sim.until(lambda: "status" in sim.pod() and waiting(sim.pod()) == "CrashLoopBackOff", within=40)
    entry = sim.pod()["status"]["containerStatuses"][0]
    assert entry["restartCount"] == 1
    assert entry["lastState"]["terminated"]["exitCode"] == 7
    assert entry["state"]["waiting"]["message"].startswith(
        "back-off 10s restarting failed container=main pod=x_team-a("
    )
    backend = sim.world.backend
    options: Obj = {"follow": False, "tail_lines": None, "timestamps": False, "since_seconds": None}
    for previous in (False, True):
        lines = [line async for line in backend.logs(sim.pod(), container="", previous=previous, **options)]
        assert lines[-1] == b"no luck\n"


async def test_a_missing_secret_is_a_configuration_error_until_it_is_there(sim: Any, a_pod: Make) -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]
    sim.cluster.create("pods", a_pod("x", env=env))
    await sim.until(lambda: "status" in sim.pod() and waiting(sim.pod()) == "CreateContainerConfigError", within=10)
    assert state(sim.pod())["waiting"]["message"] == 'secret "key" not found'
    meta = {"name": "key", "namespace": "team-a"}
    sim.cluster.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"k": "eA=="}})
    await sim.until(lambda: objects.ready(sim.pod()), within=10)


async def test_a_volume_of_a_missing_secret_holds_the_pod_with_an_event(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", volumes=[{"name": "s", "secret": {"secretName": "ghost"}}]))
    await sim.run(5)
    assert waiting(sim.pod()) == "ContainerCreating"
    events = [item["message"] for item in sim.cluster.list("events", "team-a") if item["reason"] == "FailedMount"]
    assert events == ['MountVolume.SetUp failed for volume "s" : secret "ghost" not found']


async def test_readiness_waits_for_its_probe(sim: Any, a_pod: Make) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 20}
    ports = [{"containerPort": 80}]
    sim.cluster.create("pods", a_pod("x", readinessProbe=probe, ports=ports))
    await sim.until(lambda: sim.pod().get("status", {}).get("phase") == "Running", within=15)
    assert not objects.ready(sim.pod())
    took = await sim.until(lambda: objects.ready(sim.pod()), within=40)
    assert took > 15


async def test_deletion_is_graceful_and_serves_during_the_pre_stop_pause(sim: Any, a_pod: Make) -> None:
    pod = a_pod("x", ports=[{"containerPort": 80}])
    pod["spec"]["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    sim.cluster.create("pods", pod)
    await sim.until(lambda: objects.ready(sim.pod()), within=15)
    running = sim.pod()
    sim.cluster.delete("pods", running)
    await sim.run(3)
    assert objects.deleting(sim.pod())
    status, _ = await sim.ask(sim.world.backend.proxy(running, 80), "GET", "/")
    assert status == 200
    took = await sim.until(lambda: not sim.pods(), within=10)
    assert 1.5 < took < 4
    assert "Killing" in sim.reasons("x")
    assert sim.world.kubelet.runs == {} or running["metadata"]["uid"] not in sim.world.kubelet.runs


async def test_a_forced_deletion_takes_the_pod_at_once(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x"))
    await sim.run(10)
    uid = sim.pod()["metadata"]["uid"]
    sim.cluster.delete("pods", sim.pod(), grace_seconds=0)
    assert sim.pods() == []
    await sim.run(1)
    assert uid not in sim.world.kubelet.runs


async def test_every_pod_has_an_address_of_its_own(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=6))
    await sim.run(15)
    addresses = [pod["status"]["podIP"] for pod in sim.pods()]
    assert len(set(addresses)) == 6
    assert all(address.startswith("10.9.3.") for address in addresses)


async def test_a_fault_of_the_simulation_looks_like_a_crash_and_is_logged(sim: Any, a_pod: Make, caplog: Any) -> None:
    sim.cluster.create("pods", a_pod("x", notes={"sandbox.sealane.dev/runs-for": "soon"}))
    await sim.until(lambda: "status" in sim.pod() and waiting(sim.pod()) == "CrashLoopBackOff", within=40)
    assert sim.pod()["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    assert "a simulated program failed" in caplog.text
