"""Which part of which card is taken: shared cards by group, whole ones by number, never more than there is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.gpus import cards
from sealane.gpus.views import PodView


def pod(
    name: str = "p",
    *,
    namespace: str = "team-a",
    gpus: list[str] | None = None,
    init_gpus: str = "",
    **metadata: dict[str, str],
) -> PodView:
    spec: dict[str, Any] = {
        "nodeName": "gpu-a",
        "containers": [{"name": f"c{i}", "resources": {"limits": {cards.GPU: n}}} for i, n in enumerate(gpus or [])],
    }
    if init_gpus:
        spec["initContainers"] = [{"name": "i", "resources": {"limits": {cards.GPU: init_gpus}}}]
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": namespace, **metadata}, "spec": spec, "status": {"phase": "Running"}},
        PodView,
    )


def sharer(name: str, part: str, group: str = "g1") -> PodView:
    return pod(name, annotations={"gpu-fraction": part}, labels={"runai-gpu-group": group})


def reservation(group: str = "g1", index: str = "GPU-gpu-a-1") -> PodView:
    return pod(
        f"gpu-reservation-gpu-a-{group}",
        namespace="kai-resource-reservation",
        gpus=["1"],
        labels={"runai-gpu-group": group},
        annotations={"run.ai/reserve_for_gpu_index": index} if index else {},
    )


def test_an_empty_node_has_whole_free_cards() -> None:
    assert [card.free for card in cards.seats(2, [], memory_mib=None)] == [1.0, 1.0]


def test_whole_cards_are_held_by_name() -> None:
    found = cards.seats(4, [pod(gpus=["1", "1"])], memory_mib=None)
    assert [card.free for card in found] == [0.0, 0.0, 1.0, 1.0]
    assert found[0].users == ("team-a/p",)


def test_an_init_container_counts_by_its_largest() -> None:
    assert cards.whole_devices(pod(gpus=["1"], init_gpus="2")) == 2


def test_sharing_pods_sit_on_the_card_that_is_reserved_for_them() -> None:
    found = cards.seats(2, [reservation(), sharer("a", "0.5"), sharer("b", "0.25")], memory_mib=None)
    assert [card.free for card in found] == [1.0, 0.25]
    assert found[1].group == "g1"
    assert found[1].users == ("team-a/a", "team-a/b")


def test_the_reservation_pod_itself_takes_no_second_card() -> None:
    assert sum(card.free for card in cards.seats(2, [reservation()], memory_mib=None)) == 2.0


def test_a_group_without_its_reservation_pod_still_takes_a_card() -> None:
    found = cards.seats(2, [sharer("a", "0.5")], memory_mib=None)
    assert sorted(card.free for card in found) == [0.5, 1.0]


def test_a_card_named_by_uuid_gets_any_free_seat() -> None:
    uuid = "GPU-6b1c7b1e-93c5-4b1c-a1de-0d3f5f9ab27e"
    found = cards.seats(1, [reservation(index=uuid), sharer("a", "0.5")], memory_mib=None)
    assert found[0].free == 0.5


def test_memory_requests_are_parts_of_the_cards_memory() -> None:
    asking = pod(annotations={"gpu-memory": "6141"}, labels={"runai-gpu-group": "g"})
    assert cards.fraction(asking, 24564) == 0.25
    assert cards.fraction(asking, None) == 1.0


def test_several_shared_devices_each_count() -> None:
    both = pod(annotations={"gpu-fraction": "0.5"}, labels={"runai-gpu-group/g1": "g1", "runai-gpu-group/g2": "g2"})
    assert [card.free for card in cards.seats(2, [both], memory_mib=None)] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "value"), [("1500m", 1.5), ("2", 2.0), ("nonsense", 0.0), ("", 0.0), ("20k", 20000.0)]
)
def test_quantities_are_numbers_and_nonsense_is_nothing(text: str, value: float) -> None:
    assert cards.number(text) == value


PODS = st.lists(
    st.one_of(
        st.builds(lambda n: pod(gpus=[str(n)]), st.integers(0, 5)),
        st.builds(
            lambda part, group: sharer("s", str(part), group),
            st.sampled_from([0.1, 0.5, 0.9, 7]),
            st.sampled_from("abc"),
        ),
        st.builds(lambda group: reservation(group, ""), st.sampled_from("abc")),
        st.builds(
            lambda memory, group: pod(annotations={"gpu-memory": memory}, labels={"runai-gpu-group": group}),
            st.sampled_from(["1000", "-5", "x"]),
            st.sampled_from("ab"),
        ),
    ),
    max_size=8,
)


@given(st.integers(0, 8), PODS, st.sampled_from([None, 24564]))
def test_whatever_pods_claim_a_node_has_its_cards_and_no_negative_ones(
    count: int, pods: list[PodView], memory_mib: int | None
) -> None:
    found = cards.seats(count, pods, memory_mib=memory_mib)
    assert [card.index for card in found] == list(range(count))
    assert all(0.0 <= card.free <= 1.0 for card in found)
    assert all(card.users for card in found if card.free < 1.0)


@given(PODS)
def test_on_a_node_with_room_for_all_taking_a_pod_away_never_makes_less_room(pods: list[PodView]) -> None:
    before = sum(card.free for card in cards.seats(40, pods, memory_mib=24564))
    after = sum(card.free for card in cards.seats(40, pods[:-1], memory_mib=24564))
    assert after >= before - 1e-6
