"""Each rule gives its own error, and each error a way out that really works."""

from __future__ import annotations

from typing import Any

import pytest
from model_samples import card, kai, node, plain, queue, spec

from sealane.gpus.facts import ClusterFacts
from sealane.lib.errors import SealaneError
from sealane.models import capacity, catalogue, checks, errors, memory, shares, wishes
from sealane.models.types import ModelSpec, Share


def found(wish: ModelSpec, facts: ClusterFacts, *, update: bool = False) -> list[SealaneError]:
    known = card(wish.model)
    done = wishes.complete(wish, known, facts)
    return list(
        checks.cluster(done.spec, known, done.fit, facts, instead=catalogue.load().instead_of(known), update=update)
    )


def ways(problem: SealaneError) -> dict[str, str]:
    return {step.command.split(" ")[0]: step.command for step in problem.next_steps if step.command}


def test_a_good_wish_has_no_problem() -> None:
    assert list(checks.shape(wishes.complete(spec(), card(), kai()).spec)) == []
    assert found(spec(), kai()) == []


def test_all_that_is_malformed_is_told_at_once() -> None:
    bad = spec("no good!", namespace="A", name="B", copies=-1, context=0, parallel=99, share=Share(fraction=7.0))
    told = [problem.code for problem in checks.shape(bad)]
    assert told == ["bad-model-name", "bad-share", "bad-spec", "bad-spec", "bad-spec", "bad-spec", "bad-spec"]


def test_a_number_out_of_range_is_told_with_the_range() -> None:
    (problem,) = checks.shape(spec(name="coder", copies=500))
    assert problem.sentence == "copies is 500; it must be between 0 and 100."


def test_the_larger_share_that_is_offered_fits() -> None:
    wish = spec("qwen3:14b", share=Share(fraction=0.1))
    (problem,) = found(wish, kai())
    offered = shares.parse(ways(problem)["--gpu"].removeprefix("--gpu "))
    assert found(spec("qwen3:14b", share=offered), kai()) == []


def test_several_whole_cards_are_offered_where_one_is_too_small() -> None:
    (problem,) = found(spec("llama3.3:70b", share=Share(devices=1)), kai())
    assert ways(problem)["--gpu"] == "--gpu 2"


def test_the_shorter_context_that_is_offered_fits() -> None:
    wish = spec("qwen2.5-coder:14b", context=32_768, share=Share(fraction=0.25))
    (problem,) = found(wish, kai())
    shorter = int(ways(problem)["--context"].removeprefix("--context "))
    assert 1024 <= shorter < 32_768
    assert found(spec("qwen2.5-coder:14b", context=shorter, share=Share(fraction=0.25)), kai()) == []


def test_a_smaller_cache_is_offered_only_where_it_helps() -> None:
    tight = spec("qwen2.5-coder:14b", context=8192, parallel=3, share=Share(memory_mib=14_336))
    (problem,) = found(tight, kai())
    assert ways(problem)["--kv"] == "--kv q8_0"
    helped = spec("qwen2.5-coder:14b", context=8192, parallel=3, share=Share(memory_mib=14_336), kv="q8_0")
    assert found(helped, kai()) == []
    (hopeless,) = found(spec("qwen2.5-coder:32b", share=Share(fraction=0.1)), kai())
    assert "--kv" not in ways(hopeless)


def test_the_smaller_model_that_is_offered_fits() -> None:
    (problem,) = found(spec("qwen2.5-coder:32b", share=Share(fraction=0.25)), kai())
    smaller = ways(problem)["sealane"].removeprefix("sealane host ")
    assert found(spec(smaller, share=Share(fraction=0.25)), kai()) == []


def test_where_the_family_has_none_another_that_can_do_the_same_is_offered() -> None:
    (problem,) = found(spec("llama3.3:70b"), plain())
    other = card(ways(problem)["sealane"].removeprefix("sealane host "))
    assert set(card("llama3.3:70b").capabilities) <= set(other.capabilities)
    assert found(spec(other.tag, cluster="bench"), plain()) == []


def test_nothing_is_offered_that_does_not_fit() -> None:
    tiny = plain(nodes=(node("desk", memory_mib=512),))
    (problem,) = found(spec("llama3.3:70b", share=Share(devices=1)), tiny)
    assert ways(problem) == {}
    assert "are missing" in problem.sentence


