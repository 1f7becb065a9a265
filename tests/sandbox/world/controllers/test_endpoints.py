"""Services know the addresses of their ready pods, under named ports too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealane.sandbox.world.controllers import endpoints as subject

Obj = dict[str, Any]
Make = Callable[..., Obj]


def service(name: str, **spec: Any) -> Obj:
    body = {"ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "team-a"}, "spec": body}


async def test_ready_pods_are_listed_with_the_number_behind_the_named_port(sim: Any, a_deployment: Make) -> None:
    ports = [{"name": "http", "containerPort": 8080}]
    sim.cluster.create("services", service("web", selector={"app": "web"}))
    sim.cluster.create("deployments", a_deployment("web", replicas=2, ports=ports))
    await sim.run(15)
    (subset,) = sim.cluster.get("endpoints", "team-a", "web")["subsets"]
    assert sorted(item["ip"] for item in subset["addresses"]) == sorted(pod["status"]["podIP"] for pod in sim.pods())
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP", "name": "http"}]
    (slice_,) = sim.cluster.list("endpointslices", "team-a")
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert all(item["conditions"]["ready"] for item in slice_["endpoints"])


async def test_pods_that_are_not_ready_are_kept_apart(sim: Any, a_deployment: Make) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "initialDelaySeconds": 30}
    ports = [{"name": "http", "containerPort": 8080}]
    sim.cluster.create("services", service("web", selector={"app": "web"}))
    sim.cluster.create("deployments", a_deployment("web", ports=ports, readinessProbe=probe))
    await sim.run(10)
    (subset,) = sim.cluster.get("endpoints", "team-a", "web")["subsets"]
    assert "addresses" not in subset
    assert subset["notReadyAddresses"][0]["targetRef"]["name"] == sim.pod()["metadata"]["name"]
    await sim.run(40)
    (subset,) = sim.cluster.get("endpoints", "team-a", "web")["subsets"]
    assert "notReadyAddresses" not in subset


async def test_a_service_without_selector_is_left_to_its_owner(sim: Any) -> None:
    sim.cluster.create("services", service("manual"))
    await sim.run(1)
    assert sim.cluster.get("endpoints", "team-a", "manual") is None


async def test_endpoints_go_with_their_service(sim: Any) -> None:
    sim.cluster.create("services", service("web", selector={"app": "web"}))
    await sim.run(1)
    assert sim.cluster.get("endpoints", "team-a", "web")["subsets"] == []
    sim.cluster.delete("services", sim.cluster.get("services", "team-a", "web"))
    await sim.run(1)
    assert sim.cluster.get("endpoints", "team-a", "web") is None
    assert sim.cluster.list("endpointslices", "team-a") == []


def test_a_target_port_is_a_number_a_name_or_the_services_own() -> None:
    pods = [{"spec": {"containers": [{"ports": [{"name": "http", "containerPort": 11434}]}]}}]
    assert subject.target_port(99, pods, 80) == 99
    assert subject.target_port("99", pods, 80) == 99
    assert subject.target_port("http", pods, 80) == 11434
    assert subject.target_port("grpc", pods, 80) == 80


async def test_a_slice_is_named_after_its_service_with_a_random_tail_and_keeps_its_name(
    sim: Any, a_deployment: Make
) -> None:
    sim.cluster.create("services", service("web", selector={"app": "web"}))
    await sim.run(1)
    (before,) = sim.cluster.list("endpointslices", "team-a")
    assert len(before["metadata"]["name"]) == len("web-") + 5
    sim.cluster.create("deployments", a_deployment("web"))
    await sim.run(15)
    (after,) = sim.cluster.list("endpointslices", "team-a")
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert len(after["endpoints"]) == 1
