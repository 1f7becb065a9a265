"""Mirrors of repositories that git made on the spot, over file addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane.health.bots import KNOWN
from sealane.health.errors import ForgeUnreachable, SourceBroken
from sealane.health.sources import git, mirror
from sealane.lib.clock import SYSTEM, ManualClock
from sealane.lib.errors import UsageError
from tests.health.sources.test_git import NOW, START, Repository


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    """A repository that may be asked for parts, as forges may."""
    made = Repository(tmp_path / "remote")
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    return made


async def mirrored(remote: Repository) -> Path:
    return await mirror.fetch(f"file://{remote.path}", remote.path.parent / "copy.git", clock=SYSTEM)


def _git(path: Path, *arguments: str) -> str:
    made = Repository.__new__(Repository)  # without making one there
    made.path = path
    return made.git(*arguments)


def read(path: Path) -> git.GitRead:
    return git.read(path, project="acme/thing", rules=KNOWN, now=NOW)


async def test_a_mirror_has_history_tags_pull_requests_and_owners_but_no_other_content(remote: Repository) -> None:
    remote.commit(files={"big.txt": "x" * 100_000, "CODEOWNERS": "* @ann @bo\n"})
    remote.git("tag", "v1")
    remote.git("checkout", "-q", "-b", "work")
    head = remote.commit("more", who="Cy Day <cy@example.com>", stamp=START + 60)
    remote.git("update-ref", "refs/pull/7/head", head)
    remote.git("checkout", "-q", "main")
    remote.commit("two", stamp=START + 120, files={"CODEOWNERS": "* @ann\n"})
    path = await mirrored(remote)
    remote.path.rename(remote.path.with_name("away"))  # reading reaches for nothing
    found = read(path)
    assert (len(found.events.commits), found.pull_refs, found.events.items[0].number) == (2, 1, 7)
    assert [tag.name for tag in found.events.tags] == ["v1"]
    assert [(name.position, name.actor) for name in found.events.owner_names] == [(0, "ann"), (0, "bo"), (1, "ann")]
    assert _git(path, "cat-file", "--batch-all-objects", "--batch-check").count(" blob ") == 2


async def test_a_second_fetch_takes_a_forced_push_another_branch_and_what_was_removed(remote: Repository) -> None:
    remote.commit("one")
    gone = remote.commit("two", stamp=START + 60)
    remote.git("update-ref", "refs/pull/1/head", gone)
    path = await mirrored(remote)
    assert len(read(path).events.commits) == 2
    remote.git("reset", "-q", "--hard", "HEAD~1")
    remote.commit("other", stamp=START + 90)
    remote.git("branch", "-m", "main", "trunk")
    remote.git("update-ref", "-d", "refs/pull/1/head")
    found = read(await mirrored(remote))
    assert (len(found.events.commits), found.head, found.pull_refs) == (2, remote.git("rev-parse", "HEAD"), 0)


async def test_a_fetch_that_was_cut_off_after_its_beginning_is_finished_by_the_next(remote: Repository) -> None:
    remote.commit("one")
    path = remote.path.parent / "copy.git"
    remote.git("init", "-q", "--bare", str(path))
    assert len(read(await mirrored(remote)).events.commits) == 1


def test_reading_a_copy_without_contents_fetches_nothing_and_runs_nothing(remote: Repository) -> None:
    remote.commit(files={"CODEOWNERS": "* @ann\n"})
    path, mark = remote.path.parent / "copy.git", remote.path.parent / "ran"
    remote.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{remote.path}", str(path))
    _git(path, "config", "remote.origin.uploadpack", f"touch {mark}; git-upload-pack")
    found = read(path)
    assert (len(found.events.commits), found.events.owner_versions, mark.exists()) == (1, (), False)


async def test_an_empty_repository_is_said_to_be_empty(remote: Repository) -> None:
    with pytest.raises(SourceBroken, match="is empty"):
        await mirrored(remote)


async def test_a_repository_that_is_not_there_is_said_in_git_s_words(tmp_path: Path) -> None:
    with pytest.raises(ForgeUnreachable, match=r"could not fetch file:///.*does not"):
        await mirror.fetch(f"file://{tmp_path}/none", tmp_path / "copy.git", clock=SYSTEM)


async def test_a_fetch_that_lasts_too_long_is_ended(remote: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.commit("one")
    slow = remote.path.parent / "bin"
    slow.mkdir()
    script = slow / "git"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:/usr/bin:/bin")
    with pytest.raises(ForgeUnreachable, match="did not finish within 3600 s"):
        await mirror.fetch(f"file://{remote.path}", remote.path.parent / "copy.git", clock=ManualClock())


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/thing.git",
        "https://git.example:8443/acme/thing",
        "ssh://git@git.example/acme/thing.git",
        "file:///srv/thing.git",
    ],
)
def test_addresses_of_three_kinds_are_taken(url: str) -> None:
    assert mirror.checked(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "thing", "/srv/thing", "-u", "--upload-pack=touch x", "ext::sh -c touch% x", "git://git.example/a",
        "http://git.example/a", "https://me:secret@git.example/a", "https://me@git.example/a", "ssh://-oProxyCommand=x/a",
        "ssh://git@-oProxyCommand=x/a", "ssh://git.example/$(x)", "https://git.example/a b", "https://git.example/a\n",
        "https://git.example/a?x", "file://host/srv", "https://git.example:99999/a", "https://git.example",
        "file:relative",
    ],
)  # fmt: skip
def test_git_is_sent_nowhere_else(url: str) -> None:
    with pytest.raises(UsageError, match="no address that git is sent to"):
        mirror.checked(url)


def test_a_token_goes_to_its_own_address_only_and_not_on_a_command_line() -> None:
    settings = mirror._secret("https://git.example/acme/thing", "ghp_secret")
    assert settings["GIT_CONFIG_KEY_0"] == "http.https://git.example/.extraHeader"
    assert "ghp_secret" not in str(settings)
    assert mirror._secret("ssh://git@git.example/a", "ghp_secret") == {}
