"""States: the order of the rules, each rule at its edge, and what would flip it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealane.health import lifecycle
from sealane.health.lifecycle import Facts, judge
from sealane.health.signal import Activity

LIVELY = Activity(active_days_90=60, authors_90=30, days_since_tag=10, pull_people_90=40, domains_365=20)
SILENT = Activity(active_days_90=0, authors_90=0, days_since_tag=900, pull_people_90=0, domains_365=0)
STEADY = Facts(
    age_days=2000,
    commits_90=200,
    commits_365=800,
    commits_365_before=790,
    authors_365=40,
    authors_365_before=41,
    activity=LIVELY,
    issues_ever=900,
    issues_open=200,
    issues_90=80,
    outside_asked_365=150,
    outside_never_365=30,
    outside_authors_365=90,
    outside_authors_365_before=90,
)
DONE: dict[str, Any] = {
    "issues_open": 3,
    "issues_90": 1,
    "commits_90": 2,
    "outside_asked_365": 4,
    "outside_never_365": 1,
}

CASES: list[tuple[str, dict[str, Any]]] = [
    ("end of life", {"notice": "Its host archived it on 1 May 2026."}),
    ("superseded", {"successor": "open-telemetry"}),
    ("moved", {"moved_to": "acme/newer"}),
    ("unknown", {"commits_365": None, "activity": None}),
    ("unknown", {"age_days": None}),
    ("finished", DONE),
    ("finished", {"marked_finished": "the standard is published"}),
    ("dormant", {"commits_365": 0, "commits_90": 0, "activity": SILENT}),
    ("new", {"age_days": 364}),
    ("dying", {"activity": SILENT}),
    ("narrowing", {"authors_365": 20}),
    ("narrowing", {"commits_365": 395}),
    ("narrowing", {"outside_authors_365": 45}),
    ("growing", {"outside_authors_365": 113}),
    ("growing", {"outside_authors_365": None, "authors_365": 52}),
    ("steady", {}),
    ("steady", {"authors_365": 21}),
    ("steady", {"outside_authors_365": 112}),
    ("steady", {"activity": SILENT, "marked_alive": "its work happens in a mailing list"}),
]


@pytest.mark.parametrize(("state", "changed"), CASES)
def test_a_state_follows_from_its_facts(state: str, changed: dict[str, Any]) -> None:
    verdict = judge(replace(STEADY, **changed))
    assert verdict.state == state
    assert verdict.rule == f"{lifecycle.ORDER.index(verdict.state) + 1} {state}"
    assert verdict.sentence.endswith(".")


def test_the_first_rule_that_matches_wins_and_later_ones_are_told() -> None:
    verdict = judge(replace(STEADY, notice="It ended.", activity=SILENT, commits_365=0, authors_365=1))
    assert verdict.state == "end of life"
    assert verdict.also == ("dormant", "dying", "narrowing")


def test_silence_with_nothing_left_to_answer_is_finished_and_not_dying() -> None:
    verdict = judge(replace(STEADY, **DONE, activity=SILENT))
    assert verdict.state == "finished"
    assert "dying" in verdict.also


@pytest.mark.parametrize(
    "changed",
    [
        {"issues_open": 28},
        {"issues_90": 3},
        {"commits_90": 8},
        {"outside_never_365": 2},
        {"issues_ever": 19, "issues_open": 0},
    ],
)
def test_what_is_still_asked_or_left_unanswered_is_not_finished(changed: dict[str, Any]) -> None:
    assert judge(replace(STEADY, **{**DONE, **changed})).state != "finished"


def test_a_source_without_issues_cannot_call_a_project_finished() -> None:
    nothing = {"issues_ever": None, "issues_open": None, "issues_90": None}
    assert judge(replace(STEADY, **nothing, commits_90=0, activity=SILENT)).state == "dying"


def test_two_people_becoming_one_is_no_narrowing() -> None:
    few = replace(STEADY, authors_365=1, authors_365_before=2, commits_365=10, commits_365_before=40)
    assert judge(few).state == "steady"


def test_an_alarm_names_three_counts_and_what_would_end_it() -> None:
    verdict = judge(replace(STEADY, activity=SILENT))
    assert len(verdict.rows) == len(verdict.flips) == 3
    assert verdict.signal is not None
    assert verdict.signal.alarm


def test_every_state_says_what_would_flip_it() -> None:
    assert all(judge(replace(STEADY, **changed)).flips for _, changed in CASES)


def test_lists_begin_with_the_worst() -> None:
    verdicts = [judge(replace(STEADY, **changed)) for _, changed in CASES]
    states = [verdict.state for verdict in lifecycle.worst_first(verdicts)]
    assert states[0] == "end of life"
    assert states[-1] == "growing"
    assert set(lifecycle.WORST_FIRST) == set(lifecycle.ORDER)


counts = st.one_of(st.none(), st.integers(0, 3000))


@given(
    facts=st.builds(
        Facts,
        age_days=counts,
        commits_90=counts,
        commits_365=counts,
        commits_365_before=counts,
        authors_365=counts,
        authors_365_before=counts,
        activity=st.one_of(st.none(), st.sampled_from([LIVELY, SILENT])),
        issues_ever=counts,
        issues_open=counts,
        issues_90=counts,
        outside_asked_365=counts,
        outside_never_365=counts,
        outside_authors_365=counts,
        outside_authors_365_before=counts,
    )
)
def test_any_facts_give_one_state_and_the_same_one_again(facts: Facts) -> None:
    verdict = judge(facts)
    assert verdict == judge(facts)
    assert verdict.state in lifecycle.ORDER
    assert verdict.state not in verdict.also
