"""The pure decision: never more than a card, a node, a limit; and the right words when it says no."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.sandbox.world import objects
from sealane.sandbox.world.scheduler import cards, decide, queues

Obj = dict[str, Any]


def node(name: str, gpus: int, *, mib: int = 46068, cpu: str = "64", labels: Obj | None = None) -> Obj:
    allocatable = {"cpu": cpu, "memory": "512Gi", "pods": "110"}
    own = {"kubernetes.io/hostname": name, "nvidia.com/gpu.memory": str(mib), **(labels or {})}
    if gpus:
        allocatable["nvidia.com/gpu"] = str(gpus)
    return {"metadata": {"name": name, "labels": own}, "spec": {}, "status": {"allocatable": allocatable}}


def pod(
    name: str,
    *,
    gpus: int = 0,
    fraction: str = "",
    mib: str = "",
    on: str = "",
    group: str = "",
    cpu: str = "100m",
    **spec: Any,
) -> Obj:
    notes = {"gpu-fraction": fraction} if fraction else {"gpu-memory": mib} if mib else {}
    resources: Obj = {"requests": {"cpu": cpu, "memory": "128Mi"}}
    if gpus:
        resources["limits"] = {"nvidia.com/gpu": str(gpus)}
    meta: Obj = {"name": name, "namespace": "team-a", "uid": name, "annotations": notes, "labels": {}}
    if group:
        meta["labels"]["runai-gpu-group"] = group
    body: Obj = {"containers": [{"name": "main", "resources": resources}], **spec}
    if on:
        body["nodeName"] = on
    return {"metadata": meta, "spec": body}


def queue(name: str, quota: float, limit: float, parent: str = "") -> Obj:
    gpu = {"quota": quota, "limit": limit}
    return {"metadata": {"name": name}, "spec": {"parentQueue": parent, "resources": {"gpu": gpu}}}


QUEUES = [queue("root", 6, 6), queue("a", 2, 4, "root"), queue("b", 2, 3, "root")]


def group(*pods: Obj, name: str = "g", in_queue: str = "a", minimum: int = 1, priority: int = 50) -> decide.Group:
    return decide.Group(f"team-a/{name}", in_queue, tuple(pods), 0, minimum, priority, priority < 100)


def world(
    nodes: list[Obj], *, bound: list[tuple[Obj, decide.Group]] | None = None, specs: list[Obj] | None = None
) -> decide.World:
    placed = bound or []
    loads = [
        queues.Load(owner.queue, held := decide.gpus_of(item, nodes), held, owner.preemptible) for item, owner in placed
    ]
    groups = {objects.key(item): owner for item, owner in placed}
    return decide.World(nodes, [item for item, _ in placed], queues.tree(specs or QUEUES, loads), groups)


def refusal(decision: decide.Decision) -> decide.Refusal:
    assert decision.refusal is not None
    assert not decision.placements
    return decision.refusal


def test_the_smaller_node_is_filled_first() -> None:
    found = decide.decide(group(pod("x", gpus=1)), world([node("big", 4), node("small", 2)]))
    assert [item.place.node for item in found.placements] == ["small"]


def test_a_part_goes_to_the_fullest_card_that_still_takes_it() -> None:
    owner = group()
    bound = [
        (pod("p", fraction="0.3", on="n", group="low"), owner),
        (pod("q", fraction="0.5", on="n", group="high"), owner),
    ]
    found = decide.decide(group(pod("x", fraction="0.5")), world([node("n", 4)], bound=bound))
    assert found.placements[0].place.group == "high"
    found = decide.decide(group(pod("x", fraction="0.6")), world([node("n", 4)], bound=bound))
    assert found.placements[0].place.group == "low"
    found = decide.decide(group(pod("x", fraction="0.8")), world([node("n", 4)], bound=bound))
    assert found.placements[0].place.group == "new-0"


def test_memory_becomes_a_part_of_the_nodes_card_rounded_up() -> None:
    found = decide.decide(group(pod("x", mib="20000")), world([node("n", 1, mib=24564)]))
    assert found.placements[0].place.part == Fraction("0.82")


def test_a_queue_at_its_limit_is_named_with_its_numbers() -> None:
    bound = [(pod(f"p{n}", gpus=1, on="n"), group(in_queue="b")) for n in range(2)]
    found = refusal(decide.decide(group(pod("x", gpus=2), in_queue="b"), world([node("n", 8)], bound=bound)))
    assert found.reason == "OverLimit"
    assert found.message == found.pod_message
    assert found.message == (
        "b quota has reached the allowable limit of GPUs. Limit is 3 GPUs, currently 2 GPUs allocated and "
        "workload requested 2 GPUs"
    )
    assert found.queue is not None
    assert found.queue.limit == 3


def test_what_cannot_be_preempted_stays_within_the_quota() -> None:
    bound = [(pod("p", gpus=1, on="n"), group(priority=125))]
    found = refusal(decide.decide(group(pod("x", gpus=2), priority=125), world([node("n", 8)], bound=bound)))
    assert found.reason == "NonPreemptibleOverQuota"
    assert found.message == (
        "Non-preemptible workload is over quota. Workload requested 2 GPUs, but a quota is 2 GPUs, while 1 GPUs are "
        "already allocated for non-preemptible pods. Use a preemptible workload to go over quota."
    )
    assert decide.decide(group(pod("x", gpus=2), priority=50), world([node("n", 8)], bound=bound)).placements


def test_a_parents_limit_binds_its_children() -> None:
    specs = [queue("root", 2, 2), queue("a", 2, 4, "root")]
    found = refusal(decide.decide(group(pod("x", gpus=3)), world([node("n", 8)], specs=specs)))
    assert found.message.startswith("root quota has reached")


def test_a_full_cluster_is_counted_by_node() -> None:
    bound = [(pod("p", gpus=2, on="m"), group(in_queue="b"))]
    found = refusal(decide.decide(group(pod("x", gpus=2)), world([node("m", 2), node("plain", 0)], bound=bound)))
    assert found.reason == "PodSchedulingErrors"
    assert found.pod_message == (
        "no nodes with enough resources were found: 2 node(s) didn't have enough resources: GPUs."
    )
    assert found.message == f"Resources were not found for pod team-a/x due to: {found.pod_message}"


def test_what_no_node_could_ever_hold_is_said_to_be_too_large() -> None:
    specs = [queue("root", -1, -1), queue("a", -1, -1, "root")]
    found = refusal(decide.decide(group(pod("x", gpus=5)), world([node("n", 4)], specs=specs)))
    assert (
        "MaxNodePoolResources: The pod team-a/x requires GPU: 5, CPU: 0.1 (cores), memory: 0.134 (GB)." in found.message
    )
    assert "topped at 4.\n" in found.message
    assert found.pod_message == "Scheduling conditions were not met for pod team-a/x:..."


def test_a_missing_queue_leaves_no_word_and_a_parent_queue_a_short_one() -> None:
    assert refusal(decide.decide(group(pod("x", gpus=1), in_queue="ghost"), world([node("n", 4)]))).silent
    found = refusal(decide.decide(group(pod("x", gpus=1), in_queue="root"), world([node("n", 4)])))
    assert (found.reason, found.message, found.pod_message) == (
        "",
        "Unable to schedule podgroup",
        "Unable to schedule pod",
    )


def test_a_gang_starts_whole_or_not_at_all() -> None:
    gang = [pod("x0", gpus=1), pod("x1", gpus=1), pod("x2", gpus=1)]
    assert decide.decide(group(*gang, minimum=3), world([node("n", 2)])).placements == ()
    found = decide.decide(group(*gang, minimum=3), world([node("n", 2), node("m", 2)]))
    assert sorted(item.pod["metadata"]["name"] for item in found.placements) == ["x0", "x1", "x2"]


def test_a_higher_priority_evicts_a_lower_one_of_its_queue() -> None:
    low = group(name="low", priority=50)
    bound = [(pod("low-0", gpus=1, on="n"), low), (pod("low-1", gpus=1, on="n"), low)]
    found = decide.decide(group(pod("x", gpus=1), priority=75), world([node("n", 2)], bound=bound))
    assert len(found.victims) == 1
    assert not found.reclaim
    assert decide.decide(group(pod("x", gpus=1), priority=50), world([node("n", 2)], bound=bound)).victims == ()


def test_a_queue_below_its_quota_reclaims_what_another_borrowed() -> None:
    borrower = group(name="borrower", in_queue="b")
    bound = [(pod(f"b-{n}", gpus=1, on="n"), borrower) for n in range(3)]
    found = decide.decide(group(pod("x", gpus=1)), world([node("n", 3)], bound=bound))
    assert found.reclaim
    assert len(found.victims) == 1
    kept = [(item, group(in_queue="b", priority=125)) for item, _ in bound]
    assert decide.decide(group(pod("x", gpus=1)), world([node("n", 3)], bound=kept)).victims == ()


def test_nobody_is_evicted_while_a_place_is_being_vacated() -> None:
    leaving = pod("gone", gpus=1, on="n")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bound = [(leaving, group(name="low")), (pod("low", gpus=1, on="n"), group(name="low"))]
    found = decide.decide(group(pod("x", gpus=1), priority=75), world([node("n", 2)], bound=bound))
    assert found.victims == ()
    assert found.refusal is not None


def test_taints_selectors_and_cpu_are_counted_too() -> None:
    tainted = node("t", 4)
    tainted["spec"]["taints"] = [{"key": "x", "effect": "NoSchedule"}]
    nodes = [tainted, node("n", 4, cpu="1"), node("l", 4)]
    wanted = pod("x", gpus=1, cpu="2", nodeSelector={"kubernetes.io/hostname": "n"})
    text = refusal(decide.decide(group(wanted), world(nodes))).pod_message
    assert "1 node(s) didn't have enough resources: CPU cores" in text
    assert "2 node(s) didn't match Pod's node affinity/selector" in text


asks = st.one_of(
    st.integers(1, 3).map(lambda count: {"gpus": count}),
    st.sampled_from(["0.1", "0.25", "0.3", "0.5", "0.75", "0.9"]).map(lambda part: {"fraction": part}),
    st.sampled_from(["4000", "10000", "23000", "46000"]).map(lambda mib: {"mib": mib}),
)
wishes = st.tuples(asks, st.sampled_from(["a", "b"]), st.sampled_from([50, 125]), st.integers(0, 9))


@settings(max_examples=120)
@given(st.lists(wishes, max_size=25), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_no_card_node_limit_or_quota_is_ever_exceeded(
    wanted: list[tuple[Obj, str, int, int]], sizes: list[int]
) -> None:
    nodes = [node(f"n{place}", size) for place, size in enumerate(sizes)]
    bound: list[tuple[Obj, decide.Group]] = []
    for serial, (ask, in_queue, priority, leaving) in enumerate(wanted):
        found = decide.decide(
            group(pod(f"x{serial}", **ask), name=f"g{serial}", in_queue=in_queue, priority=priority),
            world(nodes, bound=bound),
        )
        for item in found.placements:
            name = item.place.group
            name = f"card-{serial}" if name.startswith("new-") else name
            placed = pod(f"x{serial}", **ask, on=item.place.node, group=name)
            bound.append((placed, group(name=f"g{serial}", in_queue=in_queue, priority=priority)))
        if leaving < 2 and bound:
            bound.pop(leaving % len(bound))
        state = world(nodes, bound=bound)
        for each in nodes:
            book = cards.of_node(each, state.pods)
            assert book.untouched >= 0
            assert all(used <= 1 for used in book.groups.values())
        for each_queue in state.queues.values():
            assert each_queue.allocated <= each_queue.limit
            assert each_queue.non_preemptible <= each_queue.quota


@settings(max_examples=60)
@given(st.lists(asks, min_size=1, max_size=12))
def test_victims_are_only_ever_preemptible_and_enough(holders: list[Obj]) -> None:
    nodes = [node("n", 2)]
    specs = [queue("root", -1, -1), queue("a", 2, -1, "root"), queue("b", 0, -1, "root")]
    bound: list[tuple[Obj, decide.Group]] = []
    for serial, ask in enumerate(holders):
        priority = 125 if serial % 4 == 3 else 50
        owner = group(name=f"h{serial}", in_queue="b", priority=priority)
        place = decide.place([pod(f"h{serial}", **ask)], nodes, [item for item, _ in bound])[0]
        for item in place:
            name = f"card-{serial}" if item.place.group.startswith("new-") else item.place.group
            bound.append((pod(f"h{serial}", **ask, on="n", group=name), owner))
    wanted = pod("x", gpus=1)
    state = world(nodes, bound=bound, specs=specs)
    found = decide.decide(group(wanted), state)
    assert all(state.groups[key].preemptible for key in found.victims)
    if found.victims:
        left = [item for item, _ in bound if objects.key(item) not in found.victims]
        assert decide.place([wanted], nodes, left)[1] is None
