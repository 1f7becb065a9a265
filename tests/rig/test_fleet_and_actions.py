"""Fleet, inventory, observer and actions on the real thing: Kubernetes, KAI and Ollama say what we think they say."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest

from rig.behaviour import Behaviour
from rig.cluster import Cluster, Rig
from sealane.fleet import Fleet
from sealane.gpus import inventory
from sealane.kube import config, resources
from sealane.models import action_errors, actions, errors, hosted
from sealane.models.engine import Engine
from sealane.models.hosted import Key
from sealane.models.observer import Observer
from sealane.models.plan import plan as make_plan
from sealane.models.types import Header, ModelCard, ModelSpec, Plan, Share, Stage

pytestmark = pytest.mark.rig

LIMIT = 120.0


def card(tag: str) -> ModelCard:
    """A card of one of the rig's tiny models, with a header that memory fit can use."""
    header = Header(
        architecture="llama",
        layers=2,
        embedding=64,
        heads=(4, 4),
        kv_heads=(4, 4),
        key_length=16,
        value_length=16,
        context_max=2048,
    )
    return ModelCard(
        tag=tag,
        title=tag,
        family="tiny",
        parameters=0.001,
        quantization="F16",
        weights_bytes=300_000,
        context_max=2048,
        licence="Apache-2.0",
        capabilities=("chat",),
        header=header,
    )


@pytest.fixture
def well(rig: Rig) -> Iterator[Rig]:
    """The rig, whose models are well again afterwards."""
    yield rig
    rig.registry.behave("library/slow-chat:latest", Behaviour())


@pytest.fixture
async def fleet(cluster: Cluster) -> AsyncIterator[Fleet]:
    contexts = [config.load([cluster.plane.kubeconfig("admin")]).context(cluster.name)]
    async with Fleet(contexts) as opened:
        yield opened


@pytest.fixture
async def observer(fleet: Fleet) -> AsyncIterator[Observer]:
    async with Observer(fleet) as opened:
        yield opened


@pytest.fixture
async def cleanup(fleet: Fleet, cluster: Cluster) -> AsyncIterator[list[Key]]:
    """Keys put here are removed, weights and all, when the test is over."""
    made: list[Key] = []
    yield made
    for key in made:
        with contextlib.suppress(hosted.NotHosted):
            await actions.remove(fleet, key, with_weights=True)


async def planned(fleet: Fleet, cluster: Cluster, tag: str = "tiny-chat:latest", **wish: Any) -> Plan:
    facts = await inventory.current(fleet.cluster(cluster.name), timeout=30)
    given: dict[str, Any] = {
        "model": tag,
        "cluster": cluster.name,
        "namespace": "team-a",
        "name": f"m-{secrets.token_hex(3)}",
        "queue": "team-a",
        "share": Share(fraction=0.25),
        "context": 1024,
        **wish,
    }
    return make_plan(ModelSpec(**given), card(tag), facts)


async def until(wanted: Callable[[], object], *, limit: float = LIMIT) -> None:
    """Return when `wanted()` is true; the real control plane gives no event for what is waited for here."""
    async with asyncio.timeout(limit):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def reach(observer: Observer, key: Key, *wanted: str, limit: float = LIMIT) -> list[Stage]:
    """Follow until one of the stages, and give all that was seen."""
    seen: list[Stage] = []
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(limit),
            contextlib.aclosing(observer.follow(*msgspec.structs.astuple(key))) as stages,
        ):
            async for stage in stages:
                seen.append(stage)
                if stage.stage in wanted:
                    return seen
    pytest.fail(f"{wanted} was not reached in {limit} s; seen: {[(s.stage, s.sentence) for s in seen]}")


def edited(plan: Plan, change: Any) -> Plan:
    """The plan with its Deployment changed by hand, as somebody with an editor would."""
    manifests = [copy.deepcopy(item) for item in plan.manifests]
    change(next(item for item in manifests if item["kind"] == "Deployment"))
    return msgspec.structs.replace(plan, manifests=tuple(manifests))


async def test_the_inventory_sees_the_rigs_cards_queues_and_kai(fleet: Fleet, cluster: Cluster) -> None:
    facts = await inventory.current(fleet.cluster(cluster.name), timeout=30)
    nodes = {node.name: node for node in facts.nodes}
    assert (len(nodes["gpu-a"].cards), nodes["gpu-a"].memory_mib) == (4, 81559)
    assert (len(nodes["gpu-b"].cards), nodes["gpu-b"].memory_mib) == (2, 24564)
    assert all(node.ready and node.schedulable and node.cpu_free > 0 for node in facts.nodes)
    queues = {queue.name: queue for queue in facts.queues}
    assert (queues["team-a"].quota, queues["team-a"].limit) == (2.0, 4.0)
    assert queues["research"].limit is None
    assert not queues["default-parent"].leaf
    assert facts.kai
    assert facts.version.startswith("v1.34")
    assert facts.storage_class == "local"
    assert facts.region == "eu-central-1"
    assert facts.namespaces is not None
    assert "team-a" in facts.namespaces


