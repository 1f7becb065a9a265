"""The same word for the same state on every page: rows, lanes, queues, headings, forms, errors."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sealane.console import rows
from sealane.console.forms import Form
from sealane.console.json import JSONResponse
from sealane.console.pages import clusters, home, model, models
from sealane.console.problems import Refused
from sealane.console.services import Services
from sealane.gpus.facts import Queue
from sealane.lib.clock import ManualClock
from sealane.lib.errors import UsageError
from sealane.models.types import Hosted, StageName
from tests.console import fakes

STAGES = get_args(StageName)


def hosted(stage: str = "Answering", *, copies: int = 1, ready: int = 1, name: str = "x", tag: str = "m:1") -> Hosted:
    return Hosted(
        cluster="c",
        namespace="n",
        name=name,
        model=tag,
        engine="ollama",
        stage=stage,  # type: ignore[arg-type]
        copies=copies,
        ready=ready,
        share="1",
        queue="q",
        endpoint="http://x",
        sentence="because",
        context=4096,
    )


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_tone_that_the_stylesheet_knows(stage: str) -> None:
    row = rows.model_row(hosted(stage, ready=0))
    assert row.tone in {"ok", "run", "wait", "fail"}
    assert row.state == stage


def test_a_model_that_nobody_asked_a_copy_of_sleeps_and_does_not_wait() -> None:
    asleep = hosted("Waiting", copies=0, ready=0)
    assert rows.model_row(asleep).state == "Asleep"
    assert not rows.waits(asleep)
    assert rows.waits(hosted("Waiting", ready=0))


def test_a_copy_that_starts_beside_one_that_answers_is_said() -> None:
    row = rows.model_row(hosted("Answering", copies=3, ready=1))
    assert (row.tone, row.state) == ("run", "Answering, 2 starting")


def test_what_needs_a_look_stands_first() -> None:
    given_rows = [
        rows.model_row(hosted("Answering", tag="a")),
        rows.model_row(hosted("Pulling", ready=0, tag="b")),
        rows.model_row(hosted("Failed", ready=0, tag="c")),
        rows.model_row(hosted("Waiting", ready=0, tag="d")),
    ]
    for order in itertools.permutations(given_rows):
        assert [row.model for row in rows.by_need(order)] == ["c", "d", "b", "a"]


def test_three_models_that_fit_most_lead_the_catalogue() -> None:
    found = rows.favourites_first(fakes.CARDS)
    assert [card.tag for card in found[:3]] == ["qwen2.5-coder:7b", "llama3.1:8b", "nomic-embed-text"]
    assert sorted(card.tag for card in found) == sorted(card.tag for card in fakes.CARDS)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], "Nothing runs yet. Host a model, and your editor can use it."),
        ([hosted()], "One model answers."),
        ([hosted(), hosted()], "Two models answer."),
        ([hosted("Pulling", ready=0)], "One starts."),
        ([hosted("Waiting", copies=0, ready=0), hosted()], "One model answers and one sleeps."),
        ([hosted()] * 20 + [hosted("Failed", ready=0)] * 2, "20 models answer and two have failed."),
    ],
)
def test_the_state_of_everything_is_one_sentence(found: list[Hosted], sentence: str) -> None:
    assert home._heading(tuple(rows.model_row(item) for item in found)) == sentence


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.integers(0, 3), st.integers(0, 3))))
def test_any_mixture_gives_a_sentence(found: list[tuple[str, int, int]]) -> None:
    made = tuple(
        rows.model_row(hosted(stage, copies=copies, ready=min(copies, ready))) for stage, copies, ready in found
    )
    sentence = home._heading(made)
    assert sentence.endswith(".")
    assert sentence[0].isupper() or sentence[0].isdigit()


@pytest.mark.parametrize(
    ("stage", "states"),
    [
        ("Submitted", "now next next next next"),
        ("Waiting", "now next next next next"),
        ("Scheduled", "done now next next next"),
        ("Image", "done now next next next"),
        ("Pulling", "done done now next next"),
        ("Loading", "done done done now next"),
        ("Answering", "done done done done done"),
    ],
)
def test_the_lane_stands_where_the_model_stands(stage: str, states: str) -> None:
    models_ = fakes.FakeModels(ManualClock())
    models_.put("harbor-eu", "n", "x", "m:1", stage)
    detail = next(found for ref, found in models_.details.items() if ref.name == "x")
    assert [step.state for step in model.steps_of(detail)] == states.split()


def test_a_lane_says_when_each_stage_was_done_not_when_it_began() -> None:
    models_ = fakes.FakeModels(ManualClock())
    detail = next(found for ref, found in models_.details.items() if ref.name == "qwen2-5-coder-7b")
    passed = {"Submitted": 0.0, "Scheduled": 0.6, "Pulling": 1.4, "Loading": 23.0, "Answering": 27.0}
    notes = [step.note for step in model.steps_of(msgspec.structs.replace(detail, passed=passed))]
    assert notes == ["after 0.6 s", "after 1.4 s", "after 23 s", "after 27 s", "after 27 s"]


def test_a_lane_says_when_a_place_was_found_and_bytes_while_it_pulls() -> None:
    models_ = fakes.FakeModels(ManualClock())
    detail = next(found for ref, found in models_.details.items() if ref.name == "gpt-oss-20b")
    steps = model.steps_of(detail)
    assert [step.note for step in steps[:2]] == ["after 1.2 s", "done"]
    assert (steps[2].done_bytes, steps[2].total_bytes) == (5_200_000_000, 14_000_000_000)


def queue(name: str, parent: str = "", *, quota: float | None = 2, limit: float | None = 4, held: float = 0) -> Queue:
    return Queue(
        name=name,
        parent=parent,
        quota=quota,
        limit=limit,
        weight=1,
        allocated=held,
        allocated_non_preemptible=0,
        requested=held,
    )


@pytest.mark.parametrize(
    ("one", "cells"),
    [
        (queue("q"), ["is-kept", "is-kept", "", "", "is-limit"]),
        (queue("q", held=3), ["is-own", "is-own", "is-borrowed", "", "is-limit"]),
        (queue("q", held=0.5), ["is-tenth-5", "is-kept", "", "", "is-limit"]),
        (queue("q", limit=None, held=2), ["is-own", "is-own"]),
        (queue("q", quota=None, limit=None, held=1), ["is-own"]),
        (queue("q", quota=0, limit=0), ["", "is-limit"]),
    ],
)
def test_a_queue_is_a_ladder_of_gpus(one: Queue, cells: list[str]) -> None:
    assert list(clusters._cells(one)) == cells


@given(st.floats(0, 500), st.floats(0, 500), st.floats(0, 500) | st.none())
def test_a_ladder_is_never_longer_than_a_row(held: float, quota: float, limit: float | None) -> None:
    assert 1 <= len(clusters._cells(queue("q", quota=quota, limit=limit, held=held))) <= 33


def test_queues_are_listed_as_a_tree() -> None:
    found = clusters._tree([queue("b", "top"), queue("z", "gone"), queue("a", "top"), queue("top"), queue("a1", "a")])
    assert [item.name for item in found] == ["top", "a", "a1", "b", "z"]


def test_queues_that_name_each_other_are_still_all_listed_once() -> None:
    found = clusters._tree([queue("a", "b"), queue("b", "a"), queue("c")])
    assert sorted(item.name for item in found) == ["a", "b", "c"]


@given(st.text(max_size=60))
def test_a_search_finds_a_model_by_any_part_of_its_row(wanted: str) -> None:
    row = rows.model_row(hosted(tag="qwen2.5-coder:7b"))
    found = models._matches(row, wanted.lower())
    words = wanted.lower().split()
    hay = "qwen2.5-coder:7b x c n q answering"
    assert found == all(word in hay for word in words)


@given(st.text())
def test_a_number_is_within_its_bounds_or_refused(written: str) -> None:
    try:
        value = Form({"n": written}).number("n", 5, least=1, most=9)
    except Refused as refused:
        assert "n" in refused.fields  # noqa: PT017 - either outcome is right, and this one has a field
        return
    assert 1 <= value <= 9


def test_a_form_without_a_field_has_its_default() -> None:
    form = Form({"a": " 1 ", "b": "x"})
    assert form.text("a") == "1"
    assert form.number("missing", 5, least=1, most=9) == 5
    assert form.without(["b"]).names == {"a"}
    assert not form.ticked("missing")


def test_errors_and_values_have_one_json_form() -> None:
    class Value(msgspec.Struct):
        problem: Any

    body = JSONResponse(Value(UsageError("No."))).body
    assert msgspec.json.decode(body)["problem"] == {
        "code": "usage",
        "sentence": "No.",
        "evidence": [],
        "next_steps": [],
    }
    with pytest.raises(NotImplementedError):
        JSONResponse(Value(object()))


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Accept": "text/html"}, "text/html"),
        ({"Accept": "application/json"}, "application/json"),
        ({"Accept": "*/*", "Authorization": f"Bearer {fakes.TOKEN}"}, "application/json"),
        ({"Accept": "text/html,application/json"}, "text/html"),
    ],
)
def test_an_error_has_the_shape_that_was_asked_for(visitor: TestClient, headers: dict[str, str], kind: str) -> None:
    del visitor.headers["Accept"]
    answer = visitor.get("/nothing", headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(kind)


def test_an_error_in_the_middle_of_a_page_is_a_notice_for_it(visitor: TestClient, services: Services) -> None:
    assert isinstance(services.models, fakes.FakeModels)
    html = visitor.get("/change/a/b/c?copies=2", headers={"HX-Request": "true"}).text
    assert html.strip().startswith('<hx-partial hx-target="#problem"')
    assert "No model c is hosted" in html


def test_the_frame_that_fails_costs_the_error_page_only_its_frame(
    visitor: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fakes.FakeClusters, "rows", broken)
    answer = visitor.get("/nothing")
    assert answer.status_code == 404
    assert "There is no page" in fakes.shown(answer)
    assert "frame of an error page failed" in caplog.text
