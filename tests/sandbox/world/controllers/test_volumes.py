"""Claims are bound when somebody uses them, protected while in use, and forgotten with their volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world.controllers import volumes as subject

Obj = dict[str, Any]
Make = Callable[..., Obj]


def claim(name: str, **spec: Any) -> Obj:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, **spec}
    meta = {"name": name, "namespace": "team-a"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": body}


def uses(name: str) -> list[Obj]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]


def phase(sim: Any, name: str) -> str:
    return str(sim.cluster.get("persistentvolumeclaims", "team-a", name)["status"]["phase"])


async def test_a_claim_waits_for_its_first_consumer_and_is_then_bound(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("persistentvolumeclaims", claim("data"))
    await sim.run(2)
    assert phase(sim, "data") == "Pending"
    assert sim.reasons("data") == ["WaitForFirstConsumer"]
    sim.cluster.create("pods", a_pod("x", volumes=uses("data")))
    await sim.run(10)
    assert phase(sim, "data") == "Bound"
    bound = sim.cluster.get("persistentvolumeclaims", "team-a", "data")
    volume = sim.cluster.get("persistentvolumes", "", bound["spec"]["volumeName"])
    assert volume["spec"]["claimRef"]["name"] == "data"
    assert bound["spec"]["storageClassName"] == "standard"
    assert bound["status"]["capacity"] == {"storage": "5Gi"}
    assert sim.pod()["status"]["phase"] == "Running"


async def test_a_claim_without_a_class_stays_pending(sim: Any) -> None:
    sim.cluster.create("persistentvolumeclaims", claim("data", storageClassName=""))
    await sim.run(2)
    assert phase(sim, "data") == "Pending"
    assert sim.reasons("data") == ["FailedBinding"]


async def test_an_immediate_class_binds_at_once(sim: Any) -> None:
    fast = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}}
    sim.cluster.create("storageclasses", fast | {"provisioner": "x", "volumeBindingMode": "Immediate"})
    sim.cluster.create("persistentvolumeclaims", claim("data", storageClassName="fast"))
    await sim.run(2)
    assert phase(sim, "data") == "Bound"


async def test_a_claim_in_use_outlives_its_deletion_until_the_pod_is_gone(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("persistentvolumeclaims", claim("data"))
    sim.cluster.create("pods", a_pod("x", volumes=uses("data")))
    await sim.run(10)
    sim.cluster.delete("persistentvolumeclaims", sim.cluster.get("persistentvolumeclaims", "team-a", "data"))
    await sim.run(3)
    assert sim.cluster.get("persistentvolumeclaims", "team-a", "data") is not None
    sim.cluster.delete("pods", sim.pod())
    await sim.until(lambda: sim.cluster.get("persistentvolumeclaims", "team-a", "data") is None, within=20)
    await sim.until(lambda: not sim.cluster.list("persistentvolumes"), within=5)


async def test_an_ephemeral_volume_lives_and_dies_with_its_pod(sim: Any, a_pod: Make) -> None:
    template = {"spec": claim("x")["spec"]}
    volume = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    sim.cluster.create("pods", a_pod("x", volumes=volume))
    await sim.run(10)
    assert phase(sim, "x-scratch") == "Bound"
    assert sim.pod()["status"]["phase"] == "Running"
    sim.cluster.delete("pods", sim.pod())
    await sim.until(lambda: not sim.cluster.list("persistentvolumeclaims", "team-a"), within=20)


def test_the_claims_of_a_pod_are_named_and_ephemeral_ones() -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"volumes": [*uses("a"), {"name": "b", "ephemeral": {}}, {"name": "c", "emptyDir": {}}]},
    }
    assert subject.claims_of(pod) == ["a", "p-b"]


async def test_a_claim_of_a_class_that_does_not_exist_says_so(sim: Any) -> None:
    sim.cluster.create("persistentvolumeclaims", claim("data", storageClassName="nowhere"))
    await sim.run(2)
    assert phase(sim, "data") == "Pending"
    (event,) = (item for item in sim.cluster.list("events") if item["involvedObject"]["name"] == "data")
    assert (event["type"], event["reason"]) == ("Warning", "ProvisioningFailed")
    assert event["message"] == 'storageclass.storage.k8s.io "nowhere" not found'
