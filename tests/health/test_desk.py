"""What was typed to a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane.health import desk, sample
from sealane.health.errors import SourceMissing
from sealane.lib.errors import UsageError
from tests.health.sources.test_archive import folder

NOW = 1_780_000_000


@pytest.mark.parametrize(
    ("typed", "kind", "name"),
    [
        ("ollama/ollama", "forge", "ollama/ollama"),
        ("https://github.com/ollama/ollama", "forge", "ollama/ollama"),
        ("https://github.com/ollama/ollama.git/", "forge", "ollama/ollama"),
        ("git:/src/thing", "git", "/src/thing"),
        ("archive:folder", "archive", "folder"),
    ],
)
def test_a_source_is_understood(typed: str, kind: str, name: str) -> None:
    assert desk.parse(typed) == desk.Source(kind=kind, name=name)


@pytest.mark.parametrize(
    "typed", ["", "ollama", "a/b/c", "../..", "a/..", "https://evil.example/a/b", "git:", "a/<b>", "x" * 5000]
)
def test_what_is_no_source_is_refused_with_the_forms_that_are(typed: str) -> None:
    with pytest.raises(UsageError, match="is no source") as caught:
        desk.parse(typed)
    assert len(caught.value.sentence) < 400


def test_an_archive_is_reported_as_of_the_midnight_of_the_day_it_was_taken(tmp_path: Path) -> None:
    found = desk.report(f"archive:{folder(tmp_path)}", as_of=None, window=45, now=NOW)
    assert found.report["as_of"] == "2026-04-16T00:00:00Z"
    assert set(found.report["windows"]) == {"30", "90", "365", "all", "45"}
    assert found.report["windows"]["365"]["commits"] is None
    assert found.report["state"] == "unknown"
    assert found.report["sources"][0]["kind"] == "archive"


def test_a_report_looks_no_further_than_the_instant_asked_for(tmp_path: Path) -> None:
    before = 1_767_225_601  # the first issue is a second old, its answer has not come
    found = desk.report(f"archive:{folder(tmp_path)}", as_of=before, window=365, now=NOW)
    assert found.report["windows"]["all"]["issues"]["opened"] == 1
    assert found.report["windows"]["all"]["response_issues"]["answered"] == 0


def test_every_project_that_ships_has_a_verdict_and_its_day() -> None:
    states = {}
    for repository, one in sample.projects().items():
        found = desk.report(repository, as_of=None, window=365, now=NOW)
        states[repository] = found.verdict.state
        assert found.report["sources"][0]["taken_at"].startswith(one.as_of)
        assert found.report["windows"]["365"]["issues"] is None
    assert states["continuedev/continue"] == "end of life"
    assert states["ollama/ollama"] == "narrowing"
    assert states["kubernetes-sigs/headlamp"] == "growing"
    assert "unknown" not in states.values()


def test_a_project_that_is_not_here_is_said_with_the_nearest_name() -> None:
    with pytest.raises(SourceMissing, match="Nothing is known of olama/ollama") as caught:
        desk.report("olama/ollama", as_of=None, window=365, now=NOW)
    assert any("ollama/ollama" in step.command for step in caught.value.next_steps)


def test_shipped_figures_are_of_one_day_only() -> None:
    with pytest.raises(UsageError, match="only"):
        desk.report("ollama/ollama", as_of=1, window=365, now=NOW)


def test_the_same_input_has_the_same_digest_and_another_has_not(tmp_path: Path) -> None:
    source = f"archive:{folder(tmp_path)}"
    first, again = (desk.report(source, as_of=NOW, window=365, now=NOW) for _ in range(2))
    other = desk.report(source, as_of=NOW - 1, window=365, now=NOW)
    assert desk.input_digest(first) == desk.input_digest(again) != desk.input_digest(other)
