"""A kubeconfig that is edited while `up` runs: taken when it is whole, told when it is not, and nothing lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fake_kube import FakeKube, StepClock, settle

from sealane.fleet import Fleet, Replaced
from sealane.kube import resources
from sealane.runtime import contexts, kubeconfig
from sealane.runtime.contexts import KUBECONFIG, Chosen
from sealane.runtime.kubeconfig import Following
from sealane.runtime.switch import Switch


def text(*names: str, user: str = "dana", namespace: str = "default") -> str:
    clusters = "".join(f"- {{name: {name}, cluster: {{server: 'https://{name}.test'}}}}\n" for name in names)
    entries = "".join(
        f"- {{name: {name}, context: {{cluster: {name}, user: {user}, namespace: {namespace}}}}}\n" for name in names
    )
    users = f"- {{name: {user}, user: {{token: t}}}}\n"
    return f"apiVersion: v1\nkind: Config\nclusters:\n{clusters}users:\n{users}contexts:\n{entries}"


def put(path: Path, content: str) -> None:
    """Replace a file in one step, as kubectl does."""
    draft = path.with_suffix(".new")
    draft.write_text(content)
    draft.replace(path)


class World:
    def __init__(self, fleet: Fleet, following: Following, told: list[Chosen]) -> None:
        self.fleet, self.following, self.told = fleet, following, told

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.following.look()
        await settle()

    @property
    def names(self) -> list[str]:
        return list(self.fleet.clusters)

    @property
    def sentence(self) -> str:
        return self.following.problem.sentence if self.following.problem else ""


Open = Callable[..., contextlib.AbstractAsyncContextManager[World]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    @contextlib.asynccontextmanager
    async def make(*paths: Path, choice: str = KUBECONFIG) -> AsyncIterator[World]:
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
        chosen = contexts.of_user(choice)
        told: list[Chosen] = []

        def changed(now: Chosen, replaced: Replaced) -> None:
            told.append(now)

        async with Fleet(chosen.contexts, clock=StepClock(), make_client=FakeKube().client) as fleet:
            await settle()
            yield World(fleet, Following(fleet, chosen, choice, changed=changed), told)

    return make


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(text("a", "b"))
    return path


async def test_a_context_that_is_added_or_removed_is_followed(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        put(file, text("a", "c"))
        await w.look()
        assert w.names == ["a", "c"]
        assert w.sentence == ""
        assert [context.name for context in w.told[-1].contexts] == ["a", "c"]


async def test_a_cluster_whose_context_did_not_change_goes_on(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        kept = w.fleet.cluster("a")
        await kept.synced(resources.PODS)
        put(file, text("a", "b", namespace="team-b"))
        await w.look()
        assert w.fleet.cluster("a") is kept
        assert kept.context.namespace == "team-b"
        assert kept.freshness(resources.PODS).state == "live"


async def test_nothing_is_read_while_nothing_changes(opened: Open, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(file) as w:
        monkeypatch.setattr(contexts, "again", None)
        await w.look(5)
        assert w.told == []


async def test_a_file_that_is_still_being_written_is_waited_for(opened: Open, file: Path) -> None:
    whole = text("a", "b", "c")
    async with opened(file) as w:
        for end in (10, 60, 120, len(whole)):
            file.write_text(whole[:end])
            await w.look(1)
            assert w.names == ["a", "b"]
        await w.look(1)
        assert w.names == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("contexts:\n- {name: a, context: {cluster", "this is not valid YAML"),
        ("", "No cluster is named in"),
        ("- a\n", "it should be a map"),
    ],
)
async def test_a_broken_file_is_one_sentence_and_loses_nothing(
    opened: Open, file: Path, content: str, words: str
) -> None:
    async with opened(file) as w:
        kept = dict(w.fleet.clusters)
        put(file, content)
        await w.look(4)
        assert w.fleet.clusters == kept
        assert w.sentence.startswith("Your kubeconfig changed and was not taken: ")
        assert words in w.sentence
        assert w.sentence.endswith("The clusters that were followed go on.")
        assert w.told == []
        put(file, text("a"))
        await w.look()
        assert (w.names, w.sentence) == (["a"], "")


async def test_one_broken_context_is_that_clusters_own_trouble(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        kept = w.fleet.cluster("a")
        put(file, text("a", "b").replace("cluster: b", "cluster: bb"))
        await w.look()
        assert w.names == ["a", "b"]
        assert w.fleet.cluster("a") is kept
        assert w.fleet.cluster("b").context.problem is not None


async def test_a_file_that_vanishes_for_a_moment_loses_nothing(opened: Open, tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other"
    other.write_text(text("z", user="zoe"))
    async with opened(file, other) as w:
        kept = dict(w.fleet.clusters)
        content = other.read_text()
        other.unlink()
        await w.look(3)
        assert w.fleet.clusters == kept
        assert f"{other} is not there" in w.sentence
        other.write_text(content)
        await w.look(2)
        assert w.fleet.clusters == kept
        assert w.sentence == ""


async def test_a_file_that_moves_away_and_comes_back_is_no_news(opened: Open, tmp_path: Path, file: Path) -> None:
    async with opened(file) as w:
        file.rename(tmp_path / "away")
        await w.look(2)
        assert w.sentence
        (tmp_path / "away").rename(file)
        await w.look(1)
        assert (w.sentence, w.told) == ("", [])


async def test_one_of_several_files_that_stays_away_takes_its_contexts_with_it(
    opened: Open, tmp_path: Path, file: Path
) -> None:
    other = tmp_path / "other"
    other.write_text(text("z", user="zoe"))
    async with opened(file, other) as w:
        other.unlink()
        await w.look(kubeconfig.PATIENCE + 2)
        assert (w.names, w.sentence) == (["a", "b"], "")


async def test_the_only_file_that_stays_away_loses_nothing(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        file.unlink()
        await w.look(kubeconfig.PATIENCE + 5)
        assert w.names == ["a", "b"]
        assert "There is no kubeconfig at" in w.sentence


async def test_a_file_that_appears_among_several_is_followed(opened: Open, tmp_path: Path, file: Path) -> None:
    async with opened(file, tmp_path / "later") as w:
        put(tmp_path / "later", text("z", user="zoe"))
        await w.look()
        assert w.names == ["a", "b", "z"]


async def test_a_symlink_that_points_elsewhere_is_followed(opened: Open, tmp_path: Path, file: Path) -> None:
    link, other = tmp_path / "link", tmp_path / "other"
    other.write_text(text("z"))
    link.symlink_to(file)
    async with opened(link) as w:
        link.unlink()
        link.symlink_to(other)
        await w.look()
        assert w.names == ["z"]


async def test_of_named_contexts_only_those_are_followed(opened: Open, file: Path) -> None:
    async with opened(file, choice="a,b") as w:
        put(file, text("a", "b", "c"))
        await w.look()
        assert w.names == ["a", "b"]
        put(file, text("b", "c"))
        await w.look()
        assert w.names == ["b"]
        assert "No context named a in" in w.sentence
        put(file, text("c"))
        await w.look()
        assert w.names == ["b"], "with none of the named ones left, what was followed goes on"
        assert "was not taken: No context named a" in w.sentence


async def test_a_file_that_may_not_be_read_is_a_sentence(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        file.unlink()
        file.mkdir()
        await w.look()
        assert w.names == ["a", "b"]
        assert "the kubeconfig cannot be read" in w.sentence


async def test_it_looks_by_itself_until_the_block_is_left(
    opened: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(file) as w:
        clock = StepClock()
        looks: list[int] = []

        async def look() -> None:
            looks.append(1)
            if len(looks) == 1:
                raise RuntimeError("a mistake of ours ends nothing")

        following = Following(w.fleet, contexts.of_user(KUBECONFIG), KUBECONFIG, changed=lambda *_: None, clock=clock)
        monkeypatch.setattr(following, "look", look)
        async with following.running():
            await clock.advance(kubeconfig.POLL * 3)
        assert len(looks) == 3
        await clock.advance(kubeconfig.POLL * 3)
        assert len(looks) == 3


async def test_the_page_shows_what_the_file_says_now_and_why_it_is_not_followed(opened: Open, file: Path) -> None:
    async with opened(file) as w:
        switch = Switch(
            contexts.of_user(KUBECONFIG), lambda _: None, followed=lambda: w.fleet.clusters, following=w.following
        )
        assert [(row.name, row.active) for row in switch.contexts()] == [("a", True), ("b", True)]
        put(file, text("a", "c"))
        assert [(row.name, row.active) for row in switch.contexts()] == [("a", True), ("c", False)]
        await w.look()
        assert [(row.name, row.active) for row in switch.contexts()] == [("a", True), ("c", True)]
        assert switch.problem() is None
        put(file, "")
        await w.look()
        assert switch.problem() is w.following.problem
