"""The health pages: what runs, one project, and what they must never say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sealane.console.charts import HEIGHT, WIDTH, bars
from sealane.console.pages.health import TONES
from sealane.console.pages.project import _WORDS
from sealane.health.lifecycle import ORDER
from tests.console import fakes
from tests.console.conftest import make_visitor


def test_what_runs_stands_with_its_verdict_and_what_rests_on_it(visitor: TestClient) -> None:
    text = fakes.shown(visitor.get("/health"))
    assert "ollama/ollama" in text
    assert "Narrowing" in text
    assert "1 workload, 2 copies, 1 GPUs" in text
    assert "harbor-eu/team-code/deployment/qwen2-5-coder-7b" in text


def test_the_twin_is_ordered_worst_first_and_agrees_with_the_page(script: TestClient) -> None:
    lines = script.get("/health.json").json()["lines"]
    assert [line["state"] for line in lines] == ["narrowing", "unknown"]
    assert lines[0]["authors_before"] > lines[0]["authors"] > 0
    assert lines[1]["commits"] is None


def test_an_image_without_a_source_is_unknown_with_the_reason(visitor: TestClient) -> None:
    assert "Its image names no source to examine" in fakes.shown(visitor.get("/health"))


def test_names_of_others_are_shown_as_text(visitor: TestClient) -> None:
    assert "<b>lab</b>" not in visitor.get("/health").text


def test_what_is_watched_lists_every_project_with_figures(script: TestClient) -> None:
    page = script.get("/health.json?show=watched").json()
    assert len(page["lines"]) == 20
    assert page["lines"][0]["name"] == "continuedev/continue"
    assert page["lines"][0]["state"] == "end of life"


def test_a_cluster_that_could_not_be_read_is_said_beside_the_list() -> None:
    services = fakes.build(health=fakes.FakeHealth(silent=("atlas-us does not answer.",)))
    with make_visitor(services) as visitor:
        assert "atlas-us does not answer. What runs there is not, or not all, in this list." in fakes.shown(
            visitor.get("/health")
        )


def test_nothing_that_runs_is_said_as_such_and_not_as_health() -> None:
    with make_visitor(fakes.build(health=fakes.FakeHealth(workloads=()))) as visitor:
        text = fakes.shown(visitor.get("/health"))
    assert "No workload was found" in text


def test_a_project_shows_rule_rows_flips_signal_and_source(visitor: TestClient) -> None:
    text = fakes.shown(visitor.get("/health/ollama/ollama"))
    for part in (
        "this one",
        "half of 271 the year before",
        "What would flip this verdict",
        "Dying signal",
        "commit fb3076099687",
    ):
        assert part in text
    assert "harbor-eu/team-code/deployment/qwen2-5-coder-7b" in text


def test_the_end_of_continue_says_where_it_was_announced(visitor: TestClient) -> None:
    text = fakes.shown(visitor.get("/health/continuedev/continue"))
    assert "Its maintainers made it read-only on 18 June 2026." in text
    assert "no longer actively maintained" in text


def test_what_git_cannot_know_is_said_and_not_zero(visitor: TestClient, script: TestClient) -> None:
    assert "not known from git" in fakes.shown(visitor.get("/health/ollama/ollama"))
    years = script.get("/health/ollama/ollama.json").json()["project"]["years"]
    assert next(row for row in years if row["label"] == "Unique issue authors")["now"] is None


@pytest.mark.parametrize("path", ["/health/olama/ollama", "/health/a/b", "/health/%3Cb%3E/x"])
def test_a_project_that_is_not_known_is_one_sentence(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert "Nothing is known of" in fakes.shown(answer)
    assert "<b>/x" not in answer.text


def test_every_state_has_a_mark_and_words() -> None:
    assert set(TONES) == set(_WORDS) == set(ORDER)


@given(st.lists(st.integers(0, 10**6), max_size=60))
def test_bars_stay_in_their_box(values: list[int]) -> None:
    for bar in bars(values):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH + 0.01
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.02
