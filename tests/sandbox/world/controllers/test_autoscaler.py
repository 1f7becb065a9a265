"""Autoscalers follow the load that somebody puts on a workload, and say what they see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.metering import LOAD

Obj = dict[str, Any]
Make = Callable[..., Obj]


def hpa(*, percent: int = 50, least: int = 1, most: int = 5, target: str = "web", **spec: Any) -> Obj:
    aim = {"type": "Utilization", "averageUtilization": percent}
    wanted = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": aim}}],
    }
    meta = {"name": "busy", "namespace": "team-a"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": wanted | spec}


@pytest.fixture
async def busy(sim: Any, a_deployment: Make) -> Any:
    """A deployment of one pod that asks for a core, and an autoscaler that aims at half of it."""
    sim.cluster.create("deployments", a_deployment("web", cpu="1"))
    await sim.until(lambda: sim.pods() and sim.pods()[0].get("status", {}).get("phase") == "Running", within=60)
    sim.cluster.create("horizontalpodautoscalers", hpa())
    await sim.run(2)
    return sim


def status(sim: Any) -> Obj:
    found: Obj = sim.cluster.get("horizontalpodautoscalers", "team-a", "busy").get("status") or {}
    return found


def condition(sim: Any, kind: str) -> Obj:
    return next(item for item in status(sim)["conditions"] if item["type"] == kind)


def replicas(sim: Any) -> int:
    return int(sim.cluster.get("deployments", "team-a", "web")["spec"]["replicas"])


def load(sim: Any, cores: str) -> None:
    sim.cluster.change(
        "deployments", "team-a", "web", lambda obj: obj["metadata"].setdefault("annotations", {}).update({LOAD: cores})
    )


async def test_an_idle_workload_stays_and_its_use_is_shown(busy: Any) -> None:
    await busy.run(40)
    assert replicas(busy) == 1
    assert status(busy)["currentReplicas"] == 1
    (measured,) = status(busy)["currentMetrics"]
    assert 0 < measured["resource"]["current"]["averageUtilization"] < 20
    assert measured["resource"]["current"]["averageValue"].endswith("m")
    assert condition(busy, "ScalingActive")["reason"] == "ValidMetricFound"
    assert condition(busy, "ScalingActive")["message"].endswith("cpu resource utilization (percentage of request)")
    assert condition(busy, "AbleToScale")["status"] == "True"


async def test_load_adds_pods_until_each_is_as_busy_as_wished(busy: Any) -> None:
    load(busy, "1.2")
    await busy.until(lambda: replicas(busy) == 3, within=90)
    await busy.run(60)
    assert replicas(busy) == 3
    message = next(
        event["message"] for event in busy.cluster.list("events", "team-a") if event["reason"] == "SuccessfulRescale"
    )
    assert message.startswith("New size: ")
    assert message.endswith("reason: cpu resource utilization (percentage of request) above target")
    assert status(busy)["lastScaleTime"]


async def test_the_largest_number_is_not_passed_and_said(busy: Any) -> None:
    load(busy, "20")
    await busy.until(lambda: replicas(busy) == 5, within=120)
    await busy.run(45)
    limited = condition(busy, "ScalingLimited")
    assert (limited["status"], limited["reason"]) == ("True", "TooManyReplicas")
    assert limited["message"] == "the desired replica count is more than the maximum replica count"


async def test_pods_go_only_after_five_calm_minutes(busy: Any) -> None:
    load(busy, "1.2")
    await busy.until(lambda: replicas(busy) == 3, within=90)
    load(busy, "0")
    await busy.run(120)
    assert replicas(busy) == 3
    assert condition(busy, "AbleToScale")["reason"] == "ScaleDownStabilized"
    await busy.until(lambda: replicas(busy) == 1, within=400)


async def test_the_behaviour_of_a_spec_is_followed(busy: Any) -> None:
    slow = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "selectPolicy": "Max"}
    rules = {"scaleUp": slow, "scaleDown": {"selectPolicy": "Disabled", "policies": slow["policies"]}}
    busy.cluster.change("horizontalpodautoscalers", "team-a", "busy", lambda obj: obj["spec"].update(behavior=rules))
    load(busy, "3")
    await busy.until(lambda: replicas(busy) == 2, within=60)
    await busy.run(30)
    assert replicas(busy) == 2
    assert condition(busy, "ScalingLimited")["reason"] == "ScaleUpLimit"
    load(busy, "0")
    await busy.run(400)
    assert replicas(busy) >= 2


async def test_a_missing_target_is_said(sim: Any) -> None:
    sim.cluster.create("horizontalpodautoscalers", hpa(target="nobody"))
    await sim.run(3)
    found = condition(sim, "AbleToScale")
    assert (found["status"], found["reason"]) == ("False", "FailedGetScale")
    assert found["message"] == (
        'the HPA controller was unable to get the target\'s current scale: deployments.apps "nobody" not found'
    )
    assert sim.reasons("busy") == ["FailedGetScale"]


async def test_a_target_of_zero_pods_is_left_alone(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=0))
    sim.cluster.create("horizontalpodautoscalers", hpa())
    await sim.run(20)
    assert replicas(sim) == 0
    assert condition(sim, "ScalingActive")["reason"] == "ScalingDisabled"


async def test_pods_that_ask_for_nothing_give_no_percentage(sim: Any, a_deployment: Make) -> None:
    made = a_deployment("web")
    del made["spec"]["template"]["spec"]["containers"][0]["resources"]
    sim.cluster.create("deployments", made)
    await sim.until(lambda: sim.pods() and sim.pods()[0].get("status", {}).get("phase") == "Running", within=60)
    sim.cluster.create("horizontalpodautoscalers", hpa())
    await sim.run(3)
    found = condition(sim, "ScalingActive")
    assert (found["status"], found["reason"]) == ("False", "FailedGetResourceMetric")
    pod = sim.pods()[0]["metadata"]["name"]
    assert found["message"].endswith(f"missing request for cpu in container main of Pod {pod}")
    assert "FailedComputeMetricsReplicas" in sim.reasons("busy")


async def test_a_number_outside_of_the_bounds_is_brought_inside(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=1))
    sim.cluster.create("horizontalpodautoscalers", hpa(least=2))
    await sim.run(3)
    assert replicas(sim) == 2