def test_missing_is_the_difference_and_every_number_is_evidence() -> None:
    (problem,) = found(spec("qwen3:14b", share=Share(fraction=0.1)), kai())
    numbers = {fact.label: int(fact.value) for fact in problem.evidence}
    need = memory.needed_bytes(memory.fit(card("qwen3:14b"), context=8192))
    assert numbers["needed, with error and driver"] == need
    assert numbers["missing"] == need - numbers["share"]
    assert numbers["largest card"] == 46_068 * 1024**2


@pytest.mark.parametrize(
    ("facts", "share", "kind"),
    [
        (plain(), Share(fraction=0.5), errors.FractionWithoutKai),
        (plain(), Share(memory_mib=4096), errors.FractionWithoutKai),
        (kai(gpu_sharing=False), Share(memory_mib=4096), errors.SharingOff),
        (kai(nodes=(node("a", memory_mib=None),)), Share(memory_mib=4096), errors.MemoryLabelMissing),
        (kai(nodes=()), Share(devices=1), errors.NoGpu),
        (plain(nodes=(node("a", ready=False),)), Share(devices=1), errors.NoGpu),
    ],
)
def test_what_the_cluster_cannot_give(facts: ClusterFacts, share: Share, kind: type[SealaneError]) -> None:
    (problem,) = found(spec("llama3.2:1b", share=share), facts)
    assert isinstance(problem, kind)
    assert facts.name in problem.sentence
    assert problem.next_steps


def test_sharing_that_is_not_known_to_be_on_is_not_refused() -> None:
    assert found(spec("llama3.2:1b", share=Share(fraction=0.5)), kai(gpu_sharing=None)) == []


@pytest.mark.parametrize("limits", [{"limit": 1.0}, {"quota": 1.0}, {"quota": 1.0, "limit": 4.0}])
def test_the_copies_that_are_offered_are_admitted(limits: dict[str, Any]) -> None:
    facts = kai(queues=(queue("a", **limits),))
    (problem,) = found(spec("llama3.2:1b", share=Share(fraction=0.3), copies=4), facts)
    assert isinstance(problem, errors.CopiesAboveQuota)
    fewer = int(ways(problem)["--copies"].removeprefix("--copies "))
    assert fewer == 3
    assert found(spec("llama3.2:1b", share=Share(fraction=0.3), copies=fewer), facts) == []


def test_no_copies_are_offered_where_not_even_one_is_admitted() -> None:
    facts = kai(queues=(queue("a", limit=0.0),))
    (problem,) = found(spec("llama3.2:1b", share=Share(devices=1)), facts)
    assert "--copies" not in ways(problem)
    assert "smaller share, or another queue" in problem.next_steps[0].title


def test_on_cpu_no_quota_of_gpus_is_asked() -> None:
    assert found(spec("llama3.2:1b", share=Share(devices=0)), kai(queues=(queue("a", limit=0.0),))) == []


def test_a_cluster_without_queues_says_that_it_has_none() -> None:
    (problem,) = found(spec(), kai(queues=()))
    assert "no queue that could take it" in problem.sentence
    assert "It has none." in problem.sentence


def test_a_full_queue_waits_and_is_not_refused() -> None:
    wish = spec("llama3.2:1b", queue="vision", share=Share(fraction=0.5))
    assert found(wish, kai()) == []
    need = memory.fit(card("llama3.2:1b"), context=8192)
    waits = capacity.would_start(need, kai(), share=Share(fraction=0.5), queue="vision", copies=1)
    assert waits.starts == "waits"


@pytest.mark.parametrize(("manager", "told"), [("sealane", "by Sealane"), ("Helm", "by Helm"), ("", "by someone else")])
def test_a_taken_name_says_whose_it_is(manager: str, told: str) -> None:
    facts = kai(deployments=(("default", "coder", manager), ("team-a", "other", "")))
    (problem,) = found(spec(name="coder"), facts)
    assert told in problem.sentence
    assert found(spec(name="other"), facts) == []
    assert (found(spec(name="coder"), facts, update=True) == []) == (manager == "sealane")
