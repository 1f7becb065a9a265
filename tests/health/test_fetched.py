"""Fetched projects: two halves as one, what an unfinished fetch may not say, and verdicts kept for offline use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from sealane.health import bots, desk, fetched, sample, verdicts
from sealane.health.errors import SourceMissing
from sealane.health.sources import rawstore
from sealane.health.sources.github import stamp
from sealane.health.sources.rawstore import RepoFacts, Store
from tests.health.sources.test_git import Repository

DAY = 86_400
TAKEN = 1_780_000_000
NOW = TAKEN + 30 * DAY
FACTS = RepoFacts(repository="Acme/Thing", id=7, url="https://forge.example/Acme/Thing")


def node(number: int, *, kind: str = "issue", by: str | None = "zed", at: int = TAKEN - 40 * DAY) -> tuple[str, object]:
    """A raw record as GraphQL gives it."""
    who = None if by is None else {"login": by, "__typename": "Bot" if by == "helper" else "User"}
    value = {"number": number, "createdAt": stamp(at), "author": who, "authorAssociation": "NONE", "title": "t"}
    merged = {"mergedAt": stamp(at + DAY), "closedAt": stamp(at + DAY), "mergedBy": {"login": "Ann"}}
    return f"graphql-{kind}", value | (merged if kind == "pull" else {})


def store(data_dir: Path, *, taken: int | None = TAKEN, facts: RepoFacts = FACTS) -> Store:
    """A store with three issues and two merged pull requests, fetched to its end unless `taken` is None."""
    made = rawstore.claim(fetched.raw_root(data_dir), facts, api="https://api.example", asked=facts.repository)
    records = [
        node(1),
        node(2, by="helper"),
        node(3, by=None),
        node(4, kind="pull", by="zed"),
        node(5, kind="pull", by="yo"),
    ]
    made.keep(msgspec.structs.replace(made.state, taken_at=taken, full=("graphql",)), records)
    return made


def mirror(data_dir: Path, made: Store) -> Path:
    """Three years of commits, with a pull request reference that the forge knows too and an owner in another case."""
    work = Repository(data_dir / "work")
    for place in range(36):
        files: dict[str, str | None] = {"CODEOWNERS": "* @ann\n"} if place == 0 else {}
        work.commit(f"c{place}", stamp=TAKEN - (36 - place) * 30 * DAY, files=files)
    work.git("update-ref", "refs/pull/4/head", "HEAD")
    path = fetched.mirror_path(data_dir, made.state.facts.repository)
    path.parent.mkdir(parents=True)
    subprocess.run(["git", "clone", "-q", "--mirror", str(work.path), str(path)], check=True)
    made.keep(msgspec.structs.replace(made.state, git_url="https://forge.example/Acme/Thing.git", git_at=TAKEN + 9))
    return path


def merged(data_dir: Path, made: Store) -> fetched.Merged:
    return fetched.merge(data_dir, made, rules=bots.KNOWN, now=NOW)


def test_both_halves_are_one_project_and_the_forge_s_pull_requests_win(tmp_path: Path) -> None:
    made = store(tmp_path)
    mirror(tmp_path, made)
    found = merged(tmp_path, made)
    assert [(item.kind, item.number, item.merged_by) for item in found.events.items if item.kind == "pull"] == [
        ("pull", 4, "Ann"),
        ("pull", 5, "Ann"),
    ]
    assert len(found.events.commits) == 36
    assert (
        {item.project for item in found.events.items}
        == {each.project for each in found.events.commits}
        == {"Acme/Thing"}
    )
    assert found.known == fetched.Known(issues=True, pulls=True, conversation=True, commits=True, domains=True)
    assert found.bots == {"helper[bot]": "GitHub marks it as an app"}
    assert found.taken_at == TAKEN
    assert [source.kind for source in found.sources] == ["github", "git"]


def test_a_person_that_github_takes_for_an_app_is_one_where_the_allow_list_says_so(tmp_path: Path) -> None:
    made = store(tmp_path)
    rules = bots.BotRules(allow=frozenset({"helper[bot]"}))
    assert fetched.merge(tmp_path, made, rules=rules, now=NOW).bots == {}


def test_a_first_fetch_that_did_not_end_gives_no_items_and_says_so(tmp_path: Path) -> None:
    made = store(tmp_path, taken=None)
    assert fetched.find(tmp_path, "acme/thing") is None
    with pytest.raises(SourceMissing, match="did not come to its end"):
        merged(tmp_path, made)
    mirror(tmp_path, made)
    found = merged(tmp_path, made)
    assert [item.number for item in found.events.items] == [4]  # what git alone knows
    assert (found.known.issues, found.known.pulls, found.known.commits) == (False, True, True)
    assert "did not come to its end" in found.sources[0].notes[0]


def test_issues_that_are_turned_off_are_unknown_not_none(tmp_path: Path) -> None:
    made = store(tmp_path, facts=msgspec.structs.replace(FACTS, has_issues=False))
    found = merged(tmp_path, made)
    assert not found.known.issues
    assert any("turned off" in note for note in found.sources[0].notes)


def test_forks_mirrors_and_what_github_left_out_are_said(tmp_path: Path) -> None:
    made = store(tmp_path, facts=msgspec.structs.replace(FACTS, fork=True, mirror_of="https://git.example/x"))
    made.keep(msgspec.structs.replace(made.state, left_out={"issues": 2}, full=("rest",)))
    notes = " ".join(merged(tmp_path, made).sources[0].notes)
    for words in ("without a token", "is a fork", "mirror of https://git.example/x", "left out 2 of its issues"):
        assert words in notes


def test_an_archived_repository_is_at_its_end_by_its_owners_word(tmp_path: Path) -> None:
    made = store(tmp_path, facts=msgspec.structs.replace(FACTS, archived=True, archived_at=TAKEN - DAY))
    found = desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path)
    assert found.verdict.state == "end of life"
    assert stamp(TAKEN - DAY)[:10] in found.verdict.sentence
    assert made.state.facts.archived


def test_a_report_uses_what_was_fetched_dated_by_its_day_and_without_a_network(tmp_path: Path) -> None:
    made = store(tmp_path)
    mirror(tmp_path, made)
    found = desk.report("Acme/Thing", as_of=None, window=365, now=NOW, data_dir=tmp_path)
    assert found.report["as_of"] == stamp(TAKEN)
    year = found.report["windows"]["365"]
    assert (year["issues"]["opened"], year["pulls"]["opened"]) == (2, 2)
    assert year["commits"]["count"] > 0
    assert [each["kind"] for each in found.report["sources"]] == ["github", "git"]
    assert [one["actor"] if isinstance(one, dict) else one for one in found.report["core_team"]] in (
        ["Ann"],
        ["Ann", "ann"],
    )
    earlier = desk.report("acme/thing", as_of=TAKEN - 60 * DAY, window=365, now=NOW, data_dir=tmp_path)
    assert earlier.report["windows"]["all"]["issues"]["opened"] == 0


def test_what_was_fetched_stands_in_place_of_the_sample(tmp_path: Path) -> None:
    name = next(iter(sample.projects()))
    store(tmp_path, facts=msgspec.structs.replace(FACTS, repository=name))
    assert (
        desk.report(name, as_of=None, window=365, now=NOW, data_dir=tmp_path).report["sources"][0]["kind"] == "github"
    )
    assert desk.report(name, as_of=None, window=365, now=NOW).report["sources"][0]["kind"] == "sample"


def test_a_project_that_is_not_here_is_told_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing) as caught:
        desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path)
    assert caught.value.next_steps[0].command == "sealane health fetch acme/thing"


def test_the_last_verdict_is_kept_and_read_again_when_it_changed(tmp_path: Path) -> None:
    made = store(tmp_path)
    known = verdicts.Verdicts(tmp_path)
    assert known.known("acme/thing") is None
    first = desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path)
    fetched.keep(made, first)
    judged = known.known("ACME/thing")
    assert judged is not None
    assert (judged.state, judged.as_of) == (first.verdict.state, stamp(TAKEN))
    again = fetched.kept(made)
    assert again is not None
    assert again.facts == first.facts
    archived = msgspec.structs.replace(made.state.facts, archived=True)
    made.keep(msgspec.structs.replace(made.state, facts=archived))
    fetched.keep(made, desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path))
    later = known.known("acme/thing")
    assert later is not None
    assert later.state == "end of life"


def test_a_verdict_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    made = store(tmp_path)
    (made.folder / fetched.KEPT).write_text('{"report": ')
    assert verdicts.Verdicts(tmp_path).known("acme/thing") is None
    assert verdicts.Verdicts(tmp_path).known("../../etc/passwd") is None


def test_shipped_verdicts_are_known_without_a_folder() -> None:
    name = next(iter(sample.projects()))
    assert verdicts.known(name) == verdicts.Verdicts().known(name)
    assert verdicts.known("acme/thing") is None


def test_every_fetched_project_with_a_verdict_is_listed_with_its_page(tmp_path: Path) -> None:
    made = store(tmp_path)
    store(tmp_path, facts=RepoFacts(repository="acme/other", id=8, url=""))
    known = verdicts.Verdicts(tmp_path)
    assert list(known.every()) == []
    fetched.keep(made, desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path))
    assert [(one.report["project"], url) for one, url in known.every()] == [("Acme/Thing", FACTS.url)]
    assert list(verdicts.Verdicts().every()) == []
