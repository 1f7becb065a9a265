"""A new namespace is furnished; a deleted one is emptied before it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
Make = Callable[..., Obj]


def namespace(name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name},
        "spec": {"finalizers": ["kubernetes"]},
    }


async def test_a_new_namespace_gets_its_account_and_the_clusters_certificate(sim: Any) -> None:
    sim.cluster.create("namespaces", namespace("fresh"))
    await sim.run(1)
    assert sim.cluster.get("serviceaccounts", "fresh", "default") is not None
    assert sim.cluster.get("configmaps", "fresh", "kube-root-ca.crt")["data"]["ca.crt"] == "a certificate"


async def test_a_deleted_default_account_comes_back(sim: Any) -> None:
    sim.cluster.delete("serviceaccounts", sim.cluster.get("serviceaccounts", "team-a", "default"))
    await sim.until(lambda: sim.cluster.get("serviceaccounts", "team-a", "default"), within=5)


async def test_a_deleted_namespace_takes_everything_in_it_along(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("namespaces", namespace("doomed"))
    sim.cluster.create("deployments", a_deployment("web", namespace="doomed", replicas=2))
    await sim.run(15)
    sim.cluster.delete("namespaces", sim.cluster.get("namespaces", "", "doomed"))
    await sim.run(0.1)
    assert sim.cluster.get("namespaces", "", "doomed")["status"]["phase"] == "Terminating"
    await sim.until(lambda: sim.cluster.get("namespaces", "", "doomed") is None, within=40)
    for plural in ("pods", "deployments", "replicasets", "events", "configmaps", "serviceaccounts"):
        assert sim.cluster.list(plural, "doomed") == []
    assert sim.cluster.get("namespaces", "", "team-a") is not None
