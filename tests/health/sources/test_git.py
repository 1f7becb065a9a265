"""Repositories made on the spot and read by git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sealane.health.bots import KNOWN
from sealane.health.errors import SourceBroken, SourceMissing
from sealane.health.sources import git

START = 1_700_000_000
NOW = START + 100 * 86400


class Repository:
    """A repository whose commits have the names and times that a test wants."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, **environ: str) -> str:
        settings = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *settings, "-C", str(self.path), *arguments],
            env=clean | {"GIT_CONFIG_GLOBAL": "/dev/null"} | environ,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(
        self,
        message: str = "work",
        *,
        who: str = "Ann Lee <ann@example.com>",
        stamp: int = START,
        committer: str = "",
        files: dict[str, str | None] | None = None,
    ) -> str:
        for name, content in (files or {}).items():
            target = self.path / name
            if content is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
        self.git("add", "-A")
        name, _, address = who.rstrip(">").partition(" <")
        other, _, other_address = (committer or who).rstrip(">").partition(" <")
        self.git(
            "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message,
            GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=address, GIT_AUTHOR_DATE=f"@{stamp} +0000",
            GIT_COMMITTER_NAME=other, GIT_COMMITTER_EMAIL=other_address, GIT_COMMITTER_DATE=f"@{stamp} +0000",
        )  # fmt: skip
        return self.git("rev-parse", "HEAD")

    def read(self, *, now: int = NOW) -> git.GitRead:
        return git.read(self.path, project="acme/thing", rules=KNOWN, now=now)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "thing")


def test_commits_have_people_times_parents_and_the_forge_s_own_hand(repository: Repository) -> None:
    first = repository.commit(who="Ann Lee <7+ann@users.noreply.github.com>")
    repository.commit(stamp=START + 5, committer="GitHub <noreply@github.com>", who="Bo Ek <bo@acme.com>")
    read = repository.read()
    web, plain = read.events.commits
    assert (plain.sha, plain.author, plain.parents, plain.web) == (first, "login:ann", 0, False)
    assert (web.parents, web.web, web.stamp) == (1, True, START + 5)
    assert [domain.domain for domain in read.events.domains] == ["acme.com"]
    assert read.head == web.sha


def test_coauthors_are_people_and_programs_are_marked(repository: Repository) -> None:
    repository.commit("pair\n\nCo-authored-by: Bo Ek <bo@acme.com>\nCo-authored-by: Claude <noreply@anthropic.com>")
    repository.commit(who="renovate[bot] <29139614+renovate[bot]@users.noreply.github.com>")
    read = repository.read()
    assert [coauthor.bot for coauthor in read.events.coauthors] == [False, True]
    assert [commit.bot for commit in read.events.commits] == [True, False]


def test_a_mailmap_says_who_is_who(repository: Repository) -> None:
    repository.commit(who="ann <old@example.com>")
    repository.commit(who="Ann <new@example.com>", files={".mailmap": "Ann <new@example.com> <old@example.com>\n"})
    assert len({commit.author for commit in repository.read().events.commits}) == 1


def test_impossible_dates_are_left_out_and_counted(repository: Repository) -> None:
    repository.commit(stamp=1)
    repository.commit(stamp=START)
    repository.commit(stamp=4_070_908_800)  # 2099
    read = repository.read()
    assert (len(read.events.commits), read.skipped) == (1, 2)


def test_names_that_are_no_text_are_read(repository: Repository) -> None:
    repository.commit("\U0001f4a9 \x01", who="\U0001f98a Fox <fox@example.com>")
    assert len(repository.read().events.commits) == 1


def test_every_version_of_an_ownership_file_is_known_to_the_commit(repository: Repository) -> None:
    repository.commit(files={"OWNERS": "approvers:\n- ann\n"}, stamp=START)
    repository.commit(files={"OWNERS": "approvers:\n- ann\n- bob\n"}, stamp=START + 10)
    repository.commit(files={"OWNERS": None, ".github/CODEOWNERS": "* @cho\n"}, stamp=START + 20)
    read = repository.read()
    versions = {(v.path, v.stamp, v.deleted) for v in read.events.owner_versions}
    assert versions == {
        ("OWNERS", START, False),
        ("OWNERS", START + 10, False),
        ("OWNERS", START + 20, True),
        (".github/CODEOWNERS", START + 20, False),
    }
    assert sorted(name.actor for name in read.events.owner_names) == ["ann", "ann", "bob", "cho"]


def test_pull_requests_are_seen_by_what_a_mirror_keeps(repository: Repository) -> None:
    repository.commit()
    repository.git("checkout", "-q", "-b", "feature")
    head = repository.commit("feature", who="Cho <9+cho@users.noreply.github.com>", stamp=START + 100)
    repository.git("update-ref", "refs/pull/1/head", head)
    lost = repository.commit("lost", who="Dia <dia@example.com>", stamp=START + 300)
    repository.git("update-ref", "refs/pull/2/head", lost)
    repository.git("checkout", "-q", "main")
    repository.commit("feature (#1)", stamp=START + 200)
    first, second = repository.read().events.items
    assert (first.number, first.actor, first.merged_at) == (1, "cho", START + 200)
    assert second.merged_at is None
    assert second.actor is not None
    assert second.actor.startswith("git:")


def test_an_old_copy_is_dated_by_the_newest_thing_in_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit(stamp=START)
    repository.git("tag", "-a", "v1", "-m", "x", GIT_COMMITTER_DATE=f"@{START + 50} +0000")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository.path), str(bare)], check=True, capture_output=True)
    for log in bare.glob("logs/**/*"):
        if log.is_file():
            log.unlink()
    read = git.read(bare, project="acme/thing", rules=KNOWN, now=NOW)
    assert read.events.taken_at == START + 1
    assert [tag.stamp for tag in read.events.tags] == [START + 50]


def test_a_shallow_clone_says_that_it_is_one(repository: Repository, tmp_path: Path) -> None:
    for step in range(3):
        repository.commit(stamp=START + step)
    shallow = tmp_path / "shallow"
    source = f"file://{repository.path}"
    subprocess.run(["git", "clone", "-q", "--depth=1", source, str(shallow)], check=True, capture_output=True)
    read = git.read(shallow, project="acme/thing", rules=KNOWN, now=NOW)
    assert (read.shallow, len(read.events.commits)) == (True, 1)


def test_what_is_no_repository_or_an_empty_one_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="is not a folder"):
        git.read(tmp_path / "no", project="a/b", rules=KNOWN, now=NOW)
    (tmp_path / "plain").mkdir()
    with pytest.raises(SourceMissing, match="is not a git repository"):
        git.read(tmp_path / "plain", project="a/b", rules=KNOWN, now=NOW)
    with pytest.raises(SourceBroken, match="no commit on its default branch"):
        Repository(tmp_path / "empty").read()


def test_a_repository_s_own_configuration_starts_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    mark = tmp_path / "started"
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "log.showSignature"):
        repository.git("config", key, f"touch {mark}" if key != "log.showSignature" else "true")
    repository.git("config", "gpg.program", f"touch {mark}")
    repository.read()
    assert not mark.exists()
