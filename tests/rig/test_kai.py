"""The real KAI Scheduler: whole GPUs, shares of one, refusals, and the reasons why something waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig_manifests import Deployed, deployment

from rig.api import JsonObject, Refused
from rig.cluster import Cluster
from rig.processes import wait_until

pytestmark = pytest.mark.rig

Deploy = Callable[..., Deployed]
PRETENDED = "registry.example/idle:1"


def bound(pod: JsonObject) -> bool:
    return bool(pod["spec"].get("nodeName"))


def test_kai_binds_a_pod_that_asks_for_a_whole_gpu(deploy: Deploy) -> None:
    model = deploy("idle", image=PRETENDED)
    pod = model.ready_pod()
    assert pod["spec"]["schedulerName"] == "kai-scheduler"
    assert pod["metadata"]["annotations"]["pod-group-name"].startswith("pg-")
    queue = "/apis/scheduling.run.ai/v2/queues/team-a"
    wait_until(
        "the queue's own account",
        lambda: model.cluster.api.get(queue).get("status", {}).get("allocated", {}).get("nvidia.com/gpu") == "1",
    )


def test_two_halves_share_one_gpu(deploy: Deploy) -> None:
    models = [deploy("idle", image=PRETENDED, gpu="0.5") for _ in range(2)]
    pods = [model.ready_pod() for model in models]
    assert pods[0]["spec"]["nodeName"] == pods[1]["spec"]["nodeName"]
    groups = {pod["metadata"]["labels"]["runai-gpu-group"] for pod in pods}
    assert len(groups) == 1
    assert {pod["metadata"]["annotations"]["received-resource-type"] for pod in pods} == {"Fraction"}


def test_a_share_and_a_whole_gpu_in_one_pod_are_refused_on_dry_run(cluster: Cluster) -> None:
    template = deployment("both", "idle", gpu="1")["spec"]["template"]
    meta = template["metadata"] | {"name": "both", "annotations": {"gpu-fraction": "0.5"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    with pytest.raises(Refused, match="cannot have both GPU fraction request and whole GPU") as caught:
        cluster.api.post("/api/v1/namespaces/team-a/pods?dryRun=All", pod)
    assert caught.value.status == 403


def test_a_pod_above_its_queues_limit_waits_and_its_podgroup_says_why(deploy: Deploy) -> None:
    model = deploy("idle", image=PRETENDED, queue="team-b", gpu="2")
    pod = model.wait("is grouped", lambda pod: pod["metadata"].get("annotations", {}).get("pod-group-name"))
    name = pod["metadata"]["annotations"]["pod-group-name"]
    path = f"/apis/scheduling.run.ai/v2alpha2/namespaces/team-a/podgroups/{name}"

    def reasons() -> list[str]:
        conditions = model.cluster.api.get(path).get("status", {}).get("schedulingConditions", [])
        return [reason["reason"] for condition in conditions for reason in condition.get("reasons", [])]

    wait_until("KAI's reason", reasons)
    assert reasons() == ["OverLimit"]
    assert not any(bound(pod) for pod in model.pods())


def test_what_needs_no_gpu_is_placed_by_kubernetes_own_scheduler(deploy: Deploy) -> None:
    pod = deploy("idle", image=PRETENDED, gpu="0").ready_pod()
    assert pod["spec"]["schedulerName"] == "default-scheduler"
    assert "pod-group-name" not in pod["metadata"].get("annotations", {})
