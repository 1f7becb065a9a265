"""GitHub's API, from a stub on loopback: everything once, cheaply, and again from wherever it stopped."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from github_stub import START, TOKEN, GitHubStub, bad_gateway, expired, iso, points_spent, secondary

from sealane.health.errors import FetchBusy, ForgeLimited, ForgeRefused, ForgeUnreachable, SourceBroken
from sealane.health.sources import github, githubevents, rawstore
from sealane.health.sources.githubapi import PUBLIC, GitHubApi, addresses
from sealane.health.sources.githubevents import Gathered
from sealane.health.sources.rawstore import Store
from sealane.health.sources.steps import Step
from sealane.lib.clock import ManualClock
from sealane.lib.errors import SealaneError, UsageError


class World:
    """A stub, a store's root, and fetches from one to the other."""

    def __init__(self, stub: GitHubStub, root: Path, clock: ManualClock) -> None:
        self.stub, self.root, self.clock = stub, root, clock
        self.steps: list[Step] = []
        self.api: GitHubApi | None = None

    async def fetch(self, name: str = "acme/thing", *, token: str = TOKEN, wait: float = 0.0) -> Store:
        async with aiohttp.ClientSession() as session:
            self.api = GitHubApi(
                session, base=self.stub.url, token=token, clock=self.clock, wait_limit=wait, said=self.steps.append
            )
            return await github.fetch(self.root, name, self.api, clock=self.clock, said=self.steps.append)

    async def gathered(self, **asked: str) -> Gathered:
        return githubevents.gather(await self.fetch(**asked))

    def small(self) -> None:
        """An issue that a person answered, and a pull request that was reviewed, approved and merged."""
        self.stub.add("issue", by="ann", answers=("bo", None))
        number = self.stub.add("pull", by="dependabot[bot]", merged_by="bo", association="NONE")
        self.stub.answer(number, "bo", at=START + 50, state="APPROVED")
        self.stub.on_line(number, "bo", at=START + 40)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock()
    async with GitHubStub(clock) as stub:
        yield World(stub, tmp_path / "raw", clock)


async def test_issues_pulls_answers_reviews_and_comments_on_lines_become_events(world: World) -> None:
    world.small()
    found = await world.gathered()
    issue, pull = found.items
    assert (issue.kind, issue.number, issue.actor, issue.stamp, issue.merged_by) == ("issue", 1, "ann", START, None)
    assert (pull.kind, pull.actor, pull.merged_by, pull.merged_at) == ("pull", "dependabot[bot]", "bo", START + 3600)
    assert [(each.kind, each.item_kind, each.actor, each.state) for each in found.actions] == [
        ("comment", "issue", "bo", ""),
        ("comment", "issue", None, ""),
        ("inline", "pull", "bo", ""),
        ("review", "pull", "bo", "APPROVED"),
    ]
    assert found.bots == {"dependabot[bot]"}


async def test_ten_thousand_items_cost_less_than_150_points_and_a_second_fetch_less_than_20_calls(world: World) -> None:
    for number in range(10_000):
        world.stub.add("pull" if number % 2 else "issue", at=START + number, answers=("bo",))
    for number in range(2, 2000, 2):
        world.stub.on_line(number, "bo", at=START + number)
    store = await world.fetch()
    spent = world.stub.points + world.stub.rest_calls
    assert (spent, world.stub.points, world.stub.graphql_calls, world.stub.rest_calls) == (112, 101, 101, 11)
    assert (world.api.points, world.api.calls) == (101, 112) if world.api else False
    assert len(githubevents.gather(store).items) == 10_000
    world.clock.advance(86_400)
    now = int(world.clock.now().timestamp())
    for number in (1, 2, 5000, 9999):
        world.stub.answer(number, "zoe", at=now - 60)
    world.stub.add("issue", at=now - 30)
    before = world.stub.graphql_calls + world.stub.rest_calls
    found = await world.gathered()
    assert world.stub.graphql_calls + world.stub.rest_calls - before == 4
    assert len(found.items) == 10_001
    assert Counter(each.actor for each in found.actions if each.kind == "comment") == {"bo": 10_000, "zoe": 4}


