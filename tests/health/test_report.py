"""The report against a second program, on random projects, and by hand where a rule is easily misread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from sealane.health import report
from sealane.health.events import Action, Events, Item
from sealane.health.warehouse import DuckWarehouse
from tests.support.health_oracle import Oracle
from tests.support.health_projects import AS_OF, BOTS, DAY, PROJECT, projects

Figures = Mapping[str, Any]


def reported(events: Events, *, as_of: int = AS_OF) -> report.Report:
    warehouse = DuckWarehouse()
    try:
        warehouse.replace(events, bots=BOTS)
        return report.reports(warehouse, [(PROJECT, as_of)])[0]
    finally:
        warehouse.close()


def same(expected: object, got: object, path: str = "") -> None:
    """Every figure that the oracle knows, to 1e-9."""
    if isinstance(expected, dict):
        assert isinstance(got, dict)
        for key, value in expected.items():
            same(value, got[key], f"{path}/{key}")
    elif isinstance(expected, float) and isinstance(got, float | int):
        assert math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-12), path
    else:
        assert expected == got, path


def issue(number: int, actor: str | None, *, days: int, closed: int | None = None) -> Item:
    return Item(
        project=PROJECT,
        kind="issue",
        number=number,
        actor=actor,
        association="NONE",
        stamp=AS_OF - days * DAY,
        closed_at=None if closed is None else AS_OF - closed * DAY,
    )


def answer(number: int, actor: str | None, *, days: float) -> Action:
    stamp = AS_OF - int(days * DAY)
    return Action(
        project=PROJECT, kind="comment", item_kind="issue", number=number, actor=actor, association="", stamp=stamp
    )


def merged(number: int, author: str | None, by: str, *, days: int) -> Item:
    stamp = AS_OF - days * DAY
    return Item(
        project=PROJECT,
        kind="pull",
        number=number,
        actor=author,
        association="",
        stamp=stamp,
        closed_at=stamp,
        merged_at=stamp,
        merged_by=by,
    )


@settings(max_examples=40)
@given(events=projects())
def test_every_figure_equals_a_second_program_s(events: Events) -> None:
    got = reported(events)
    expected = Oracle(events, bots=set(BOTS), as_of=AS_OF).report()
    same(expected["windows"], got["windows"])
    assert expected["core_team"] == {row["actor"]: row["evidence"] for row in got["core_team"]}
    assert expected["core_team_all"] == {row["actor"]: row["evidence"] for row in got["core_team_all"]}
    assert expected["retained_90"] == (got["retained_90"]["previous"], got["retained_90"]["retained"])


@settings(max_examples=15)
@given(events=projects())
def test_what_happens_at_or_after_the_instant_changes_nothing(events: Events) -> None:
    from msgspec.structs import replace

    past = replace(
        events,
        items=tuple(
            replace(
                item,
                closed_at=item.closed_at if item.closed_at is not None and item.closed_at < AS_OF else None,
            )
            for item in events.items
            if item.stamp < AS_OF and (item.merged_at is None or item.merged_at < AS_OF)
        ),
        actions=tuple(action for action in events.actions if action.stamp < AS_OF),
        commits=tuple(commit for commit in events.commits if commit.stamp < AS_OF),
        tags=tuple(tag for tag in events.tags if tag.stamp < AS_OF),
    )
    future = replace(
        past,
        items=(*past.items, issue(999, "ann", days=0), issue(998, "gus", days=-3)),
        actions=(*past.actions, answer(1, "gus", days=0)),
    )
    assert reported(past) == reported(future)


def test_a_project_without_events_has_zeros_and_nothing_that_would_be_believed() -> None:
    got = reported(Events(project=PROJECT))
    year = got["windows"]["365"]
    assert year["issues"]["opened"] == 0
    assert year["issues"]["outside_share"] is None
    assert year["response_issues"]["never_share"] is None
    assert got["core_team"] == []
    assert got["releases"] == {"days": 0, "days_since_last": None, "median_gap_days": None}


def test_a_share_of_four_is_no_share_and_of_five_is_one_with_an_interval() -> None:
    four = [issue(number, "ann", days=3) for number in range(1, 5)]
    assert reported(Events(project=PROJECT, items=tuple(four)))["windows"]["30"]["issues"]["outside_share"] is None
    five = reported(Events(project=PROJECT, items=(*four, issue(5, "ann", days=3))))["windows"]["30"]["issues"]
    assert (five["outside_share"], five["outside_high"]) == (1.0, 1.0)
    assert five["outside_low"] == pytest.approx(0.5655175)


def test_a_window_begins_with_its_first_second_and_ends_before_its_last() -> None:
    edge = [issue(1, "ann", days=30), issue(2, "bob", days=0)]
    assert reported(Events(project=PROJECT, items=tuple(edge)))["windows"]["30"]["issues"]["opened"] == 1


def test_a_deleted_account_counts_as_outside_and_never_as_a_person() -> None:
    got = reported(Events(project=PROJECT, items=(issue(1, None, days=2),)))["windows"]["30"]["issues"]
    assert (got["opened"], got["outside"], got["authors"], got["by_unknown"]) == (1, 1, 0, 1)


def test_two_deleted_accounts_on_one_issue_are_no_answer_and_one_is() -> None:
    items = (issue(1, None, days=10), issue(2, "ann", days=10))
    events = Events(project=PROJECT, items=items, actions=(answer(1, None, days=9), answer(2, None, days=9)))
    got = reported(events)["windows"]["30"]["response_issues"]
    assert (got["n"], got["answered"], got["never"]) == (2, 1, 1)


def test_an_answer_by_a_bot_or_by_the_asker_is_no_answer() -> None:
    events = Events(
        project=PROJECT,
        items=(issue(1, "ann", days=10),),
        actions=(answer(1, "helper[bot]", days=9.9), answer(1, "ann", days=9)),
    )
    assert reported(events)["windows"]["30"]["response_issues"]["answered"] == 0


def test_an_answer_from_before_the_question_waited_no_time() -> None:
    events = Events(project=PROJECT, items=(issue(1, "ann", days=10),), actions=(answer(1, "bob", days=11),))
    assert reported(events)["windows"]["30"]["response_issues"]["median_answered_days"] == 0


def test_half_of_two_answered_gives_the_median_at_the_answer_though_floats_would_miss_it() -> None:
    events = Events(
        project=PROJECT,
        items=(issue(1, "ann", days=20), issue(2, "bob", days=20)),
        actions=(answer(1, "cho", days=17),),
    )
    assert reported(events)["windows"]["30"]["response_issues"]["km_median_days"] == 3


def test_the_unanswered_pull_the_median_up_that_the_answered_alone_would_give() -> None:
    items = tuple(issue(number, "ann", days=28) for number in range(1, 5))
    got = reported(Events(project=PROJECT, items=items, actions=(answer(1, "bob", days=27),)))["windows"]["30"]
    assert got["response_issues"]["median_answered_days"] == 1
    assert got["response_issues"]["km_median_days"] is None
    assert got["response_issues"]["p7"] == pytest.approx(0.25)


def test_who_merged_two_of_others_is_core_since_the_second() -> None:
    events = Events(project=PROJECT, items=(merged(1, "ann", "bob", days=40), merged(2, None, "bob", days=20)))
    assert reported(events)["core_team"] == [
        {"actor": "bob", "evidence": ["E1"], "since": report.iso(AS_OF - 20 * DAY)}
    ]


def test_two_approvals_make_nobody_core_but_the_variant_shows_what_they_would() -> None:
    pulls = (merged(1, "ann", "bob", days=9), merged(2, "ann", "bob", days=8))
    reviews = tuple(
        Action(
            project=PROJECT,
            kind="review",
            item_kind="pull",
            number=number,
            actor="cho",
            association="NONE",
            stamp=AS_OF - 10 * DAY,
            state="APPROVED",
        )
        for number in (1, 2)
    )
    got = reported(Events(project=PROJECT, items=pulls, actions=reviews))
    assert [row["actor"] for row in got["core_team"]] == ["bob"]
    assert got["variant_approvals"]["365"]["core"] == 2


def test_where_nobody_shows_rights_the_authors_of_four_fifths_of_the_merges_are_core_without_a_date() -> None:
    pulls = [merged(number, "ann", "stale", days=9) for number in range(1, 5)]
    pulls += [merged(5, "bob", "stale", days=9), merged(6, "cho", "stale", days=9)]
    assert reported(Events(project=PROJECT, items=tuple(pulls)))["core_team"] == [
        {"actor": "ann", "evidence": ["E5"], "since": None},
        {"actor": "bob", "evidence": ["E5"], "since": None},
    ]


def test_a_project_is_taken_in_place_of_what_was_there() -> None:
    warehouse = DuckWarehouse()
    warehouse.replace(Events(project=PROJECT, items=(issue(1, "ann", days=2),)), bots={})
    warehouse.replace(Events(project=PROJECT, items=(issue(2, "bob", days=2),)), bots={})
    warehouse.replace(Events(project="acme/other", items=()), bots={})
    assert report.reports(warehouse, [(PROJECT, AS_OF)])[0]["windows"]["all"]["issues"]["opened"] == 1
    assert warehouse.projects() == [PROJECT]
    warehouse.close()


def test_many_projects_and_instants_are_asked_at_once_and_do_not_mix() -> None:
    warehouse = DuckWarehouse()
    for place in range(3):
        item = issue(1, "ann", days=10 * (place + 1))
        from msgspec.structs import replace

        name = f"acme/p{place}"
        warehouse.replace(Events(project=name, items=(replace(item, project=name),)), bots={})
    instants = [(f"acme/p{place}", AS_OF - back * DAY) for place in range(3) for back in (0, 15)]
    counts = [one["windows"]["all"]["issues"]["opened"] for one in report.reports(warehouse, instants)]
    assert counts == [1, 0, 1, 1, 1, 1]
    warehouse.close()
