"""Autoscalers in two versions: what v1 says becomes v2, and what it cannot say is kept in annotations."""

from __future__ import annotations

from typing import Any

import pytest

V1 = "/apis/autoscaling/v1/namespaces/team/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


async def test_the_processor_target_of_v1_is_a_metric_of_v2(api: Any) -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 4, "targetCPUUtilizationPercentage": 60}
    made = await api.call("POST", V1, {"metadata": {"name": "web"}, "spec": spec})
    assert made.status == 201, made.json
    assert made.json["apiVersion"] == "autoscaling/v1"
    assert made.json["spec"]["targetCPUUtilizationPercentage"] == 60
    (metric,) = (await api.call("GET", f"{V2}/web")).json["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}


@pytest.mark.parametrize("path", [V1, V2])
async def test_both_versions_are_one_object(api: Any, path: str) -> None:
    await api.call("POST", V2, {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 2}})
    (found,) = (await api.call("GET", path)).json["items"]
    assert found["metadata"]["name"] == "web"
    assert (await api.call("DELETE", f"{path}/web")).status == 200
    assert (await api.call("GET", f"{V2}/web")).status == 404


async def test_what_v1_cannot_say_survives_an_update_through_it(api: Any) -> None:
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    }
    rules = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 2, "metrics": [memory], "behavior": rules}
    await api.call("POST", V2, {"metadata": {"name": "web"}, "spec": spec})
    old = (await api.call("GET", f"{V1}/web")).json
    assert "behavior" not in old["spec"]
    old["spec"]["maxReplicas"] = 9
    assert (await api.call("PUT", f"{V1}/web", old)).status == 200
    new = (await api.call("GET", f"{V2}/web")).json
    assert new["spec"]["maxReplicas"] == 9
    assert new["spec"]["metrics"] == [memory]
    assert new["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 5
    assert not [name for name in new["metadata"].get("annotations", {}) if "alpha" in name]
