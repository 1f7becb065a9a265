"""`sealane health fetch`: both halves, a budget that ends, tokens, and what the command line shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from github_stub import START, TOKEN, GitHubStub, secondary

from sealane.cli import health as cli
from sealane.health import desk, verdicts
from sealane.health.errors import ForgeLimited, SourceBroken
from sealane.lib.clock import ManualClock
from sealane.lib.errors import UsageError
from sealane.runtime import fetching
from sealane.runtime.fetching import Fetched, Stage, Wish, token_of, web_of
from tests.health.sources.test_git import Repository


class Desk:
    """A stub with a small project and the repository of its history."""

    def __init__(self, stub: GitHubStub, folder: Path, clock: ManualClock) -> None:
        self.stub, self.clock, self.data = stub, clock, folder / "data"
        self.shown: list[Stage] = []
        self.work = Repository(folder / "work")
        self.work.git("config", "uploadpack.allowFilter", "true")
        self.work.git("config", "uploadpack.allowAnySHA1InWant", "true")

    async def fetch(self, **changed: object) -> Fetched:
        asked = {"repository": "acme/thing", "api": self.stub.url, "git_url": f"file://{self.work.path}"} | changed
        return await fetching.fetch(
            Wish(**asked),  # type: ignore[arg-type]
            data_dir=self.data,
            show=self.shown.append,
            clock=self.clock,
        )


@pytest.fixture
async def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("SEALANE_GITHUB_TOKEN", TOKEN)
    clock = Patient()
    async with GitHubStub(clock) as stub:
        made = Desk(stub, tmp_path, clock)
        stub.add("issue", answers=("bo",))
        stub.add("pull", by="cy", merged_by="bo")
        made.work.commit(stamp=START)
        yield made


class Patient(ManualClock):
    """A clock whose long sleeps do not end by themselves: git is given its hour."""

    async def sleep(self, seconds: float) -> None:
        if seconds < 3600:
            return await super().sleep(seconds)
        import asyncio

        await asyncio.Event().wait()
        return None


async def test_both_halves_are_fetched_judged_and_kept(project: Desk) -> None:
    found = await project.fetch()
    assert (found.repository, found.calls, found.points) == ("acme/thing", 4, 3)
    assert found.left == {"graphql": 4997, "core": 4996}
    assert found.state == "dormant"
    now = int(project.clock.now().timestamp())
    report = desk.report("acme/thing", as_of=None, window=365, now=now, data_dir=project.data).report
    assert report["coverage"]["issues"] == 1
    assert report["coverage"]["commits"] == 1
    judged = verdicts.Verdicts(project.data).known("acme/thing")
    assert judged is not None
    assert judged.sentence == found.sentence
    assert project.shown == []  # it took no time


async def test_git_alone_asks_no_api(project: Desk) -> None:
    found = await project.fetch(git_only=True)
    assert project.stub.seen == []
    assert (found.calls, found.state) == (0, "dormant")
    later = await project.fetch()
    assert later.repository == "acme/thing"
    assert len(list((project.data / "health" / "raw").glob("*thing"))) == 1


async def test_a_spent_budget_leaves_git_s_half_and_is_told_at_the_end(project: Desk) -> None:
    project.stub.faults = [None, secondary]
    with pytest.raises(ForgeLimited):
        await project.fetch()
    judged = verdicts.Verdicts(project.data).known("acme/thing")
    assert judged is not None
    assert judged.state == "dormant"
    assert (await project.fetch()).calls == 4


async def test_an_empty_history_is_a_problem_but_not_the_end_where_there_are_issues(
    project: Desk, tmp_path: Path
) -> None:
    empty = Repository(tmp_path / "empty")
    found = await project.fetch(git_url=f"file://{empty.path}")
    assert (found.state, found.problems) == (
        "unknown",
        (f"file://{empty.path} is empty: it has no commit on a default branch.",),
    )
    with pytest.raises(SourceBroken, match="is empty"):
        await project.fetch(git_url=f"file://{empty.path}", git_only=True)


async def test_a_renamed_project_takes_its_mirror_along(project: Desk) -> None:
    await project.fetch()
    project.stub.old_names, project.stub.name = {"acme/thing"}, "newco/thing"
    assert (await project.fetch()).repository == "newco/thing"
    assert [path.name for path in (project.data / "health" / "git").iterdir()] == ["newco__thing.git"]


async def test_progress_is_shown_when_it_takes_longer_than_three_seconds(project: Desk) -> None:
    project.stub.faults = [None, secondary]
    await project.fetch(wait=100)
    assert [stage.stage for stage in project.shown][:2] == ["Waiting", "Fetching"]
    assert all(stage.seconds > 3 for stage in project.shown[1:])


async def test_the_token_is_nowhere_in_the_data_directory(project: Desk) -> None:
    await project.fetch()
    for path in project.data.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.parametrize("source", ["git:/srv/thing", "archive:folder"])
async def test_what_lies_here_is_not_fetched(project: Desk, source: str) -> None:
    with pytest.raises(UsageError, match="is read where it lies"):
        await project.fetch(repository=source)


def test_github_s_own_token_goes_to_github_alone() -> None:
    environ = {"GITHUB_TOKEN": "a", "MINE": "c"}
    assert token_of(Wish(repository="a/b"), environ) == "a"
    assert token_of(Wish(repository="a/b", api="https://git.example/api/v3"), environ) == ""
    assert token_of(Wish(repository="a/b", api="https://git.example/api/v3", token_env="MINE"), environ) == "c"
    assert token_of(Wish(repository="a/b"), environ | {"SEALANE_GITHUB_TOKEN": "b"}) == "b"
    assert token_of(Wish(repository="a/b"), {}) == ""
    with pytest.raises(UsageError, match="EMPTY holds no token"):
        token_of(Wish(repository="a/b", token_env="EMPTY"), environ)


def test_the_history_comes_from_beside_the_api() -> None:
    assert web_of("https://api.github.com/") == "https://github.com"
    assert web_of("https://git.example/api/v3") == "https://git.example"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["no-name"], 2, "is no source"),
        (["acme/thing", "--git-only", "--git-url", "ext::sh -c x"], 2, "no address that git is sent to"),
        (["acme/thing", "--token-env", "NOT_THERE"], 2, "holds no token"),
        (["acme/thing", "--api", "http://git.example"], 2, "no address of an API"),
        (["acme/thing", "--git-only", "--git-url", "file:///nowhere/at/all"], 1, "could not fetch"),
    ],
)
def test_the_command_line_says_one_sentence_and_ends_with_a_code(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    done = CliRunner().invoke(cli.command, ["fetch", *arguments, "--data-dir", str(tmp_path / "data")])
    assert (done.exit_code, words in done.output) == (code, True)
    assert "Traceback" not in done.output


def test_the_command_line_fetches_and_shows_the_verdict(tmp_path: Path) -> None:
    work = Repository(tmp_path / "work")
    work.commit(stamp=START)
    data = ["--data-dir", str(tmp_path / "data")]
    done = CliRunner().invoke(
        cli.command, ["fetch", "acme/thing", "--git-only", "--git-url", f"file://{work.path}", *data]
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("acme/thing: dormant, as of ")
    shown = CliRunner().invoke(cli.command, ["report", "acme/thing", *data])
    assert shown.output.startswith("acme/thing: dormant (rule ")
