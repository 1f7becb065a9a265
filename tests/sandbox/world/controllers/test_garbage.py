"""What belongs to something goes with it, in the manner that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
Make = Callable[..., Obj]


async def running(sim: Any, deployment: Obj) -> Obj:
    made: Obj = sim.cluster.create("deployments", deployment)
    await sim.run(15)
    assert len(sim.pods()) == 2
    return made


async def test_background_takes_the_owner_at_once_and_the_rest_after_it(sim: Any, a_deployment: Make) -> None:
    made = await running(sim, a_deployment("web", replicas=2))
    sim.cluster.delete("deployments", made)
    assert sim.cluster.get("deployments", "team-a", "web") is None
    assert len(sim.cluster.list("replicasets", "team-a")) == 1
    await sim.until(lambda: not sim.pods() and not sim.cluster.list("replicasets", "team-a"), within=20)


async def test_foreground_keeps_the_owner_until_its_dependents_are_gone(sim: Any, a_deployment: Make) -> None:
    made = await running(sim, a_deployment("web", replicas=2))
    sim.cluster.delete("deployments", made, propagation="Foreground")
    seen = []

    def gone() -> bool:
        present = sim.cluster.get("deployments", "team-a", "web") is not None
        seen.append((present, bool(sim.pods())))
        return not present

    await sim.until(gone, within=30, step=0.1)
    assert (False, True) not in seen
    assert (True, True) in seen


async def test_orphan_leaves_the_dependents_alone(sim: Any, a_deployment: Make) -> None:
    made = await running(sim, a_deployment("web", replicas=2))
    sim.cluster.delete("deployments", made, propagation="Orphan")
    await sim.run(5)
    assert sim.cluster.get("deployments", "team-a", "web") is None
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(sim.pods()) == 2


async def test_a_dependent_whose_owner_never_was_is_collected(sim: Any, a_pod: Make) -> None:
    pod = a_pod("stray")
    pod["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "ghost", "uid": "no-such-uid"}
    ]
    sim.cluster.create("pods", pod)
    await sim.until(lambda: not sim.pods(), within=20)


async def test_a_dependent_with_another_owner_only_loses_the_one_that_went(sim: Any) -> None:
    def config(name: str) -> Obj:
        made: Obj = sim.cluster.create(
            "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team-a"}}
        )
        return made

    first, second = config("first"), config("second")
    shared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared", "namespace": "team-a"}}
    shared["metadata"]["ownerReferences"] = [  # type: ignore[index]
        {"apiVersion": "v1", "kind": "ConfigMap", "name": item["metadata"]["name"], "uid": item["metadata"]["uid"]}
        for item in (first, second)
    ]
    sim.cluster.create("configmaps", shared)
    await sim.run(1)
    sim.cluster.delete("configmaps", first)
    await sim.run(2)
    left = sim.cluster.get("configmaps", "team-a", "shared")
    assert [item["name"] for item in left["metadata"]["ownerReferences"]] == ["second"]
    sim.cluster.delete("configmaps", second)
    await sim.until(lambda: sim.cluster.get("configmaps", "team-a", "shared") is None, within=5)


async def test_what_a_custom_resource_owns_goes_with_it(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("job", queue="a", gpus=1))
    await sim.run(10)
    assert len(sim.cluster.list("podgroups", "team-a")) == 1
    assert len(sim.cluster.list("bindrequests", "team-a")) == 1
    sim.cluster.delete("pods", sim.pod())
    await sim.until(
        lambda: not sim.cluster.list("podgroups", "team-a") and not sim.cluster.list("bindrequests", "team-a"),
        within=20,
    )