async def test_a_model_lives_its_whole_life(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key]
) -> None:
    plan = await planned(fleet, cluster)
    assert plan.refusals == ()
    done = await actions.submit(fleet, plan)
    cleanup.append(done.key)
    seen = await reach(observer, done.key, "Answering", "Failed")
    assert seen[-1].stage == "Answering", [stage.sentence for stage in seen]
    assert "Pulling" in {stage.stage for stage in seen}
    row = next(each for each in observer.hosted() if each.name == done.key.name)
    assert (row.model, row.ready, row.share, row.queue, row.context) == ("tiny-chat:latest", 1, "0.25", "team-a", 1024)
    pod = observer.picture(*msgspec.structs.astuple(done.key)).pods[0].metadata.name
    engine = Engine(fleet.cluster(cluster.name).client, pod, namespace="team-a")
    assert [loaded.context_length for loaded in await engine.loaded()] == [1024]
    assert (await engine.complete("tiny-chat:latest", tokens=4)).eval_count == 4

    facts = inventory.facts(fleet.cluster(cluster.name))
    shared = [card for node in facts.nodes for card in node.cards if f"team-a/{pod}" in card.users]
    assert [card.free for card in shared] == [0.75]
    assert facts.gpu_sharing is True

    await actions.scale(fleet, done.key, copies=2)
    await until(lambda: observer.stage(*msgspec.structs.astuple(done.key)).sentence.startswith("2 of 2"))
    with pytest.raises(errors.CopiesAboveQuota):
        await actions.scale(fleet, done.key, copies=40)

    kept = await actions.remove(fleet, done.key, with_weights=False)
    assert any(name.startswith("PersistentVolumeClaim") for name in kept.stayed)
    gone = await actions.remove(fleet, done.key, with_weights=True)
    assert any("weights" in name for name in gone.went)
    await until(lambda: observer.stage(*msgspec.structs.astuple(done.key)).stage == "Failed")


async def test_a_knob_is_turned_in_place_and_the_context_follows(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key]
) -> None:
    done = await actions.submit(fleet, await planned(fleet, cluster))
    cleanup.append(done.key)
    await reach(observer, done.key, "Answering")
    first = observer.picture(*msgspec.structs.astuple(done.key)).pods[0].metadata.name
    await actions.change(fleet, done.key, card("tiny-chat:latest"), context=512)
    key = msgspec.structs.astuple(done.key)

    def pods() -> list[str]:
        return [pod.metadata.name for pod in observer.picture(*key).pods if not pod.leaving]

    await until(lambda: observer.stage(*key).stage == "Answering" and pods() not in ([], [first]))
    engine = Engine(fleet.cluster(cluster.name).client, pods()[-1], namespace="team-a")
    assert [loaded.context_length for loaded in await engine.loaded()] == [512]
    await actions.restart(fleet, done.key)


async def test_a_slow_pull_shows_its_bytes(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key], well: Rig
) -> None:
    well.registry.behave("library/slow-chat:latest", Behaviour(rate=3_000_000))
    done = await actions.submit(fleet, await planned(fleet, cluster, "slow-chat:latest"))
    cleanup.append(done.key)
    seen = await reach(observer, done.key, "Answering", "Failed")
    measured = [stage for stage in seen if stage.stage == "Pulling" and stage.total_bytes]
    assert len(measured) >= 3
    done_bytes = [stage.done_bytes for stage in measured]
    assert done_bytes == sorted(done_bytes)
    assert measured[-1].total_bytes > 10_000_000
    assert seen[-1].stage == "Answering"


async def test_a_tag_that_does_not_exist_fails_with_the_engines_reason(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key]
) -> None:
    done = await actions.submit(fleet, await planned(fleet, cluster, "tiny-chat:nope"))
    cleanup.append(done.key)
    seen = await reach(observer, done.key, "Failed")
    assert "check the exact tag" in seen[-1].sentence


