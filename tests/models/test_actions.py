"""The verbs against a cluster in memory: what is asked first, what is written, and every no with its way out."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator
from typing import Any

import hosting as h
import msgspec
import pytest
from fake_kube import FakeKube, StepClock, context, forbidden, settle
from fake_ollama import FakeOllama

from sealane.fleet import Fleet
from sealane.gpus import inventory
from sealane.gpus.facts import Card, ClusterFacts, Node, Queue
from sealane.kube import errors as kube_errors
from sealane.kube import resources
from sealane.lib.errors import UsageError
from sealane.models import action_errors, actions, catalogue, errors, hosted, stage_views
from sealane.models.hosted import Key
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Plan, Share

TAG = h.MODEL
KEY = Key("harbor-eu", "team-a", "qwen")


def facts(**parts: Any) -> ClusterFacts:
    node = Node(
        name="gpu-a",
        ready=True,
        schedulable=True,
        product="NVIDIA-L4",
        memory_mib=24564,
        cards=tuple(Card(index=index, free=1.0) for index in range(4)),
        cpu_free=16.0,
        memory_free=64 * 2**30,
    )
    given: dict[str, Any] = {
        "name": "harbor-eu",
        "version": "v1.34.1",
        "kai": True,
        "gpu_sharing": True,
        "region": "",
        "nodes": (node,),
        "queues": (queue("vision", quota=2.0, limit=4.0),),
        "namespaces": ("team-a",),
        "storage_class": "fast",
    }
    return ClusterFacts(**{**given, **parts})


def queue(name: str, *, quota: float | None, limit: float | None, held: float = 0.0, parent: str = "") -> Queue:
    return Queue(
        name=name,
        parent=parent,
        quota=quota,
        limit=limit,
        weight=1.0,
        allocated=held,
        allocated_non_preemptible=held,
        requested=held,
    )


def planned(**wish: Any) -> Plan:
    given = {"model": TAG, "cluster": "harbor-eu", "namespace": "team-a", "name": "qwen", "queue": "vision"}
    spec = ModelSpec(**{**given, "share": Share(devices=1), **wish})
    return plan(spec, catalogue.load().find(TAG), facts())


@contextlib.asynccontextmanager
async def cluster(clock: StepClock | None = None) -> AsyncIterator[tuple[FakeKube, Fleet]]:
    kube = FakeKube()
    kube.put(resources.NAMESPACES, {"metadata": {"name": "team-a"}})
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    kube.put(resources.STORAGECLASSES, {"metadata": {"name": "fast", "annotations": default}})
    kube.put(
        resources.QUEUES, {"metadata": {"name": "vision"}, "spec": {"resources": {"gpu": {"quota": 2, "limit": 4}}}}
    )
    async with Fleet([context()], clock=clock or StepClock(), make_client=kube.client) as fleet:
        await settle()
        yield kube, fleet


def written(kube: FakeKube) -> list[tuple[str, str]]:
    return [(verb, plural) for verb, plural, _ in kube.calls if verb in {"apply", "apply-force", "create"}]


async def test_submitting_dry_runs_everything_before_it_writes_anything() -> None:
    async with cluster() as (kube, fleet):
        done = await actions.submit(fleet, planned())
        verbs = [verb for verb, _, _ in kube.calls if verb in {"dry-run", "apply"}]
        assert verbs == ["dry-run"] * 4 + ["apply"] * 3
        assert done.key == KEY
        assert done.objects == ("PersistentVolumeClaim qwen-weights", "Service qwen", "Deployment qwen")
        assert ("team-a", "qwen") in kube.objects[resources.DEPLOYMENTS]
        assert resources.PODS not in kube.objects


async def test_a_submitted_model_is_in_the_cache_when_submit_returns() -> None:
    async with cluster() as (_, fleet):
        await actions.submit(fleet, planned())
        assert hosted.deployment_of(fleet.cluster("harbor-eu"), "team-a", "qwen") is not None


async def test_a_dry_run_leaves_nothing_behind() -> None:
    async with cluster() as (kube, fleet):
        done = await actions.submit(fleet, planned(), dry_run=True)
        assert done.dry_run
        assert written(kube) == []


async def test_a_plan_with_refusals_is_never_sent() -> None:
    async with cluster() as (kube, fleet):
        with pytest.raises(errors.QueueMissing):
            await actions.submit(fleet, planned(queue="nobody"))
        assert [call for call in kube.calls if call[0] in {"get", "dry-run"}] == []


async def test_a_missing_namespace_is_told_with_the_command_that_makes_it() -> None:
    async with cluster() as (kube, fleet):
        kube.drop(resources.NAMESPACES, "", "team-a")
        with pytest.raises(errors.NamespaceMissing, match="no namespace team-a in harbor-eu") as caught:
            await actions.submit(fleet, planned())
        assert caught.value.next_steps[0].command == "kubectl --context harbor-eu create namespace team-a"
        assert written(kube) == []


async def test_a_namespace_that_may_not_be_looked_at_is_no_reason_to_stop() -> None:
    async with cluster() as (kube, fleet):
        kube.denied = {("namespaces", "")}
        assert (await actions.submit(fleet, planned())).objects


async def test_a_name_that_somebody_else_uses_is_never_overwritten() -> None:
    async with cluster() as (kube, fleet):
        kube.put(resources.DEPLOYMENTS, h.deployment(managed_by="Helm"))
        with pytest.raises(errors.NameTaken, match="already a Deployment qwen in team-a of harbor-eu, made by Helm"):
            await actions.submit(fleet, planned())
        assert written(kube) == []


async def test_a_name_that_another_model_uses_is_taken_too() -> None:
    async with cluster() as (kube, fleet):
        kube.put(resources.DEPLOYMENTS, h.deployment(model="llama3.2:3b"))
        with pytest.raises(errors.NameTaken, match=r"for the model llama3\.2:3b"):
            await actions.submit(fleet, planned())


async def test_a_service_of_that_name_counts_as_taken() -> None:
    async with cluster() as (kube, fleet):
        kube.put(resources.SERVICES, {"metadata": {"name": "qwen", "namespace": "team-a"}})
        with pytest.raises(errors.NameTaken, match="Service qwen"):
            await actions.submit(fleet, planned())


async def test_the_same_model_again_is_an_update() -> None:
    async with cluster() as (_, fleet):
        await actions.submit(fleet, planned())
        assert (await actions.submit(fleet, planned(context=4096))).objects


async def test_without_the_right_to_create_it_says_which_one() -> None:
    async with cluster() as (kube, fleet):
        kube.denied = {("deployments", "")}
        with pytest.raises(action_errors.NamespaceForbidden, match="role in team-a may not patch deployments"):
            await actions.submit(fleet, planned())
        assert written(kube) == []


@pytest.mark.parametrize(
    ("said", "kind", "match"),
    [
        (
            'admission webhook "kai" denied the request: cannot have both GPU fraction request and whole GPU resource '
            "request/limit",
            action_errors.PodRefused,
            "cannot have both GPU fraction",
        ),
        (
            'pods "qwen-dry-run" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            action_errors.PodRefused,
            "Pod Security restricted:latest",
        ),
        (
            'admission webhook "kai" denied the request: attempting to create a pod team-a/qwen-dry-run with '
            "gpu sharing request, while GPU sharing is disabled",
            errors.SharingOff,
            "switched off in harbor-eu",
        ),
        (
            'pods "qwen-dry-run" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=2, '
            "used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=1",
            action_errors.PodRefused,
            "limit requests.nvidia.com/gpu=1",
        ),
    ],
)
async def test_what_the_pods_would_be_refused_for_is_heard_before_anything_is_created(
    said: str, kind: type[Exception], match: str
) -> None:
    async with cluster() as (kube, fleet):
        kube.refuse = lambda _verb, obj, _dry: forbidden(said) if obj["kind"] == "Pod" else None
        with pytest.raises(kind, match=match):
            await actions.submit(fleet, planned())
        assert written(kube) == []


async def test_a_quota_that_others_hold_is_a_warning() -> None:
    said = 'pods "q" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=4, limited: pods=4'
    async with cluster() as (kube, fleet):
        kube.refuse = lambda _verb, obj, _dry: forbidden(said) if obj["kind"] == "Pod" else None
        done = await actions.submit(fleet, planned())
        assert any("The copies wait until there is room." in warning for warning in done.warnings)


@pytest.mark.parametrize(
    "said",
    [
        'pods is forbidden: User "dana" cannot create resource "pods" in API group "" in the namespace "team-a"',
        'admission webhook "other" does not support dry run',
    ],
)
async def test_a_dry_run_that_cannot_be_made_is_no_refusal(said: str) -> None:
    async with cluster() as (kube, fleet):
        kube.refuse = lambda _verb, obj, _dry: forbidden(said) if obj["kind"] == "Pod" else None
        assert (await actions.submit(fleet, planned())).objects


def conflict(manager: str) -> kube_errors.Conflict:
    cause = kube_errors.Cause("FieldManagerConflict", f'conflict with "{manager}" using apps/v1', ".spec.replicas")
    return kube_errors.Conflict(409, "Conflict", "Apply failed", kube_errors.Details(causes=[cause]))


async def test_fields_that_somebody_else_changed_are_told_and_kept() -> None:
    async with cluster() as (kube, fleet):
        kube.refuse = lambda _verb, obj, _dry: conflict("kubectl-edit") if obj["kind"] == "Deployment" else None
        with pytest.raises(action_errors.FieldConflict, match=r"changed by kubectl-edit: \.spec\.replicas"):
            await actions.submit(fleet, planned())
        assert written(kube) == []


async def test_fields_that_sealane_itself_scaled_are_taken_back() -> None:
    async with cluster() as (kube, fleet):
        kube.refuse = lambda verb, obj, _: (
            conflict("sealane") if obj["kind"] == "Deployment" and verb != "apply-force" else None
        )
        await actions.submit(fleet, planned())
        assert ("apply-force", "deployments") in written(kube)


async def test_a_failure_in_the_middle_names_what_is_there() -> None:
    async with cluster() as (kube, fleet):
        kube.refuse = lambda _verb, obj, dry: (
            kube_errors.ServerError(500, "InternalError", "etcd is gone")
            if obj["kind"] == "Deployment" and not dry
            else None
        )
        with pytest.raises(action_errors.PartlyApplied, match="etcd is gone") as caught:
            await actions.submit(fleet, planned())
        assert [each.value for each in caught.value.evidence if each.label == "applied"] == [
            "PersistentVolumeClaim qwen-weights",
            "Service qwen",
        ]
        last = caught.value.next_steps[-1].command
        assert last.startswith("kubectl --context harbor-eu -n team-a delete persistentvolumeclaim,service -l ")


async def submitted(fleet: Fleet, **wish: Any) -> None:
    await actions.submit(fleet, planned(**wish))
    await settle()


async def test_scaling_goes_through_the_scale_subresource_and_gives_back_the_model() -> None:
    async with cluster() as (kube, fleet):
        await submitted(fleet)
        after = await actions.scale(fleet, KEY, copies=2)
        assert (after.name, after.copies) == ("qwen", 2)
        assert kube.objects[resources.DEPLOYMENTS][("team-a", "qwen")]["spec"]["replicas"] == 2
        assert (await actions.scale(fleet, KEY, copies=0)).copies == 0


async def test_scaling_gives_back_what_the_engines_say() -> None:
    async with cluster() as (kube, fleet):
        ollama = FakeOllama(h.MODEL)
        ollama.memory = [h.MODEL]
        kube.put(resources.DEPLOYMENTS, h.deployment(ready=1))
        kube.put(resources.REPLICASETS, h.replicaset())
        kube.put(resources.PODS, h.answering())
        kube.pods[("team-a", "qwen-1-a")] = ollama
        await fleet.cluster("harbor-eu").synced(*hosted.KINDS)
        after = await actions.scale(fleet, KEY, copies=2)
        assert (after.stage, after.copies, after.ready) == ("Answering", 2, 1)


async def test_copies_above_what_the_queue_may_hold_are_refused_with_what_would_fit() -> None:
    async with cluster() as (kube, fleet):
        await submitted(fleet)
        with pytest.raises(errors.CopiesAboveQuota, match=r"5 copies of 1 card are 5 GPUs; queue vision") as caught:
            await actions.scale(fleet, KEY, copies=5)
        assert caught.value.next_steps[0].command.startswith("sealane scale qwen --copies")
        assert kube.objects[resources.DEPLOYMENTS][("team-a", "qwen")]["spec"]["replicas"] == 1


async def test_someone_who_may_read_neither_nodes_nor_queues_can_still_host() -> None:
    async with cluster() as (kube, fleet):
        kube.denied = {("nodes", ""), ("queues", "")}
        seen = await inventory.current(fleet.cluster("harbor-eu"))
        spec = ModelSpec(
            model=TAG, cluster="harbor-eu", namespace="team-a", name="qwen", queue="mine", share=Share(devices=1)
        )
        made = plan(spec, catalogue.load().find(TAG), seen)
        assert made.refusals == ()
        assert "not known" in made.placement.sentence
        assert (await actions.submit(fleet, made)).objects
        unsaid = plan(msgspec.structs.replace(spec, queue=""), catalogue.load().find(TAG), seen)
        assert [refusal.code for refusal in unsaid.refusals] == ["queue-missing"]
        assert "say which one" in unsaid.refusals[0].sentence


async def test_negative_copies_are_wrong_usage() -> None:
    async with cluster() as (_, fleet):
        with pytest.raises(UsageError):
            await actions.scale(fleet, KEY, copies=-1)


async def test_scaling_what_is_not_there_gives_the_nearest_names() -> None:
    async with cluster() as (_, fleet):
        await submitted(fleet)
        list(hosted.deployments(fleet.cluster("harbor-eu")))
        await settle()
        with pytest.raises(hosted.NotHosted, match="Did you mean qwen"):
            await actions.scale(fleet, Key("harbor-eu", "team-a", "quen"), copies=2)


async def test_other_peoples_deployments_are_not_scaled() -> None:
    async with cluster() as (kube, fleet):
        kube.put(resources.DEPLOYMENTS, h.deployment(managed_by="Helm"))
        with pytest.raises(hosted.NotHosted):
            await actions.scale(fleet, KEY, copies=2)


def spec(copies: int = 1, **parts: Any) -> ModelSpec:
    given: dict[str, Any] = {"model": TAG, "cluster": "harbor-eu", "name": "qwen", "queue": "vision", "copies": copies}
    return ModelSpec(**{**given, "share": Share(devices=1), **parts})


def test_what_others_hold_is_a_warning_and_what_never_fits_a_refusal() -> None:
    held = facts(queues=(queue("vision", quota=None, limit=4.0, held=3.0),))
    assert actions.check_copies(spec(1), 2, held) == ()
    warned = actions.check_copies(spec(1), 3, held)
    assert warned == ("Queue vision may hold 4 GPUs and 3 are held; 2 new copies may wait.",)
    with pytest.raises(errors.CopiesAboveQuota, match="may hold 4"):
        actions.check_copies(spec(1), 5, held)


def test_a_parent_queue_bounds_too() -> None:
    both = facts(
        queues=(
            queue("vision", quota=None, limit=None, parent="all"),
            queue("all", quota=None, limit=1.0),
        )
    )
    with pytest.raises(errors.CopiesAboveQuota, match="queue all may hold 1"):
        actions.check_copies(spec(1), 2, both)


@pytest.mark.parametrize(("wish", "switch"), [({"share": Share(devices=0)}, True), ({"queue": ""}, True), ({}, False)])
def test_without_kai_a_queue_or_a_gpu_nothing_is_bounded(wish: dict[str, Any], switch: bool) -> None:
    assert actions.check_copies(spec(1, **wish), 100, facts(kai=switch)) == ()


def test_parts_of_a_card_count_as_parts() -> None:
    quarter = spec(1, share=Share(fraction=0.25))
    assert actions.check_copies(quarter, 8, facts()) == ()
    with pytest.raises(errors.CopiesAboveQuota):
        actions.check_copies(quarter, 9, facts())


def test_memory_counts_by_the_smallest_card_that_can_hold_it() -> None:
    one = queue("vision", quota=None, limit=1.0)
    (large,) = facts().nodes
    small = msgspec.structs.replace(large, name="gpu-b", memory_mib=8_192)
    mixed = facts(queues=(one,), nodes=(small, large))
    assert actions.check_copies(spec(1, share=Share(memory_mib=12_000)), 2, mixed) == ()


async def test_restarting_changes_one_annotation_of_the_template() -> None:
    clock = StepClock()
    async with cluster(clock) as (kube, fleet):
        await submitted(fleet)
        await actions.restart(fleet, KEY)
        template = kube.objects[resources.DEPLOYMENTS][("team-a", "qwen")]["spec"]["template"]
        stamp = template["metadata"]["annotations"][actions.RESTARTED]
        assert datetime.datetime.fromisoformat(stamp) == clock.now().replace(microsecond=0)


async def test_a_knob_is_the_same_wish_planned_again() -> None:
    async with cluster() as (kube, fleet):
        kube.put(
            resources.NODES,
            {
                "metadata": {"name": "gpu-a", "labels": {"nvidia.com/gpu.memory": "24564"}},
                "status": {
                    "allocatable": {"nvidia.com/gpu": "4", "cpu": "16", "memory": "64Gi"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            },
        )
        await submitted(fleet)
        card = catalogue.load().find(TAG)
        done = await actions.change(fleet, KEY, card, context=16384)
        assert done.key == KEY
        live = kube.objects[resources.DEPLOYMENTS][("team-a", "qwen")]
        found = hosted.spec_of("harbor-eu", stage_views.view(live, hosted.DeploymentView))
        assert found.context == 16384
        assert (found.model, found.share, found.queue) == (TAG, Share(devices=1), "vision")


async def test_a_knob_turned_on_two_copies_keeps_the_volume_with_the_weights() -> None:
    async with cluster() as (kube, fleet):
        await submitted(fleet)
        await actions.scale(fleet, KEY, copies=2)
        made = await actions.replan(fleet, KEY, catalogue.load().find(TAG), context=4096)
        deployed = next(item for item in made.manifests if item["kind"] == "Deployment")
        volumes = deployed["spec"]["template"]["spec"]["volumes"]
        assert deployed["spec"]["replicas"] == 2
        assert volumes[0]["persistentVolumeClaim"] == {"claimName": "qwen-weights"}
        assert kube.objects[resources.DEPLOYMENTS][("team-a", "qwen")]["spec"]["replicas"] == 2