async def test_an_item_with_more_answers_than_a_page_has_all_of_them(world: World) -> None:
    world.stub.add("issue", answers=tuple(f"p{place}" for place in range(250)))
    world.stub.add("pull", answers=tuple(f"q{place}" for place in range(130)))
    found = await world.gathered()
    assert Counter(each.item_kind for each in found.actions) == {"issue": 250, "pull": 130}


async def test_a_fetch_goes_on_where_a_token_ended_in_the_middle_and_counts_nothing_twice(world: World) -> None:
    for number in range(350):
        world.stub.add("issue", at=START + number, answers=("bo",))
    world.stub.faults = [None, None, None, expired]
    with pytest.raises(ForgeRefused, match="expired") as caught:
        await world.fetch()
    assert TOKEN not in str(caught.value.to_json())
    world.stub.tokens.add("another")
    before = world.stub.graphql_calls
    found = await world.gathered(token="another")
    assert (len(found.items), len(found.actions)) == (350, 350)
    assert world.stub.graphql_calls - before == 1 + 2 + 1  # the facts, two pages of issues, no pull requests


@pytest.mark.parametrize("calls", range(1, 9))
async def test_a_fetch_that_breaks_at_any_call_goes_on_to_the_same_events(world: World, calls: int) -> None:
    for number in range(230):
        world.stub.add(
            "pull" if number % 2 else "issue", at=START + number, answers=("bo",) * (120 if number < 2 else 1)
        )
    world.stub.on_line(2, "bo", at=START)
    world.stub.faults = [*[None] * calls, *[bad_gateway] * 100]
    broken = False
    try:
        await world.fetch()
    except ForgeUnreachable:
        broken = True
    world.stub.faults = []
    found = await world.gathered()
    assert broken == (calls < 8)
    assert (len(found.items), len(found.actions)) == (230, 228 + 240 + 1)


async def test_without_a_token_rest_lists_bring_all_but_reviews_within_sixty_calls(world: World) -> None:
    world.small()
    world.stub.limit = 60
    found = await world.gathered(token="")
    assert [(item.kind, item.actor, item.merged_by) for item in found.items] == [
        ("issue", "ann", None),
        ("pull", "dependabot[bot]", None),
    ]
    assert [(each.kind, each.actor) for each in found.actions] == [
        ("comment", "bo"),
        ("comment", None),
        ("inline", "bo"),
    ]
    assert (world.stub.graphql_calls, world.stub.rest_calls) == (0, 4)
    assert any("56 of 60 left this hour" in step.sentence for step in world.steps)


async def test_without_a_token_a_second_fetch_without_changes_is_answered_not_modified(world: World) -> None:
    world.small()
    await world.fetch(token="")
    again = await world.gathered(token="")
    assert world.stub.not_modified == 3
    assert (len(again.items), len(again.actions)) == (2, 3)


async def test_a_spent_budget_ends_the_fetch_in_a_sentence_and_the_same_command_goes_on(world: World) -> None:
    for number in range(1000):
        world.stub.add("issue", at=START + number, answers=("bo",))
    world.stub.limit = 5
    with pytest.raises(ForgeLimited, match="the 5 calls of this hour are spent, for") as caught:
        await world.fetch(token="")
    assert caught.value.exit_code == 3
    assert any("GITHUB_TOKEN" in step.title for step in caught.value.next_steps)
    assert world.stub.rest_calls == 5
    found = githubevents.gather(await world.fetch(token="", wait=7 * 3600))
    assert (len(found.items), len(found.actions)) == (1000, 1000)
    assert any(step.stage == "Waiting" for step in world.steps)


async def test_many_changes_in_the_same_second_are_all_seen(world: World) -> None:
    for _ in range(230):
        world.stub.add("issue", at=START)
    assert len((await world.gathered(token="")).items) == 230


async def test_a_token_after_an_anonymous_fetch_brings_what_was_missing_and_counts_nothing_twice(world: World) -> None:
    world.small()
    await world.fetch(token="")
    found = await world.gathered()
    assert found.items[1].merged_by == "bo"
    assert Counter(each.kind for each in found.actions) == {"comment": 2, "review": 1, "inline": 1}
    later = await world.gathered(token="")
    assert later.items[1].merged_by == "bo"
    assert Counter(each.kind for each in later.actions) == {"comment": 2, "review": 1, "inline": 1}


