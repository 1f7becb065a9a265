"""What a plan creates really runs: KAI binds it, the pod pulls by itself, its copies share a node and their weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from model_samples import card, node, queue
from rig_manifests import Deployed, init_state, is_ready

from rig.api import JsonObject
from rig.cluster import Rig
from rig.processes import wait_until
from sealane.gpus.facts import ClusterFacts
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Plan, Share

pytestmark = pytest.mark.rig


def facts(rig: Rig) -> ClusterFacts:
    """The rig as it stands, written by hand: two sizes of cards, one queue, one storage class."""
    return ClusterFacts(
        name=rig.clusters[0].name,
        version="v1.34.1",
        kai=True,
        gpu_sharing=True,
        region="eu-central-1",
        nodes=(node("gpu-a", memory_mib=81_559, free=(1.0,) * 4), node("gpu-b", memory_mib=24_564, free=(1.0,) * 2)),
        queues=(queue("team-a"),),
        namespaces=("team-a",),
        storage_class="local",
    )


@contextmanager
def applied(rig: Rig, found: Plan) -> Iterator[Deployed]:
    """The plan's objects in the cluster, removed again with all that they left."""
    assert not found.refusals, found.refusals
    cluster = rig.clusters[0]
    paths = {
        "PersistentVolumeClaim": "/api/v1/namespaces/team-a/persistentvolumeclaims",
        "Service": "/api/v1/namespaces/team-a/services",
        "Deployment": "/apis/apps/v1/namespaces/team-a/deployments",
    }
    made = [f"{paths[item['kind']]}/{item['metadata']['name']}" for item in found.manifests]
    deployed = Hosted(cluster=cluster, name=found.spec.name)
    try:
        for path, item in zip(made, found.manifests, strict=True):
            cluster.api.apply(path, item, manager="sealane")
        yield deployed
    finally:
        deployed.remove()
        for path in made:
            if cluster.api.exists(path):
                cluster.api.delete(path)


class Hosted(Deployed):
    """As Sealane labels it."""

    def pods(self) -> list[JsonObject]:
        answer = self.cluster.api.get(
            f"/api/v1/namespaces/team-a/pods?labelSelector=app.kubernetes.io%2Fname%3D{self.name}"
        )
        return sorted(answer["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])


def wish(name: str, **more: object) -> ModelSpec:
    base = ModelSpec(model="tiny-chat", cluster="rig", namespace="team-a", name=name, queue="team-a", context=512)
    return msgspec.structs.replace(base, **more)


def made(rig: Rig, spec: ModelSpec) -> Plan:
    known = msgspec.structs.replace(card("smollm2:135m"), tag=spec.model)
    return plan(spec, known, facts(rig))


def test_a_part_of_a_card_with_kept_weights_runs_and_its_second_copy_needs_no_download(rig: Rig) -> None:
    with applied(rig, made(rig, wish("kept", share=Share(fraction=0.25)))) as hosted:
        first = hosted.ready_pod()
        assert [model["name"] for model in hosted.ask(first, "/api/tags")["models"]] == ["tiny-chat:latest"]
        assert first["metadata"]["annotations"]["gpu-fraction"] == "0.25"
        hosted.cluster.api.patch(f"{hosted.path}/scale", {"spec": {"replicas": 2}})
        wait_until("two ready copies", lambda: sum(map(is_ready, hosted.pods())) == 2, limit=60)
        assert len({pod["spec"]["nodeName"] for pod in hosted.pods()}) == 1


def test_copies_with_a_volume_each_run(rig: Rig) -> None:
    with applied(rig, made(rig, wish("each", share=Share(devices=1), copies=2))) as hosted:
        wait_until("two ready copies", lambda: sum(map(is_ready, hosted.pods())) == 2, limit=60)
        for pod in hosted.pods():
            assert hosted.ask(pod, "/api/tags")["models"][0]["name"] == "tiny-chat:latest"


def test_a_missing_tag_is_readable_in_the_pods_status(rig: Rig) -> None:
    found = made(rig, wish("missing", model="tiny-chat:nope", keep_weights=False, share=Share(fraction=0.5)))
    with applied(rig, found) as hosted:

        def message(pod: JsonObject) -> str:
            status = (pod["status"].get("initContainerStatuses") or [{}])[0]
            ended = init_state(pod).get("terminated") or status.get("lastState", {}).get("terminated") or {}
            return str(ended.get("message", ""))

        pod = hosted.wait("failed to pull", lambda each: "could not be pulled" in message(each), limit=60)
        assert "tiny-chat:nope could not be pulled" in message(pod)
        assert "Error" in message(pod)