async def test_a_queue_that_goes_missing_is_named_although_kai_is_silent(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key]
) -> None:
    def elsewhere(deployment: dict[str, Any]) -> None:
        for meta in (deployment["metadata"], deployment["spec"]["template"]["metadata"]):
            meta["labels"]["kai.scheduler/queue"] = "nowhere"

    done = await actions.submit(fleet, edited(await planned(fleet, cluster), elsewhere))
    cleanup.append(done.key)
    key = msgspec.structs.astuple(done.key)
    await until(lambda: "does not exist" in observer.stage(*key).sentence)
    sentence = observer.stage(*key).sentence
    assert "Queue nowhere does not exist" in sentence
    assert "team-a" in sentence


async def test_a_full_queue_is_told_with_kais_own_numbers(
    fleet: Fleet, observer: Observer, cluster: Cluster, cleanup: list[Key]
) -> None:
    plan = await planned(fleet, cluster, share=Share(devices=2))

    def three(deployment: dict[str, Any]) -> None:
        deployment["spec"]["replicas"] = 2

    done = await actions.submit(fleet, edited(plan, three))
    cleanup.append(done.key)
    key = msgspec.structs.astuple(done.key)
    await until(lambda: any("guarantees 2 GPUs" in stage.sentence for stage in observer.copies(*key).values()))


async def test_kais_admission_is_heard_before_anything_is_created(fleet: Fleet, cluster: Cluster) -> None:
    def both(deployment: dict[str, Any]) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/gpu": "1"}

    plan = edited(await planned(fleet, cluster), both)
    with pytest.raises(action_errors.PodRefused, match="cannot have both GPU fraction"):
        await actions.submit(fleet, plan)
    client = fleet.cluster(cluster.name).client
    assert (
        await client.list(resources.SERVICES, namespace="team-a", label_selector=f"app={plan.spec.name}")
    ).items == []


async def test_pod_security_is_heard_before_anything_is_created(fleet: Fleet, cluster: Cluster) -> None:
    def as_root(deployment: dict[str, Any]) -> None:
        del deployment["spec"]["template"]["spec"]["securityContext"]

    with pytest.raises(action_errors.PodRefused, match="Pod Security restricted"):
        await actions.submit(fleet, edited(await planned(fleet, cluster), as_root))


async def test_a_missing_namespace_and_a_taken_name_are_told(
    fleet: Fleet, cluster: Cluster, cleanup: list[Key]
) -> None:
    plan = await planned(fleet, cluster)
    lost = msgspec.structs.replace(plan, spec=msgspec.structs.replace(plan.spec, namespace="nowhere"))
    with pytest.raises(errors.NamespaceMissing):
        await actions.submit(fleet, lost)
    done = await actions.submit(fleet, plan)
    cleanup.append(done.key)
    other = await planned(fleet, cluster, "tiny-code:latest", name="other")
    taken = msgspec.structs.replace(
        other,
        spec=msgspec.structs.replace(other.spec, name=plan.spec.name),
        manifests=tuple({**item, "metadata": {**item["metadata"], "name": plan.spec.name}} for item in other.manifests),
    )
    with pytest.raises(errors.NameTaken, match="for the model tiny-chat"):
        await actions.submit(fleet, taken)


async def test_a_member_of_one_team_hosts_in_it_without_seeing_nodes_or_queues(cluster: Cluster) -> None:
    context = config.load([cluster.plane.kubeconfig("alice")]).context(cluster.name)
    context = msgspec.structs.replace(context, namespace="team-a")
    async with Fleet([context]) as fleet, Observer(fleet) as observer:
        seen = fleet.cluster(cluster.name)
        plan = await planned(fleet, cluster)
        assert seen.freshness(resources.NODES).state == "forbidden"
        assert plan.refusals == ()
        done = await actions.submit(fleet, plan)
        try:
            stages = await reach(observer, done.key, "Answering", "Failed")
            assert stages[-1].stage == "Answering", [stage.sentence for stage in stages]
            with pytest.raises(action_errors.NamespaceForbidden, match="team-b"):
                await actions.submit(fleet, await planned(fleet, cluster, namespace="team-b"))
        finally:
            await actions.remove(fleet, done.key, with_weights=True)


async def test_an_api_server_that_comes_back_is_found_again(fleet: Fleet, cluster: Cluster) -> None:
    seen = fleet.cluster(cluster.name)
    await seen.synced(resources.PODS, timeout=20)
    cluster.plane.kill("kube-apiserver")
    await until(lambda: seen.freshness(resources.PODS).state != "live" and seen.state.state != "live")
    assert seen.state.error is not None
    await asyncio.to_thread(cluster.plane.start_api_server)
    await until(lambda: seen.freshness(resources.PODS).state == "live" and seen.state.state == "live")
