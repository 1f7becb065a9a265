"""ReplicaSets keep their number, and choose well whom to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world import objects
from sealane.sandbox.world.controllers import replicaset as subject

Obj = dict[str, Any]
Make = Callable[..., Obj]


async def test_a_deleted_pod_is_replaced(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=2))
    await sim.run(15)
    first = sim.pods()[0]
    sim.cluster.delete("pods", first)
    await sim.until(lambda: len(sim.pods()) == 2 and all(objects.ready(pod) for pod in sim.pods()), within=30)
    assert first["metadata"]["name"] not in {pod["metadata"]["name"] for pod in sim.pods()}
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    assert replica_set["status"]["readyReplicas"] == 2
    assert sim.reasons(replica_set["metadata"]["name"]) == ["SuccessfulCreate"] * 3


async def test_shrinking_ends_pods_that_are_not_ready_first(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=1, gpus=1))
    await sim.run(15)
    running = sim.pod()["metadata"]["name"]
    sim.cluster.change("deployments", "team-a", "web", lambda obj: obj["spec"].update(replicas=9))
    await sim.run(5)
    assert len(sim.pods()) == 9
    waiting = {pod["metadata"]["name"] for pod in sim.pods() if not pod["spec"].get("nodeName")}
    assert len(waiting) == 3
    sim.cluster.change("deployments", "team-a", "web", lambda obj: obj["spec"].update(replicas=6))
    await sim.run(0.5)
    left = {pod["metadata"]["name"] for pod in sim.pods()}
    assert not waiting & left
    assert running in left


def test_the_order_of_ending_is_unbound_then_unready_then_youngest() -> None:
    def pod(name: str, *, node: str, ready: bool, created: str) -> Obj:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        meta = {"name": name, "creationTimestamp": created}
        return {"metadata": meta, "spec": {"nodeName": node}, "status": {"conditions": conditions}}

    pods = [
        pod("old", node="a", ready=True, created="2026-01-01T00:00:00Z"),
        pod("young", node="a", ready=True, created="2026-01-02T00:00:00Z"),
        pod("unready", node="a", ready=False, created="2026-01-01T00:00:00Z"),
        pod("unbound", node="", ready=False, created="2026-01-01T00:00:00Z"),
    ]
    ordered = [item["metadata"]["name"] for item in sorted(pods, key=subject._removal_rank)]
    assert ordered == ["unbound", "unready", "young", "old"]


def test_only_pods_of_this_very_owner_are_its_own() -> None:
    owner = {"metadata": {"uid": "1", "name": "web"}}
    mine = {"metadata": {"name": "a", "ownerReferences": [{"uid": "1", "kind": "ReplicaSet", "controller": True}]}}
    earlier = {"metadata": {"name": "b", "ownerReferences": [{"uid": "0", "kind": "ReplicaSet", "controller": True}]}}
    assert subject.owned_pods([mine, earlier, {"metadata": {"name": "c"}}], owner) == [mine]


def test_matching_reads_both_forms_of_selectors() -> None:
    found = [{"metadata": {"labels": {"app": "x"}}}, {"metadata": {}}]
    assert subject.matching(found, {"matchLabels": {"app": "x"}}) == found[:1]
    assert subject.matching(found, {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}) == found[1:]
