"""The objects, field by field where a field matters."""

from __future__ import annotations

from typing import Any

import msgspec
import pod_security
import pytest
from model_samples import spec

from sealane.models import workload
from sealane.models.types import ModelSpec, Share

GIB = 1024**3
SIZING = workload.Sizing(
    kai=True,
    storage="claim",
    storage_class="fast",
    volume_bytes=10 * GIB,
    cpu_millicores=500,
    memory_bytes=GIB,
    overhead=123,
    card_floor_mib=20_000,
)


def wish(**more: Any) -> ModelSpec:
    return spec(**({"name": "coder", "namespace": "team-a", "queue": "research", "share": Share(fraction=0.5)} | more))


def made(given: ModelSpec | None = None, **change: Any) -> dict[str, dict[str, Any]]:
    objects = workload.manifests(given or wish(), msgspec.structs.replace(SIZING, **change))
    return {item["kind"]: item for item in objects}


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


def test_the_service_comes_before_what_it_serves_and_the_claim_before_both() -> None:
    assert list(made()) == ["PersistentVolumeClaim", "Service", "Deployment"]


@pytest.mark.parametrize("storage", ["claim", "each", "empty"])
@pytest.mark.parametrize("share", [Share(fraction=0.5), Share(devices=1), Share(devices=0), Share(memory_mib=8000)])
def test_every_pod_is_clean_under_pod_security_restricted(storage: str, share: Share) -> None:
    found = pod(made(wish(share=share, registry_secret="key"), storage=storage))
    assert pod_security.violations(found) == []
    assert found["automountServiceAccountToken"] is False


def test_the_checker_itself_finds_what_is_wrong() -> None:
    found = pod(made())
    found["containers"][0]["securityContext"]["privileged"] = True
    found["hostNetwork"] = True
    found["volumes"].append({"name": "root", "hostPath": {"path": "/"}})
    found["securityContext"]["runAsNonRoot"] = False
    told = " ".join(pod_security.violations(found))
    for word in ("privileged", "hostNetwork", "volume root", "runAsNonRoot"):
        assert word in told


def test_labels_and_annotations_are_those_of_the_contract() -> None:
    for item in made().values():
        assert item["metadata"]["labels"] | {"kai.scheduler/queue": "research"} == {
            "app.kubernetes.io/name": "coder",
            "app.kubernetes.io/instance": "coder",
            "app.kubernetes.io/managed-by": "sealane",
            "app.kubernetes.io/part-of": "sealane",
            "kai.scheduler/queue": "research",
        }
        assert item["metadata"]["annotations"] == {
            "sealane.dev/model": "qwen2.5-coder:7b",
            "sealane.dev/engine": "ollama",
            "sealane.dev/share": "0.5",
        }


def test_the_selector_never_holds_what_may_change() -> None:
    deployment = made()["Deployment"]["spec"]
    assert deployment["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "coder",
        "app.kubernetes.io/managed-by": "sealane",
    }
    assert made()["Service"]["spec"]["selector"] == deployment["selector"]["matchLabels"]


def test_the_template_has_no_name_and_shares_nothing_with_the_deployment() -> None:
    deployment = made()["Deployment"]
    template = deployment["spec"]["template"]["metadata"]
    assert set(template) == {"labels", "annotations"}
    assert template["labels"] is not deployment["metadata"]["labels"]
    assert "gpu-fraction" not in deployment["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("millicores", "memory", "written"),
    [(500, GIB, ("500m", "1Gi")), (2000, GIB + 1, ("2", "1025Mi")), (1500, 3 * GIB, ("1500m", "3Gi"))],
)
def test_quantities_are_written_as_the_server_writes_them_back(
    millicores: int, memory: int, written: tuple[str, str]
) -> None:
    requests = pod(made(cpu_millicores=millicores, memory_bytes=memory))["containers"][0]["resources"]["requests"]
    assert (requests["cpu"], requests["memory"]) == written


def test_the_card_floor_is_a_rule_on_the_nodes_label() -> None:
    affinity = pod(made())["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert affinity["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["19999"]}]}
    ]
    assert "affinity" not in pod(made(storage="empty", card_floor_mib=0))


def test_without_kai_nothing_of_kai_is_there() -> None:
    text = str(made(kai=False))
    assert "kai" not in text
    assert "gpu-fraction" not in text


def test_a_stop_leaves_time_for_what_is_in_flight() -> None:
    found = pod(made())
    assert found["terminationGracePeriodSeconds"] == 30
    assert found["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]


def test_server_and_pull_work_on_the_same_folder() -> None:
    found = pod(made())
    (pull,), (serve,) = found["initContainers"], found["containers"]
    assert pull["volumeMounts"] == serve["volumeMounts"] == [{"name": "models", "mountPath": "/models"}]
    assert pull["image"] == serve["image"]
    environments = [{pair["name"]: pair["value"] for pair in each["env"]} for each in (pull, serve)]
    assert {each["OLLAMA_MODELS"] for each in environments} == {"/models"}
    assert {each["SEALANE_MODEL"] for each in environments} == {"qwen2.5-coder:7b"}
    assert [pair["value"] for pair in serve["env"] if pair["name"] == "OLLAMA_GPU_OVERHEAD"] == ["123"]
