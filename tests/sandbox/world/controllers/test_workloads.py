"""StatefulSets in order, DaemonSets everywhere, Jobs to the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world import objects

Obj = dict[str, Any]
Make = Callable[..., Obj]


def workload(pod: Obj, kind: str, **spec: Any) -> Obj:
    name = pod["metadata"]["name"]
    template = {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    body = {"template": template, **spec}
    if kind != "Job":
        body["selector"] = {"matchLabels": {"app": name}}
    meta = {"name": name, "namespace": "team-a"}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": body}


async def test_a_stateful_set_starts_one_pod_after_the_other(sim: Any, a_pod: Make) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}  # type: ignore[index]
    sim.cluster.create("statefulsets", workload(a_pod("db"), "StatefulSet", replicas=3, volumeClaimTemplates=[claim]))
    order: list[str] = []

    def all_ready() -> bool:
        for pod in sim.pods():
            name = pod["metadata"]["name"]
            if name not in order:
                assert all(objects.ready(other) for other in sim.pods() if other["metadata"]["name"] != name)
                order.append(name)
        return len(order) == 3 and all(objects.ready(pod) for pod in sim.pods())

    await sim.until(all_ready, within=60, step=0.1)
    assert order == ["db-0", "db-1", "db-2"]
    claims = sim.cluster.list("persistentvolumeclaims", "team-a")
    assert [item["metadata"]["name"] for item in claims] == ["data-db-0", "data-db-1", "data-db-2"]
    assert {item["status"]["phase"] for item in claims} == {"Bound"}
    assert sim.cluster.get("statefulsets", "team-a", "db")["status"]["readyReplicas"] == 3


async def test_a_stateful_set_shrinks_from_the_end_and_keeps_its_claims(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("statefulsets", workload(a_pod("db"), "StatefulSet", replicas=2))
    await sim.run(20)
    sim.cluster.change("statefulsets", "team-a", "db", lambda obj: obj["spec"].update(replicas=1))
    await sim.until(lambda: len(sim.pods()) == 1, within=20)
    assert sim.pod()["metadata"]["name"] == "db-0"


async def test_a_daemon_set_has_one_pod_on_each_node(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("daemonsets", workload(a_pod("agent"), "DaemonSet"))
    await sim.run(15)
    assert sorted(pod["spec"]["nodeName"] for pod in sim.pods()) == ["gpu-a", "gpu-b", "plain"]
    status = sim.cluster.get("daemonsets", "team-a", "agent")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (3, 3)


async def test_a_daemon_set_obeys_its_node_selector(sim: Any, a_pod: Make) -> None:
    pod = a_pod("agent", nodeSelector={"nvidia.com/gpu.present": "true"})
    sim.cluster.create("daemonsets", workload(pod, "DaemonSet"))
    await sim.run(15)
    assert sorted(pod["spec"]["nodeName"] for pod in sim.pods()) == ["gpu-a", "gpu-b"]


async def test_a_job_runs_its_completions_in_parallel_and_completes(sim: Any, a_pod: Make) -> None:
    pod = a_pod("batch", command=["sh", "-c", "sleep 10"], restartPolicy="Never", image="busybox:1")
    sim.cluster.create("jobs", workload(pod, "Job", parallelism=2, completions=4))
    most = 0

    def complete() -> bool:
        nonlocal most
        most = max(most, sum(objects.active(pod) for pod in sim.pods()))
        return objects.condition(sim.cluster.get("jobs", "team-a", "batch"), "Complete") is not None

    await sim.until(complete, within=90)
    status = sim.cluster.get("jobs", "team-a", "batch")["status"]
    assert most == 2
    assert status["succeeded"] == 4
    assert "active" not in status
    assert {pod["status"]["phase"] for pod in sim.pods()} == {"Succeeded"}


async def test_a_job_gives_up_after_its_backoff_limit(sim: Any, a_pod: Make) -> None:
    pod = a_pod("batch", command=["sh", "-c", "exit 3"], restartPolicy="Never", image="busybox:1")
    sim.cluster.create("jobs", workload(pod, "Job", backoffLimit=2))
    await sim.until(lambda: objects.condition(sim.cluster.get("jobs", "team-a", "batch"), "Failed"), within=90)
    job = sim.cluster.get("jobs", "team-a", "batch")
    assert objects.condition(job, "Failed")["reason"] == "BackoffLimitExceeded"
    assert job["status"]["failed"] == 3
    assert sim.pods()[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


async def test_a_suspended_job_runs_nothing(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("jobs", workload(a_pod("batch", restartPolicy="Never"), "Job", suspend=True))
    await sim.run(5)
    assert sim.pods() == []


def revisions(sim: Any) -> list[tuple[int, str]]:
    """Number and image of the revisions, oldest first."""
    found = sim.cluster.list("controllerrevisions", "team-a")
    made = [(item["revision"], item["data"]["spec"]["template"]["spec"]["containers"][0]["image"]) for item in found]
    return sorted(made)


def set_image(sim: Any, plural: str, name: str, image: str) -> None:
    def change(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    sim.cluster.change(plural, "team-a", name, change)


def a_set(a_deployment: Make, **spec: Any) -> Obj:
    made = a_deployment("db", replicas=3)
    made["kind"] = "StatefulSet"
    made["spec"] |= {"serviceName": "db"} | spec
    return made


def images(sim: Any) -> list[str]:
    return [
        pod["spec"]["containers"][0]["image"] for pod in sim.pods() if pod.get("status", {}).get("phase") == "Running"
    ]


async def test_an_update_goes_from_the_highest_number_down_and_keeps_its_revisions(
    sim: Any, a_deployment: Make
) -> None:
    sim.cluster.create("statefulsets", a_set(a_deployment))
    await sim.until(lambda: images(sim) == ["nginx:1.27"] * 3, within=120)
    set_image(sim, "statefulsets", "db", "nginx:1.28")
    await sim.until(lambda: images(sim) == ["nginx:1.27", "nginx:1.27", "nginx:1.28"], within=60)
    status = sim.cluster.get("statefulsets", "team-a", "db")["status"]
    assert status["currentRevision"] != status["updateRevision"]
    await sim.until(lambda: images(sim) == ["nginx:1.28"] * 3, within=120)
    await sim.run(3)
    status = sim.cluster.get("statefulsets", "team-a", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert revisions(sim) == [(1, "nginx:1.27"), (2, "nginx:1.28")]
    set_image(sim, "statefulsets", "db", "nginx:1.27")
    await sim.run(2)
    assert revisions(sim) == [(2, "nginx:1.28"), (3, "nginx:1.27")]


async def test_pods_below_the_partition_stay(sim: Any, a_deployment: Make) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    sim.cluster.create("statefulsets", a_set(a_deployment, updateStrategy=rolling))
    await sim.until(lambda: len(images(sim)) == 3, within=120)
    set_image(sim, "statefulsets", "db", "nginx:1.28")
    await sim.run(60)
    assert images(sim) == ["nginx:1.27", "nginx:1.27", "nginx:1.28"]


async def test_on_delete_waits_for_the_deletion(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("statefulsets", a_set(a_deployment, updateStrategy={"type": "OnDelete"}))
    await sim.until(lambda: len(images(sim)) == 3, within=120)
    set_image(sim, "statefulsets", "db", "nginx:1.28")
    await sim.run(30)
    assert images(sim) == ["nginx:1.27"] * 3
    sim.cluster.delete("pods", sim.cluster.get("pods", "team-a", "db-1"))
    await sim.until(lambda: images(sim) == ["nginx:1.27", "nginx:1.28", "nginx:1.27"], within=60)


async def test_old_revisions_go_beyond_the_limit(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("statefulsets", a_set(a_deployment, replicas=0, revisionHistoryLimit=1))
    for version in range(28, 32):
        set_image(sim, "statefulsets", "db", f"nginx:1.{version}")
        await sim.run(2)
    assert [image for _, image in revisions(sim)] == ["nginx:1.30", "nginx:1.31"]