@pytest.mark.parametrize(("fault", "wait"), [(secondary, 60), (points_spent, 3700)])
async def test_limits_are_waited_out_by_the_clock_and_said(world: World, fault: object, wait: int) -> None:
    world.small()
    world.stub.faults = [None, fault]  # type: ignore[list-item]
    begin = world.clock.monotonic()
    store = await world.fetch(wait=wait)
    assert len(githubevents.gather(store).items) == 2
    assert 45 <= world.clock.monotonic() - begin <= wait
    assert "to go" in next(step.sentence for step in world.steps if step.stage == "Waiting")


async def test_limits_that_last_longer_than_allowed_end_the_fetch(world: World) -> None:
    world.stub.faults = [None, secondary]
    with pytest.raises(ForgeLimited, match="GitHub asks for a pause"):
        await world.fetch(wait=10)


async def test_a_forge_that_always_asks_for_short_pauses_is_not_asked_for_ever(world: World) -> None:
    world.stub.faults = [lambda stub, _: stub._sent({}, status=429, **{"Retry-After": "1"})] * 10_000
    with pytest.raises(ForgeLimited):
        await world.fetch()


async def test_a_query_that_is_too_heavy_is_asked_in_smaller_pages(world: World) -> None:
    world.stub.largest = 20
    for number in range(60):
        world.stub.add("issue", at=START + number)
    assert len((await world.gathered()).items) == 60


async def test_partial_data_is_asked_again_smaller_and_what_stays_away_is_counted(world: World) -> None:
    def hollow(stub: GitHubStub, _: object) -> None:
        first = stub._node

        def node(item: dict[str, object]) -> object:
            return None if item["number"] == 2 else first(item)

        stub._node = node  # type: ignore[method-assign, assignment]

    world.stub.faults = [hollow]
    for number in range(3):
        world.stub.add("issue", at=START + number)
    store = await world.fetch()
    assert [item.number for item in githubevents.gather(store).items] == [1, 3]
    assert store.state.left_out == {"issues": 1}


@pytest.mark.parametrize("token", [TOKEN, ""])
async def test_a_renamed_repository_keeps_its_folder_and_answers_to_both_names(world: World, token: str) -> None:
    world.small()
    await world.fetch(token=token)
    world.stub.old_names, world.stub.name = {"acme/thing"}, "newco/Thing2"
    store = await world.fetch(token=token)
    assert store.folder.name == "newco__thing2"
    assert store.state.facts.repository == "newco/Thing2"
    assert len(githubevents.gather(store).items) == 2
    found = rawstore.find(world.root, "acme/thing")
    assert found is not None
    assert found.folder == store.folder
    assert [path.name for path in world.root.iterdir()] == ["newco__thing2"]


async def test_another_repository_under_an_old_name_does_not_inherit_what_was_fetched(world: World) -> None:
    world.small()
    await world.fetch()
    world.stub.id, world.stub.items, world.stub.inline = 99, {}, []
    store = await world.fetch()
    assert githubevents.gather(store).items == ()
    assert sorted(path.name for path in world.root.iterdir()) == ["acme__thing", "acme__thing.4711"]


@pytest.mark.parametrize(
    ("status", "token", "words"),
    [
        (404, TOKEN, "does not exist, or is private"),
        (404, "", "does not exist"),
        (451, TOKEN, "legal"),
        (451, "", "legal"),
    ],
)
async def test_what_is_not_shown_is_said_in_one_sentence(world: World, status: int, token: str, words: str) -> None:
    world.stub.status = status
    with pytest.raises(ForgeRefused, match=words) as caught:
        await world.fetch(token=token)
    assert caught.value.exit_code == 4
    assert not world.root.exists()


async def test_a_redirect_to_another_host_is_not_followed(world: World) -> None:
    world.stub.faults = [lambda stub, _: stub._sent({}, status=301, Location="https://evil.example/repos/a/b")]
    with pytest.raises(ForgeUnreachable, match="another host"):
        await world.fetch(token="")


