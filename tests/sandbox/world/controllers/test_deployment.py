"""Rolling updates as kubectl watches them: revisions, bounds, conditions, Recreate, history, failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.world import objects
from sealane.sandbox.world.controllers import deployment as subject

Obj = dict[str, Any]
Make = Callable[..., Obj]


def condition(sim: Any, name: str, kind: str) -> Obj:
    found = objects.condition(sim.cluster.get("deployments", "team-a", name), kind)
    assert found is not None
    return found


async def available(sim: Any, name: str, count: int) -> None:
    def true() -> bool:
        status = sim.cluster.get("deployments", "team-a", name).get("status", {})
        return bool(status.get("availableReplicas", 0) == status.get("replicas") == count)

    await sim.until(true, within=60)


def new_image(sim: Any, name: str, image: str) -> None:
    def change(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    sim.cluster.change("deployments", "team-a", name, change)


async def test_a_deployment_becomes_a_replica_set_and_pods_that_run(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=3))
    await available(sim, "web", 3)
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert all(pod["metadata"]["name"].startswith(f"web-{digest}-") for pod in sim.pods())
    assert all(pod["metadata"]["labels"]["pod-template-hash"] == digest for pod in sim.pods())
    deployment = sim.cluster.get("deployments", "team-a", "web")
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
    assert condition(sim, "web", "Available")["reason"] == "MinimumReplicasAvailable"
    assert condition(sim, "web", "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert sim.reasons("web") == ["ScalingReplicaSet"]


async def test_an_update_never_goes_below_or_above_its_bounds(sim: Any, a_deployment: Make) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    sim.cluster.create("deployments", a_deployment("web", replicas=4, strategy=strategy))
    await available(sim, "web", 4)
    new_image(sim, "web", "nginx:1.28")
    seen: list[tuple[int, int]] = []

    def finished() -> bool:
        pods = [pod for pod in sim.pods() if objects.active(pod)]
        seen.append((sum(objects.ready(pod) for pod in pods), len(pods)))
        images = {pod["spec"]["containers"][0]["image"] for pod in sim.pods()}
        return images == {"nginx:1.28"} and condition(sim, "web", "Progressing")["reason"] == "NewReplicaSetAvailable"

    await sim.until(finished, within=120)
    assert min(ready for ready, _ in seen) >= 3
    assert max(total for _, total in seen) <= 5
    old, new = sorted(sim.cluster.list("replicasets", "team-a"), key=lambda item: int(item["spec"]["replicas"]))
    assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 4)
    assert new["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_going_back_reuses_the_old_replica_set_under_a_new_revision(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await available(sim, "web", 1)
    for image in ("nginx:1.28", "nginx:1.27"):
        new_image(sim, "web", image)
        await sim.run(20)
    replica_sets = sim.cluster.list("replicasets", "team-a")
    assert len(replica_sets) == 2
    current = next(item for item in replica_sets if item["spec"]["replicas"])
    assert current["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
    assert current["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_template_that_lost_its_empty_fields_is_still_the_same() -> None:
    def template(**env: str) -> Obj:
        return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "env": [env]}]}}

    replica_set = {"spec": {"template": template(name="E", value="")}}
    replica_set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "x"
    assert subject._same_template(replica_set, {"spec": {"template": template(name="E")}})
    assert not subject._same_template(replica_set, {"spec": {"template": template(name="E", value="1")}})


async def test_recreate_ends_all_old_pods_before_it_starts_new_ones(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web", replicas=2, strategy={"type": "Recreate"}))
    await available(sim, "web", 2)
    new_image(sim, "web", "nginx:1.28")
    mixed = []

    def finished() -> bool:
        images = {pod["spec"]["containers"][0]["image"] for pod in sim.pods()}
        mixed.append(len(images) > 1)
        return images == {"nginx:1.28"}

    await sim.until(finished, within=60, step=0.1)
    assert not any(mixed)
    await available(sim, "web", 2)


async def test_scaling_makes_no_new_revision(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await available(sim, "web", 1)
    for wanted in (3, 0):
        sim.cluster.change("deployments", "team-a", "web", lambda obj, n=wanted: obj["spec"].update(replicas=n))
        await sim.until(lambda n=wanted: len(sim.pods()) == n, within=30)
    assert len(sim.cluster.list("replicasets", "team-a")) == 1
    assert "availableReplicas" not in sim.cluster.get("deployments", "team-a", "web")["status"]


async def test_a_refused_pod_shows_as_replica_failure(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("bad", gpus=1, queue="a", notes={"gpu-fraction": "0.5"}))
    await sim.run(2)
    assert "cannot have both GPU fraction request" in condition(sim, "bad", "ReplicaFailure")["message"]
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    assert sim.reasons(replica_set["metadata"]["name"]) == ["FailedCreate"]
    assert sim.pods() == []


async def test_an_update_that_cannot_finish_exceeds_its_deadline(sim: Any, a_deployment: Make) -> None:
    deployment = a_deployment("web", image="nginx/does-not-exist:1")
    deployment["spec"]["progressDeadlineSeconds"] = 30
    sim.cluster.create("deployments", deployment)
    await sim.run(60)
    assert condition(sim, "web", "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert condition(sim, "web", "Available")["status"] == "False"


async def test_a_paused_deployment_does_not_roll(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await available(sim, "web", 1)
    sim.cluster.change("deployments", "team-a", "web", lambda obj: obj["spec"].update(paused=True))
    new_image(sim, "web", "nginx:1.28")
    await sim.run(15)
    assert sim.pod()["spec"]["containers"][0]["image"] == "nginx:1.27"
    sim.cluster.change("deployments", "team-a", "web", lambda obj: obj["spec"].pop("paused"))
    await sim.until(lambda: sim.pods()[-1]["spec"]["containers"][0]["image"] == "nginx:1.28", within=30)


async def test_only_so_many_old_replica_sets_are_kept(sim: Any, a_deployment: Make) -> None:
    deployment = a_deployment("web")
    deployment["spec"]["revisionHistoryLimit"] = 1
    sim.cluster.create("deployments", deployment)
    for number in range(4):
        new_image(sim, "web", f"nginx:1.2{number}")
        await sim.run(15)
    assert len(sim.cluster.list("replicasets", "team-a")) == 2


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "room"),
    [("25%", "25%", 4, (1, 1)), ("25%", "25%", 1, (1, 0)), (0, 1, 3, (0, 1)), (0, 0, 3, (0, 1)), ("50%", 0, 3, (2, 0))],
)
def test_surge_rounds_up_and_unavailable_rounds_down(
    surge: int | str, unavailable: int | str, replicas: int, room: tuple[int, int]
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    assert subject._room(spec) == room


@given(st.integers(0, 50), st.integers(0, 100), st.integers(0, 100))
def test_there_is_always_room_to_move(replicas: int, surge: int, unavailable: int) -> None:
    rolling = {"maxSurge": f"{surge}%", "maxUnavailable": f"{unavailable}%"}
    spec = {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}
    found = subject._room(spec)
    assert sum(found) > 0
    assert found[1] <= max(replicas, 1)


async def test_pods_that_were_left_behind_are_taken_over_by_a_new_owner(sim: Any, a_deployment: Make) -> None:
    made = sim.cluster.create("deployments", a_deployment("web", replicas=2))
    await available(sim, "web", 2)
    before = {pod["metadata"]["uid"] for pod in sim.pods()}
    sim.cluster.delete("deployments", made, propagation="Orphan")
    await sim.run(2)
    sim.cluster.create("deployments", a_deployment("web", replicas=2))
    await available(sim, "web", 2)
    assert {pod["metadata"]["uid"] for pod in sim.pods()} == before
    assert len(sim.cluster.list("replicasets", "team-a")) == 1


async def test_a_loose_pod_without_the_templates_hash_is_not_the_deployments(
    sim: Any, a_deployment: Make, a_pod: Make
) -> None:
    sim.cluster.create("pods", a_pod("loose", labels={"app": "web"}))
    await sim.run(5)
    sim.cluster.create("deployments", a_deployment("web"))
    await sim.run(10)
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    owners = [
        objects.controller_of(pod) for pod in sim.pods() if objects.labels(pod).get("pod-template-hash") == digest
    ]
    assert len(owners) == 1
    assert objects.controller_of(sim.cluster.get("pods", "team-a", "loose")) is None


async def test_annotations_of_the_deployment_reach_the_replica_set_of_its_revision(
    sim: Any, a_deployment: Make
) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await available(sim, "web", 1)

    def because(obj: Obj) -> None:
        obj["metadata"].setdefault("annotations", {})["kubernetes.io/change-cause"] = "newer"

    sim.cluster.change("deployments", "team-a", "web", because)
    await sim.run(2)
    (replica_set,) = sim.cluster.list("replicasets", "team-a")
    notes = replica_set["metadata"]["annotations"]
    assert notes["kubernetes.io/change-cause"] == "newer"
    assert notes["deployment.kubernetes.io/revision"] == "1"


async def test_the_revision_is_written_with_the_status(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("deployments", a_deployment("web"))
    await available(sim, "web", 1)
    entries = sim.cluster.get("deployments", "team-a", "web")["metadata"]["managedFields"]
    (controller,) = [entry for entry in entries if entry.get("subresource") == "status"]
    assert "f:deployment.kubernetes.io/revision" in controller["fieldsV1"]["f:metadata"]["f:annotations"]
