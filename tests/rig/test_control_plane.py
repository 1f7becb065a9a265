"""The control plane behaves like a cluster's: versions, people with rights, restricted pods, and a restart survived."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
import yaml
from rig_manifests import Deployed, is_ready

from rig.api import Refused
from rig.cluster import Cluster, Rig
from rig.processes import wait_until

pytestmark = pytest.mark.rig

Deploy = Callable[..., Deployed]


def test_the_api_server_says_its_version_and_both_gpu_nodes_are_ready(cluster: Cluster) -> None:
    assert cluster.api.get("/version")["gitVersion"] == "v1.34.1"
    nodes = cluster.api.get("/api/v1/nodes")["items"]
    assert {n["metadata"]["name"]: n["status"]["allocatable"]["nvidia.com/gpu"] for n in nodes} == {
        "gpu-a": "4",
        "gpu-b": "2",
    }
    wait_until(
        "nodes without taints",
        lambda: not any(n["spec"].get("taints") for n in cluster.api.get("/api/v1/nodes")["items"]),
    )


def test_kubectl_takes_the_kubeconfig_and_lists_the_queues(rig: Rig) -> None:
    argv = ["kubectl", "--kubeconfig", str(rig.kubeconfig), "--context", "rig0", "get", "queues", "-o", "name"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    names = {line.split("/")[1] for line in done.stdout.split()}
    assert names == {"default-parent", "team-a", "team-b", "research"}


def test_alice_works_in_her_own_namespace_alone(cluster: Cluster) -> None:
    alice = cluster.plane.as_user("alice")
    try:
        assert alice.get("/api/v1/namespaces/team-a/pods")["kind"] == "PodList"
        for forbidden in ("/api/v1/namespaces/team-b/pods", "/api/v1/nodes", "/apis/scheduling.run.ai/v2/queues"):
            with pytest.raises(Refused) as caught:
                alice.get(forbidden)
            assert caught.value.status == 403
    finally:
        alice.close()


def test_a_pod_that_may_run_as_root_is_refused_by_the_restricted_namespace(cluster: Cluster) -> None:
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "a", "image": "ollama/ollama:0.23.0"}]}}
    with pytest.raises(Refused, match="violates PodSecurity") as caught:
        cluster.api.post("/api/v1/namespaces/team-a/pods?dryRun=All", pod)
    assert caught.value.status == 403


def test_a_cluster_without_kai_joins_on_demand_and_places_pods_by_itself(rig: Rig) -> None:
    plain = rig.add_cluster(with_kai=False)
    assert not plain.api.exists("/apis/scheduling.run.ai/v2/queues")
    contexts = yaml.safe_load(rig.kubeconfig.read_text())["contexts"]
    assert [context["name"] for context in contexts] == [cluster.name for cluster in rig.clusters]
    meta = {"name": "idle"}
    spec = {"containers": [{"name": "main", "image": "registry.example/idle:1"}], "terminationGracePeriodSeconds": 0}
    path = "/api/v1/namespaces/default/pods/idle"
    plain.api.post("/api/v1/namespaces/default/pods", {"metadata": meta, "spec": spec})
    wait_until("the pod Ready", lambda: is_ready(plain.api.get(path)))
    assert plain.api.get(path)["status"]["podIP"].startswith(f"10.{200 + plain.plane.index}.")


def test_a_model_outlives_a_crash_of_the_api_server_and_the_next_one_is_hosted_as_before(
    cluster: Cluster, deploy: Deploy
) -> None:
    before = deploy("tiny-chat", gpu="0")
    pod = before.ready_pod()
    cluster.plane.kill("kube-apiserver")
    with pytest.raises(OSError):
        cluster.api.get("/readyz")
    cluster.plane.start_api_server()
    cluster.plane.wait_ready()
    again = before.ready_pod()
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert again["status"]["containerStatuses"][0]["restartCount"] == 0
    assert before.ask(again, "/api/tags")["models"]
    deploy("tiny-chat", gpu="0").ready_pod(limit=90)