@pytest.mark.parametrize("token", [TOKEN, ""])
@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://x", "https://x/\n", None, 7])
async def test_an_address_that_could_be_a_script_is_left_out(world: World, url: object, token: str) -> None:
    world.stub.extra["url"] = url
    assert (await world.fetch(token=token)).state.facts.url == ""


@pytest.mark.parametrize("name", ["../../etc", "a/b/c", None, "a/<script>"])
async def test_a_name_that_cannot_be_makes_no_folder(world: World, name: object) -> None:
    world.stub.extra["nameWithOwner"] = name
    with pytest.raises(ForgeUnreachable, match="without a name that can be"):
        await world.fetch()
    assert not world.root.exists()


async def test_an_answer_that_is_no_json_is_a_sentence(world: World) -> None:
    world.stub.faults = [lambda *_: web.Response(text="<html>")]
    with pytest.raises(ForgeUnreachable, match="not what its API promises"):
        await world.fetch(token="")


async def test_raw_pages_hold_neither_the_token_nor_what_people_wrote_and_are_the_user_s_alone(world: World) -> None:
    world.small()
    world.stub.items[1]["title"] = "Emoji 🦊 \x1b[31m <script> | `x`"
    await world.fetch()
    store = await world.fetch(token="")
    for path in store.folder.iterdir():
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        assert TOKEN.encode() not in text
        assert b"secret thought" not in text
        assert b"avatar" not in text
        assert path.stat().st_mode & 0o077 == 0
    assert githubevents.gather(store).items[0].title.startswith("Emoji 🦊")


async def test_a_damaged_page_is_named(world: World) -> None:
    world.small()
    store = await world.fetch()
    page = store.folder / "000001.ndjson.gz"
    page.write_bytes(page.read_bytes()[:-9])
    with pytest.raises(SourceBroken, match=r"000001\.ndjson\.gz is missing or damaged"):
        githubevents.gather(store)


def test_two_fetches_of_one_repository_do_not_meet(tmp_path: Path) -> None:
    with rawstore.only_one(tmp_path, "acme/thing"):
        with pytest.raises(FetchBusy, match="Acme/Thing"), rawstore.only_one(tmp_path, "Acme/Thing"):
            pass
        with rawstore.only_one(tmp_path, "acme/other"):
            pass


@pytest.mark.parametrize("name", ["../x/y", "a/..", "a/.", "a", "a/b/c", "a/b\n", "/a", "a/" + "x" * 200, "é/x"])
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    assert rawstore.find(tmp_path, name) is None
    with pytest.raises(SourceBroken):
        rawstore.slug(name)


@pytest.mark.parametrize(
    ("base", "found"),
    [
        (PUBLIC, (PUBLIC, PUBLIC + "/graphql")),
        ("https://git.example/api/v3/", ("https://git.example/api/v3", "https://git.example/api/graphql")),
        ("https://git.example/api", ("https://git.example/api/v3", "https://git.example/api/graphql")),
        ("http://127.0.0.1:8080", ("http://127.0.0.1:8080", "http://127.0.0.1:8080/graphql")),
    ],
)
def test_github_enterprise_has_its_two_addresses(base: str, found: tuple[str, str]) -> None:
    assert addresses(base, secret=True) == found


@pytest.mark.parametrize("base", ["http://git.example/api/v3", "ftp://x", "https://me:pw@x", "https://x/?q", "x", ""])
def test_no_token_goes_over_plain_http_or_to_what_is_no_address(base: str) -> None:
    with pytest.raises(UsageError):
        addresses(base, secret=True)


async def test_a_token_with_a_line_break_is_refused_without_being_shown() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UsageError) as caught:
            GitHubApi(session, token="ghp_x\r\nHost: evil", clock=ManualClock())
    assert "ghp_x" not in str(caught.value)


async def test_nobody_listening_is_a_sentence(tmp_path: Path) -> None:
    clock = ManualClock()
    async with aiohttp.ClientSession() as session:
        api = GitHubApi(session, base="http://127.0.0.1:9", clock=clock)
        with pytest.raises(SealaneError, match="did not answer 5 times"):
            await github.fetch(tmp_path, "acme/thing", api, clock=clock)


def test_instants_are_read_and_written_as_github_does() -> None:
    assert github.seconds(iso(START)) == START
    assert github.stamp(START) == iso(START)
    assert github.seconds(None) is None
