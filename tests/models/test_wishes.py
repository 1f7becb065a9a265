"""What was not said is filled in, the same way everywhere, and what was changed is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import card, kai, node, plain, queue, spec

from sealane.models import catalogue, wishes
from sealane.models.types import Header, ModelCard, Share

TAGS = [each.tag for each in catalogue.load().cards]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("qwen2.5-coder:7b", "qwen2-5-coder-7b"),
        ("nomic-embed-text", "nomic-embed-text"),
        ("nomic-embed-text:latest", "nomic-embed-text"),
        ("localhost:5000/team/tiny:v1", "tiny-v1"),
        ("hf.co/bartowski/Qwen2.5-Coder-7B-Instruct-GGUF:Q4_K_M", "qwen2-5-coder-7b-instruct-gguf-q4-k-m"),
    ],
)
def test_a_name_is_made_of_the_tag(model: str, name: str) -> None:
    assert wishes.complete(spec(model), card(), kai()).spec.name == name


def test_a_name_that_was_given_stays() -> None:
    assert wishes.complete(spec(name="mine"), card(), kai()).spec.name == "mine"


def test_the_next_free_number_is_taken_and_other_namespaces_do_not_count() -> None:
    taken = (("default", "qwen2-5-coder-7b", ""), ("default", "qwen2-5-coder-7b-2", ""))
    done = wishes.complete(spec(), card(), kai(deployments=taken))
    assert done.spec.name == "qwen2-5-coder-7b-3"
    assert done.notes == ("qwen2-5-coder-7b exists in default, so this one is called qwen2-5-coder-7b-3.",)
    assert wishes.complete(spec(namespace="team-a"), card(), kai(deployments=taken)).spec.name == "qwen2-5-coder-7b"


def test_the_queue_where_it_starts_now_is_taken() -> None:
    assert wishes.complete(spec(), card(), kai()).spec.queue == "research"


def test_of_two_that_would_do_the_namespaces_own_is_taken() -> None:
    facts = kai(queues=(queue("alpha"), queue("team-a")))
    assert wishes.complete(spec(namespace="team-a"), card(), facts).spec.queue == "team-a"
    assert wishes.complete(spec(), card(), facts).spec.queue == "alpha"


def test_a_queue_that_only_waits_is_better_than_one_that_never_admits() -> None:
    facts = kai(queues=(queue("a-never", limit=0.0), queue("waits", limit=1.0, allocated=1.0)))
    assert wishes.complete(spec(), card(), facts).spec.queue == "waits"


def test_a_queue_without_kai_is_left_out_and_said() -> None:
    done = wishes.complete(spec(queue="research"), card(), plain())
    assert done.spec.queue == ""
    assert "has no KAI scheduler, so queue research is left out" in done.notes[0]


def test_an_engine_that_serves_one_at_a_time_is_not_asked_for_more() -> None:
    hybrid = card("qwen3.5:27b")
    done = wishes.complete(spec("qwen3.5:27b", parallel=4), hybrid, kai())
    assert done.spec.parallel == 1
    assert "one request at a time, so 4 at once becomes 1" in done.notes[0]
    assert wishes.complete(spec(parallel=4), card(), kai()).spec.parallel == 4


def test_a_longer_context_asks_for_a_larger_share() -> None:
    short = wishes.complete(spec(context=2048), card(), kai()).spec.share
    long = wishes.complete(spec(context=32_768, parallel=8), card(), kai()).spec.share
    assert short.fraction is not None
    assert long.fraction is None or long.fraction > short.fraction


def test_a_share_that_was_said_stays_even_when_it_is_wrong() -> None:
    assert wishes.complete(spec(share=Share(fraction=0.01)), card(), kai()).spec.share == Share(fraction=0.01)


def test_a_name_that_is_none_is_kept_for_the_check_to_find() -> None:
    assert wishes.complete(spec("not a name"), card(), kai()).spec.model == "not a name"


def test_a_card_without_a_header_changes_nothing() -> None:
    bare = card(header=None)
    done = wishes.complete(spec(kv="q8_0", parallel=2), bare, kai())
    assert (done.spec.kv, done.spec.parallel) == ("q8_0", 2)
    assert done.fit.basis == "size only"


@given(tag=st.sampled_from(TAGS), context=st.integers(1, 300_000), parallel=st.integers(1, 16))
def test_completing_twice_changes_nothing_more(tag: str, context: int, parallel: int) -> None:
    facts = kai(nodes=(node("a", memory_mib=81_920, free=(1.0,) * 8),))
    first = wishes.complete(spec(tag, context=context, parallel=parallel), card(tag), facts)
    second = wishes.complete(first.spec, card(tag), facts)
    assert second.spec == first.spec
    assert second.fit == first.fit
    assert second.notes == ()


def test_the_fit_is_that_of_the_completed_wish() -> None:
    known: ModelCard = card("smollm2:135m")
    header = known.header
    assert isinstance(header, Header)
    done = wishes.complete(spec("smollm2:135m", context=100_000), known, kai())
    assert done.spec.context == 8192
    assert done.fit.kv_bytes == header.layers * 8192 * 3 * 128 * 2
