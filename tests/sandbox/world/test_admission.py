"""What is refused at the door, in the words of the real webhooks and admission plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.world import ClusterWorld

Obj = dict[str, Any]
Make = Callable[..., Obj]


def test_a_fraction_beside_a_whole_gpu_is_refused_with_kais_own_words(still: ClusterWorld, a_pod: Make) -> None:
    pod = a_pod("x", gpus=1, queue="a", notes={"gpu-fraction": "0.5"})
    with pytest.raises(AdmissionDenied) as refused:
        still.cluster.create("pods", pod)
    assert refused.value.code == 403
    assert str(refused.value).startswith('admission webhook "')
    assert str(refused.value).endswith(
        "denied the request: cannot have both GPU fraction request and whole GPU resource request/limit"
    )


@pytest.mark.parametrize("fraction", ["0", "1", "1.5", "-0.2", "half", "nan"])
def test_a_fraction_that_is_no_part_of_one_card_is_refused(still: ClusterWorld, a_pod: Make, fraction: str) -> None:
    with pytest.raises(AdmissionDenied, match=r"must be a positive number smaller than 1\.0"):
        still.cluster.create("pods", a_pod("x", queue="a", notes={"gpu-fraction": fraction}))


@pytest.mark.parametrize("memory", ["0", "-5", "8Gi", "1.5"])
def test_a_share_in_memory_that_is_no_whole_number_is_refused(still: ClusterWorld, a_pod: Make, memory: str) -> None:
    with pytest.raises(AdmissionDenied, match="gpu-memory annotation value"):
        still.cluster.create("pods", a_pod("x", queue="a", notes={"gpu-memory": memory}))


def test_a_share_both_as_fraction_and_as_memory_is_refused(still: ClusterWorld, a_pod: Make) -> None:
    with pytest.raises(AdmissionDenied, match="GPU and GPU memory"):
        still.cluster.create("pods", a_pod("x", queue="a", notes={"gpu-memory": "100", "gpu-fraction": "0.5"}))


def test_without_kai_nobody_looks_at_shares(plan: Obj, clock: Any, a_pod: Make) -> None:
    from sealane.sandbox.api.store import Store
    from sealane.sandbox.world import seeds
    from sealane.sandbox.world.cluster import Cluster

    plan["kai"] = False
    store = Store(now=clock.now)
    cluster = Cluster("bare", store=store, find=store.kinds.find, clock=clock)
    ClusterWorld(cluster, plan=plan, root_ca="")
    seeds.plant(cluster, plan)
    made = cluster.create("pods", a_pod("x", gpus=1, notes={"gpu-fraction": "0.5"}))
    assert "runai/shared-gpu-configmap" not in made["metadata"]["annotations"]


def test_a_sharing_pod_is_given_the_name_of_its_config_map(still: ClusterWorld, a_pod: Make) -> None:
    made = still.cluster.create("pods", a_pod("x", queue="a", notes={"gpu-fraction": "0.5"}))
    assert made["metadata"]["annotations"]["runai/shared-gpu-configmap"].endswith("-shared-gpu")


def test_a_pod_gets_what_the_api_server_adds(still: ClusterWorld, a_pod: Make) -> None:
    made = still.cluster.create("pods", a_pod("x", gpus=1))
    spec = made["spec"]
    assert (spec["restartPolicy"], spec["serviceAccountName"], spec["priority"]) == ("Always", "default", 0)
    assert {item["key"] for item in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }
    assert spec["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_floating_tag_is_always_pulled(still: ClusterWorld, a_pod: Make) -> None:
    made = still.cluster.create("pods", a_pod("x", image="localhost:5000/team/app"))
    assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"


def test_an_unknown_priority_class_is_refused_and_a_known_one_gives_its_value(still: ClusterWorld, a_pod: Make) -> None:
    with pytest.raises(AdmissionDenied, match="no PriorityClass with name urgent was found"):
        still.cluster.create("pods", a_pod("x", priorityClassName="urgent"))
    assert still.cluster.create("pods", a_pod("y", priorityClassName="build"))["spec"]["priority"] == 100


def test_pod_security_restricted_names_every_fault(still: ClusterWorld, a_pod: Make) -> None:
    with pytest.raises(AdmissionDenied) as refused:
        still.cluster.create("pods", a_pod("x", namespace="locked"))
    text = str(refused.value)
    assert text.startswith('pods "x" is forbidden: violates PodSecurity "restricted:latest": ')
    assert 'allowPrivilegeEscalation != false (container "main" must set' in text
    assert 'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"])' in text
    assert 'runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true)' in text
    assert "seccompProfile (pod or container" in text


def test_a_quota_refuses_what_would_exceed_it(still: ClusterWorld, a_pod: Make) -> None:
    still.cluster.create(
        "resourcequotas",
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "team-a"},
            "spec": {"hard": {"requests.cpu": "1", "pods": "5"}},
        },
    )

    still.cluster.create("pods", a_pod("first", cpu="900m"))
    with pytest.raises(AdmissionDenied) as refused:
        still.cluster.create("pods", a_pod("x", cpu="200m"))
    assert str(refused.value) == (
        'pods "x" is forbidden: exceeded quota: few, requested: requests.cpu=200m, used: requests.cpu=900m, '
        "limited: requests.cpu=1"
    )
    assert still.cluster.create("pods", a_pod("y", cpu="100m"))


def test_a_quota_on_memory_wants_every_pod_to_say_its_memory(still: ClusterWorld, a_pod: Make) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "team-a"}}
    still.cluster.create("resourcequotas", quota | {"spec": {"hard": {"limits.memory": "1Gi"}}})
    with pytest.raises(AdmissionDenied, match=r"failed quota: few: must specify limits\.memory for: main"):
        still.cluster.create("pods", a_pod("x"))


def test_updates_are_let_through(still: ClusterWorld, a_pod: Make) -> None:
    pod = a_pod("x", gpus=1, notes={"gpu-fraction": "0.5"})
    assert still.admission("UPDATE", "pods", pod) is pod


def test_every_pod_gets_the_token_of_its_account_once(still: ClusterWorld, a_pod: Make) -> None:
    made = still.cluster.create("pods", a_pod("x"))
    (volume,) = made["spec"]["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    (mount,) = made["spec"]["containers"][0]["volumeMounts"]
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)


def test_a_pod_that_wants_no_token_gets_none(still: ClusterWorld, a_pod: Make) -> None:
    pod = a_pod("x")
    pod["spec"]["automountServiceAccountToken"] = False
    assert not still.cluster.create("pods", pod)["spec"].get("volumes")


def test_an_account_that_does_not_exist_is_refused(still: ClusterWorld, a_pod: Make) -> None:
    pod = a_pod("x")
    pod["spec"]["serviceAccountName"] = "nobody"
    with pytest.raises(AdmissionDenied, match='serviceaccount "nobody" not found'):
        still.cluster.create("pods", pod)


def test_a_namespace_that_warns_is_told_of_pods_and_templates(still: ClusterWorld, a_pod: Make) -> None:
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    still.cluster.create(
        "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "w", "labels": labels}}
    )
    pod = a_pod("x", namespace="w")
    (said,) = still.admission.warnings("pods", pod)
    assert said.startswith('would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false')
    workload = {"metadata": {"name": "d", "namespace": "w"}, "spec": {"template": pod}}
    assert still.admission.warnings("deployments", workload) == [said]
    assert still.admission.warnings("services", workload) == []
    assert still.admission.warnings("pods", a_pod("x")) == []


def test_a_sharing_container_learns_its_part_from_config_maps(still: ClusterWorld, a_pod: Make) -> None:
    made = still.cluster.create("pods", a_pod("x", queue="a", notes={"gpu-fraction": "0.5"}))
    name = made["metadata"]["annotations"]["runai/shared-gpu-configmap"] + "-0"
    container = made["spec"]["containers"][0]
    assert [item["name"] for item in container["env"][-3:]] == [
        "NVIDIA_VISIBLE_DEVICES",
        "RUNAI_NUM_OF_GPUS",
        "GPU_PORTION",
    ]
    assert container["env"][-1]["valueFrom"]["configMapKeyRef"]["name"] == name
    assert container["envFrom"] == [{"configMapRef": {"name": f"{name}-evar", "optional": False}}]
    assert {"name": f"{name}-vol", "configMap": {"name": name, "defaultMode": 420}} in made["spec"]["volumes"]


def test_pod_security_speaks_before_kais_validation(still: ClusterWorld, a_pod: Make) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}}
    still.cluster.create("namespaces", body)
    pod = a_pod("x", namespace="strict", gpus=1, queue="a", notes={"gpu-fraction": "0.5"})
    with pytest.raises(AdmissionDenied, match="violates PodSecurity"):
        still.cluster.create("pods", pod)
