"""What runs that is dying: put together from pods, and ordered by what would be hit."""

from __future__ import annotations

from typing import Any

import msgspec

from sealane.health import running
from sealane.health.risk import Judged, Workload, risks
from sealane.health.running import PodView

DYING = Judged(state="dying", rule="8 dying", sentence="It falls silent.", as_of="2026-08-01T00:00:00Z")
STEADY = Judged(state="steady", rule="11 steady", sentence="It goes on.")


def workload(name: str, image: str, *, copies: int = 1, gpus: float = 0.0, cluster: str = "harbor-eu") -> Workload:
    return Workload(
        cluster=cluster, namespace="ns", kind="Deployment", name=name, images=(image,), copies=copies, gpus=gpus
    )


def verdicts(repository: str) -> Judged | None:
    return {"ollama/ollama": STEADY, "qdrant/qdrant": DYING, "grafana/grafana": DYING}.get(repository)


def test_the_worst_state_comes_first_and_then_what_holds_most_gpus() -> None:
    found = risks(
        [
            workload("a", "ollama/ollama", copies=9, gpus=9),
            workload("b", "grafana/grafana", copies=9),
            workload("c", "qdrant/qdrant", gpus=1),
        ],
        verdicts,
    )
    assert [risk.project for risk in found] == ["qdrant/qdrant", "grafana/grafana", "ollama/ollama"]


def test_workloads_of_all_clusters_that_rest_on_one_project_are_one_row() -> None:
    found = risks(
        [
            workload("a", "ollama/ollama:1", copies=2, gpus=0.5),
            workload("a", "docker.io/ollama/ollama:2", cluster="atlas-us", gpus=0.25),
        ],
        verdicts,
    )
    assert len(found) == 1
    row = found[0]
    assert (row.copies, row.gpus) == (3, 0.75)
    assert row.workloads == ("atlas-us/ns/deployment/a", "harbor-eu/ns/deployment/a")
    assert row.images == ("docker.io/ollama/ollama:2", "ollama/ollama:1")


def test_an_image_without_a_source_and_a_project_that_nobody_fetched_are_unknown_and_say_why() -> None:
    nameless, unfetched = risks([workload("a", "<none>:<none>", gpus=1), workload("b", "redis")], verdicts)
    assert (nameless.state, unfetched.state) == ("unknown", "unknown")
    assert "names no source" in nameless.sentence
    assert "fetch it" in unfetched.sentence


def test_nothing_running_is_no_risk() -> None:
    assert risks([], verdicts) == []


def pod(name: str, **changed: Any) -> PodView:
    raw: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"containers": [{"image": "ollama/ollama"}]},
        "status": {"phase": "Running"},
    }
    for key, value in changed.items():
        raw[key] = raw[key] | value
    return msgspec.convert(raw, PodView)


def owner(kind: str, name: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}


def test_copies_of_a_deployment_are_one_workload() -> None:
    labels = {"labels": {"pod-template-hash": "abc12"}}
    meta = owner("ReplicaSet", "coder-abc12") | labels
    found = running.build(
        "c", [pod(f"coder-abc12-{n}", metadata={"name": f"coder-abc12-{n}", **meta}) for n in range(3)]
    )
    assert [(one.kind, one.name, one.copies) for one in found] == [("Deployment", "coder", 3)]


def test_a_replica_set_of_its_own_and_a_bare_pod_are_themselves() -> None:
    found = running.build("c", [pod("x", metadata=owner("ReplicaSet", "mine")), pod("alone")])
    assert [(one.kind, one.name) for one in found] == [("Pod", "alone"), ("ReplicaSet", "mine")]


def test_gpus_are_whole_ones_or_shares_and_init_containers_count_for_images() -> None:
    whole = pod("w", spec={"containers": [{"image": "a/b", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]})
    share = pod("s", metadata={"annotations": {"gpu-fraction": "0.25", "gpu-fraction-num-devices": "2"}})
    odd = pod("o", metadata={"annotations": {"gpu-fraction": "much"}})
    init = pod("i", spec={"initContainers": [{"image": "x/pull"}]})
    by_name = {one.name: one for one in running.build("c", [whole, share, odd, init])}
    assert {name: one.gpus for name, one in by_name.items()} == {"w": 2, "s": 0.5, "o": 0, "i": 0}
    assert by_name["i"].images == ("ollama/ollama", "x/pull")


def test_what_has_ended_rests_on_nothing() -> None:
    assert running.build("c", [pod("done", status={"phase": "Succeeded"})]) == []
