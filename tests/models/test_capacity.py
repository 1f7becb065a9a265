"""Would it start, and where: cards, queues, and the reason in one sentence with its numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import card, kai, node, plain, queue

from sealane.gpus.facts import Card, ClusterFacts
from sealane.models import capacity, fit
from sealane.models.types import Fit, Share

CODER = fit.fit(card("qwen2.5-coder:7b"), context=8192)
LARGE = fit.fit(card("llama3.3:70b"), context=8192)


def verdict(facts: ClusterFacts, share: Share, *, name: str = "research", copies: int = 1, need: Fit = CODER) -> str:
    found = capacity.would_start(need, facts, share=share, queue=name, copies=copies)
    return f"{found.starts}: {found.sentence}"


def test_the_best_place_comes_first() -> None:
    found = fit.places(CODER, [plain(), kai()])
    assert [(place.cluster, place.queue, place.starts) for place in found] == [
        ("bench", "", "now"),
        ("harbor-eu", "research", "now"),
        ("harbor-eu", "vision", "waits"),
    ]
    assert found[1].share == "0.25"
    assert found[1].node == "gpu-1"


def test_a_share_that_is_asked_for_is_asked_everywhere() -> None:
    found = fit.places(CODER, [kai()], share=Share(devices=1))
    assert {place.share for place in found} == {"1"}


def test_a_free_part_starts_now_and_says_where() -> None:
    assert verdict(kai(), Share(fraction=0.5)) == "now: Starts now on gpu-1: 0.5 of a card is free."


def test_a_part_of_a_card_is_not_two_halves_of_two_cards() -> None:
    facts = kai(nodes=(node("gpu-1", free=(0.3, 0.3)),))
    assert verdict(facts, Share(fraction=0.5)).startswith("waits: Waits: 0.5 of a card is not free")
    assert verdict(facts, Share(fraction=0.3)).startswith("now:")


def test_whole_cards_must_be_on_one_node() -> None:
    facts = kai(nodes=(node("a", free=(1.0, 0.5)), node("b", free=(1.0,))))
    assert verdict(facts, Share(devices=2)).startswith("waits:")
    assert verdict(kai(), Share(devices=2)) == "now: Starts now on gpu-2: 2 cards are free."


def test_queues_that_may_not_be_listed_forbid_nothing() -> None:
    facts = kai(queues=(), queues_known=False)
    told = "waits: You may not list the queues of harbor-eu, so whether it starts now is not known."
    assert verdict(facts, Share(fraction=0.5)) == told
    assert verdict(facts, Share(devices=8)).startswith("never: ")


def test_who_holds_the_cards_is_said() -> None:
    held = node("gpu-1")
    busy = type(held)(
        name="gpu-1", ready=True, schedulable=True, product="L40S", memory_mib=46_068,
        cards=(Card(index=0, free=0.0, users=("nlp/train",)),),
    )  # fmt: skip
    assert "Held by nlp/train." in verdict(kai(nodes=(busy,)), Share(fraction=0.5))


def test_some_copies_may_start_and_others_wait() -> None:
    facts = kai(nodes=(node("gpu-1", free=(1.0,)),))
    assert "2 of 3 copies would start" in verdict(facts, Share(fraction=0.5), copies=3)


def test_the_queue_speaks_before_the_cards() -> None:
    assert verdict(kai(), Share(fraction=0.5), name="vision") == (
        "waits: Waits: queue vision may hold 1 GPUs and 1 are taken; 0.5 asked."
    )
    assert verdict(kai(), Share(devices=2), name="vision").startswith("never: Queue vision may hold 1 GPUs in all")


def test_non_preemptible_copies_may_not_go_beyond_the_quota() -> None:
    facts = kai(queues=(queue("a", quota=2.0, limit=8.0, allocated=2.0, allocated_non_preemptible=1.5),))
    assert verdict(facts, Share(devices=1), name="a").startswith("waits: Waits: queue a guarantees 2 GPUs and 1.5")
    assert verdict(facts, Share(fraction=0.5), name="a").startswith("now:")


def test_a_parents_limit_holds_for_its_children() -> None:
    facts = kai(queues=(queue("root", limit=1.0, allocated=1.0, children=("a",)), queue("a", parent="root")))
    assert verdict(facts, Share(fraction=0.5), name="a").startswith("waits: Waits: queue root")


def test_queues_in_a_loop_do_not_hang() -> None:
    facts = kai(queues=(queue("a", parent="b"), queue("b", parent="a")))
    assert verdict(facts, Share(fraction=0.5), name="a").startswith("now:")


@pytest.mark.parametrize("name", ["gone", ""])
def test_a_missing_queue_never_starts(name: str) -> None:
    assert verdict(kai(), Share(fraction=0.5), name=name).startswith("never:")


def test_what_is_larger_than_any_card_never_starts() -> None:
    told = verdict(kai(), Share(devices=1), need=LARGE)
    assert told.startswith("never: llama3.3:70b needs 46")
    assert "1 card in harbor-eu holds at most 45.0 GiB" in told


def test_nodes_that_take_no_work_do_not_count() -> None:
    facts = kai(nodes=(node("a", ready=False), node("b", schedulable=False)))
    assert verdict(facts, Share(devices=1)) == "never: harbor-eu has no GPU that takes work."


def test_a_part_is_never_given_where_cards_are_not_shared() -> None:
    assert verdict(plain(), Share(fraction=0.5)) == (
        "never: bench cannot give 0.5 of a card, only whole cards: it has no KAI scheduler."
    )
    assert verdict(kai(gpu_sharing=False), Share(memory_mib=4096)).endswith("only whole cards: its GPU sharing is off.")
    assert verdict(kai(gpu_sharing=None), Share(fraction=0.5)).startswith("now:")
    assert [place.starts for place in fit.places(CODER, [plain()], share=Share(fraction=0.5))] == ["never"]


def test_on_cpu_free_memory_decides() -> None:
    assert verdict(plain(), Share(devices=0)).startswith("now: Starts now on desk, on CPU only")
    tight = plain(nodes=(node("desk", free=(), memory_free=1024**3),))
    assert "the freest node has 1.0 GiB" in verdict(tight, Share(devices=0))
    assert verdict(plain(nodes=()), Share(devices=0)).startswith("never:")


def test_the_least_that_holds_it_is_recommended_where_it_starts_now() -> None:
    assert capacity.best_share(CODER, kai()) == Share(fraction=0.25)
    busy = kai(nodes=(node("gpu-1", memory_mib=24_564, free=(0.1,)), node("gpu-2", free=(1.0,))))
    assert capacity.best_share(CODER, busy) == Share(fraction=0.15)
    assert capacity.best_share(LARGE, kai()) == Share(devices=2)
    assert capacity.best_share(CODER, plain()) == Share(devices=1)
    assert capacity.best_share(CODER, plain(nodes=())) == Share(devices=0)
    assert capacity.best_share(LARGE, plain()) == Share(devices=1)


FREE = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=4).map(tuple)
SIZES = st.sampled_from([None, 16_384, 46_068, 81_920])
NODES = st.lists(
    st.builds(
        node, st.sampled_from(["a", "b", "c"]), memory_mib=st.sampled_from([None, 16_384, 46_068, 81_920]), free=FREE
    ),
    max_size=4,
    unique_by=lambda each: each.name,
).map(tuple)
SHARES = st.sampled_from([Share(fraction=0.25), Share(fraction=0.5), Share(devices=1), Share(devices=2)])


@given(nodes=NODES, share=SHARES, copies=st.integers(1, 4))
def test_what_starts_now_really_has_the_room(nodes: tuple[object, ...], share: Share, copies: int) -> None:
    facts = kai(nodes=nodes)
    found = capacity.would_start(CODER, facts, share=share, queue="research", copies=copies)
    fitting = [each for each in facts.nodes if capacity.holds(each, share=share, found=CODER)]
    slots = sum(capacity.free_slots(each, share=share) for each in fitting)
    if found.starts == "now":
        assert slots >= copies
        assert found.node in {each.name for each in fitting}
    if not fitting:
        assert found.starts == "never"


@given(nodes=NODES, tag=st.sampled_from(["llama3.2:1b", "qwen3:14b", "llama3.3:70b", "all-minilm:22m"]))
def test_a_recommended_share_holds_the_model_on_some_node_if_any_does(nodes: tuple[object, ...], tag: str) -> None:
    need = fit.fit(card(tag), context=8192)
    facts = kai(nodes=nodes)
    share = capacity.best_share(need, facts)
    able = any(
        capacity.holds(each, share=Share(devices=count), found=need)
        for each in facts.nodes
        for count in range(1, len(each.cards) + 1)
    )
    assert any(capacity.holds(each, share=share, found=need) for each in facts.nodes) == able
