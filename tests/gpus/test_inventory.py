"""Facts of a cluster from its objects: nodes, queues in KAI's units, switches on evidence, rights said as unknown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle

from sealane.fleet import ClusterUnavailable, Fleet
from sealane.gpus import inventory, views
from sealane.gpus.facts import ClusterFacts
from sealane.kube import resources


def node(name: str = "gpu-a", *, gpus: str = "4", **more: Any) -> dict[str, Any]:
    labels = {
        "nvidia.com/gpu.product": "NVIDIA-L4",
        "nvidia.com/gpu.memory": "24564",
        "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": "eu-central-1a",
        **more.pop("labels", {}),
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": more,
        "status": {
            "allocatable": {"nvidia.com/gpu": gpus, "cpu": "8", "memory": "64Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name: str, *, node: str = "gpu-a", phase: str = "Running", gpus: str = "", **metadata: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": gpus} if gpus else {}
    resources_ = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": limits}
    return {
        "metadata": {"name": name, "namespace": "team-a", **metadata},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": resources_}]},
        "status": {"phase": phase},
    }


def queue(name: str, *, parent: str = "", gpu: dict[str, float] | None = None, **status: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"parentQueue": parent}
    if gpu is not None:
        spec["resources"] = {"gpu": gpu}
    made: dict[str, Any] = {"metadata": {"name": name}, "spec": spec}
    return {**made, "status": status} if status else made


def build(**kinds: Any) -> ClusterFacts:
    shapes: dict[str, Any] = {
        "nodes": views.NodeView,
        "pods": views.PodView,
        "queues": views.QueueView,
        "deployments": views.DeploymentView,
        "storage_classes": views.StorageClassView,
        "configs": views.ConfigView,
    }
    given = {
        key: [msgspec.convert(each, shapes[key]) for each in value] if key in shapes else value
        for key, value in kinds.items()
    }
    given["pods"] = [use for pod in given.get("pods", ()) if (use := inventory.pod_use(pod)) is not None]
    return inventory.build("harbor-eu", inventory.Objects(**given))


def test_only_what_counts_is_kept_of_a_pod() -> None:
    def use(**more: Any) -> inventory.PodUse | None:
        return inventory.pod_use(msgspec.convert(pod("p", **more), views.PodView))

    plain, card = use(), use(gpus="1")
    assert plain is not None
    assert plain.pod is None
    assert card is not None
    assert card.pod is not None
    assert inventory.pod_use(views.PodView(metadata=views.Metadata(name="unplaced"))) is None


def test_a_node_is_told_with_cards_memory_and_place() -> None:
    found = build(nodes=[node()], pods=[pod("a", gpus="1")]).nodes[0]
    assert (found.ready, found.schedulable, found.product, found.memory_mib) == (True, True, "NVIDIA-L4", 24564)
    assert [card.free for card in found.cards] == [0.0, 1.0, 1.0, 1.0]
    assert (found.region, found.zone) == ("eu-central-1", "eu-central-1a")
    assert found.cpu_free == 7.5
    assert found.memory_free == 63 * 2**30


def test_finished_and_unscheduled_pods_hold_nothing() -> None:
    pods = [pod("done", phase="Succeeded", gpus="1"), pod("waiting", node="", gpus="1", phase="Pending")]
    assert all(card.free == 1.0 for card in build(nodes=[node()], pods=pods).nodes[0].cards)


def test_cordons_taints_and_missing_labels_are_kept() -> None:
    plain = node(unschedulable=True, taints=[{"key": "gpu", "value": "only", "effect": "NoSchedule"}])
    del plain["metadata"]["labels"]["nvidia.com/gpu.memory"]
    plain["status"]["conditions"] = []
    found = build(nodes=[plain]).nodes[0]
    assert (found.ready, found.schedulable, found.memory_mib) == (False, False, None)
    assert found.taints == ("gpu=only:NoSchedule",)


def test_regions_of_a_cluster_are_all_named() -> None:
    other = node("gpu-b", labels={"topology.kubernetes.io/region": "eu-west-1"})
    assert build(nodes=[node(), other]).region == "eu-central-1, eu-west-1"


def test_queue_numbers_are_in_devices_and_minus_one_is_unlimited() -> None:
    found = build(
        queues=[
            queue("root"),
            queue(
                "vision",
                parent="root",
                gpu={"quota": 2, "limit": -1, "overQuotaWeight": 1},
                allocated={"nvidia.com/gpu": "1500m"},
                allocatedNonPreemptible={"nvidia.com/gpu": "1"},
                requested={"nvidia.com/gpu": "7"},
            ),
        ],
    ).queues
    root, vision = found
    assert (vision.quota, vision.limit, vision.weight, vision.parent) == (2.0, None, 1.0, "root")
    assert (vision.allocated, vision.allocated_non_preemptible, vision.requested) == (1.5, 1.0, 7.0)
    assert root.children == ("vision",)
    assert not root.leaf
    assert vision.leaf


@pytest.mark.parametrize("gpu", [None, {}, {"quota": 0}])
def test_an_unset_limit_means_that_nothing_more_is_allowed(gpu: dict[str, float] | None) -> None:
    found = build(queues=[queue("q", gpu=gpu)]).queues[0]
    assert (found.quota, found.limit) == (0.0, 0.0)


def test_a_queue_nobody_used_has_zeroes() -> None:
    assert build(queues=[queue("q")]).queues[0].allocated == 0.0


def deployment(name: str, *args: str, namespace: str = "kai-scheduler") -> dict[str, Any]:
    container = {"name": name, "args": list(args)}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def test_kai_is_there_when_its_kind_is_served_and_a_queue_or_a_scheduler_is_seen() -> None:
    assert not build(queues_served=False, queues=[]).kai
    assert not build(queues_served=True, queues=[]).kai
    assert build(queues_served=True, queues=[queue("q")]).kai
    assert build(queues_served=True, deployments=[deployment("kai-scheduler-default")]).kai


def test_where_queues_may_not_be_listed_the_kind_is_all_there_is_to_go_by() -> None:
    found = build(queues_served=True, queues_known=False, nodes_known=False)
    assert found.kai
    assert (found.queues_known, found.nodes_known) == (False, False)
    assert not build(queues_served=False, queues_known=False).kai


def test_gpu_sharing_is_unknown_without_evidence() -> None:
    assert build(queues_served=True, queues=[queue("q")]).gpu_sharing is None


@pytest.mark.parametrize(
    ("args", "sharing"),
    [
        (("--gpu-sharing-enabled=true",), True),
        (("--gpu-sharing-enabled=false",), False),
        (("--gpu-sharing-enabled",), True),
        (("--gpu-sharing-enabled", "false"), False),
        (("--webhook-addr=9443",), False),
    ],
)
def test_the_admissions_flag_decides_about_sharing(args: tuple[str, ...], sharing: bool) -> None:
    assert build(deployments=[deployment("admission", *args)]).gpu_sharing is sharing


def test_kais_own_config_goes_before_the_flag() -> None:
    config = {"metadata": {"name": "kai-config"}, "spec": {"admission": {"gpuSharing": False}}}
    flag = deployment("admission", "--gpu-sharing-enabled=true")
    assert build(configs=[config], deployments=[flag]).gpu_sharing is False


def test_a_pod_that_shares_now_proves_that_sharing_works() -> None:
    assert build(pods=[pod("s", labels={"runai-gpu-group": "g"})]).gpu_sharing is True


def test_other_peoples_deployments_of_that_name_are_no_evidence() -> None:
    assert build(deployments=[deployment("admission", namespace="shop")]).gpu_sharing is None


def test_the_default_storage_class_is_found_by_its_annotation() -> None:
    default = {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    assert build(storage_classes=[{"metadata": {"name": "slow"}}, default]).storage_class == "fast"
    assert build(storage_classes=[{"metadata": {"name": "slow"}}]).storage_class == ""


def test_names_taken_are_listed_with_their_makers() -> None:
    assert build(deployments=[deployment("web", namespace="shop")]).deployments == (("shop", "web", "Helm"),)


async def test_facts_come_from_the_live_cache_and_say_what_is_not_allowed() -> None:
    kube = FakeKube()
    kube.put(resources.NODES, node())
    kube.put(resources.QUEUES, queue("vision", gpu={"quota": 1, "limit": 1}))
    kube.denied = {("namespaces", ""), ("storageclasses", "")}
    async with Fleet([context()], clock=StepClock(), make_client=kube.client, sandbox=True) as fleet:
        await settle()
        found = await inventory.current(fleet.cluster("harbor-eu"))
        assert found.namespaces is None
        assert (found.nodes_known, found.queues_known) == (True, True)
        assert (found.kai, found.sandbox, found.version) == (True, True, "v1.34.1")
        assert len(found.nodes[0].cards) == 4
        kube.put(resources.PODS, pod("a", gpus="4"))
        await settle()
        assert [card.free for card in inventory.facts(fleet.cluster("harbor-eu")).nodes[0].cards] == [0.0] * 4


async def test_facts_are_made_anew_only_when_something_changed() -> None:
    kube = FakeKube()
    kube.put(resources.NODES, node())
    async with Fleet([context()], clock=StepClock(), make_client=kube.client) as fleet:
        await settle()
        first = await inventory.current(fleet.cluster("harbor-eu"))
        assert inventory.facts(fleet.cluster("harbor-eu")) is first
        kube.put(resources.PODS, pod("a", gpus="1"))
        await settle()
        assert inventory.facts(fleet.cluster("harbor-eu")) is not first


async def test_facts_of_a_dead_cluster_end_with_its_cause() -> None:
    kube = FakeKube()
    kube.down = refused()
    async with Fleet([context()], clock=StepClock(), make_client=kube.client) as fleet:
        with pytest.raises(ClusterUnavailable, match="refused"):
            await inventory.current(fleet.cluster("harbor-eu"), timeout=0.01)
