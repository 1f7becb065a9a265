"""What is known of rights before a press: from rules, from single questions, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from fake_kube import StepClock, refused, settle

from sealane.fleet.access import ANSWER_KEPT, ASKED_WITHIN, CONFIRMED_AFTER, REVIEW_EVERY, Access
from sealane.fleet.rights import NoRight
from sealane.kube.client import Allowed
from sealane.kube.resources import DEPLOYMENTS, NODES, PODS, Resource
from sealane.kube.reviews import Rule, Rules

LISTER = Rule(("list", "watch"), ("",), ("pods",), None)
NODE_LISTER = Rule(("list",), ("",), ("nodes",), None)


class Server:
    """Answers both reviews from a table; counts what it was asked."""

    def __init__(self) -> None:
        self.here: dict[str, Rules] = {}
        self.everywhere: set[tuple[str, str]] = set()
        self.reviews: list[str] = []
        self.questions: list[tuple[str, str, str]] = []
        self.down: Exception | None = None

    async def rules(self, namespace: str) -> Rules:
        await asyncio.sleep(0)
        self.reviews.append(namespace)
        if self.down is not None:
            raise self.down
        return self.here.get(namespace, Rules(()))

    async def can_i(
        self, verb: str, resource: Resource, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Allowed:
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down
        self.questions.append((verb, resource.plural, namespace))
        return Allowed((verb, resource.plural) in self.everywhere)


class World:
    def __init__(self) -> None:
        self.server, self.clock = Server(), StepClock()
        self.rounds: list[bool] = []
        self.access = Access(
            self.server, context="harbor-eu", base="default", clock=self.clock, reviewed=self.rounds.append
        )

    def may(self, verb: str, resource: Resource, namespace: str = "", **more: str) -> str:
        return self.access.may(verb, resource, namespace, **more).answer


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    task = asyncio.ensure_future(made.access.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_nothing_is_known_before_the_first_review_and_that_forbids_nothing(world: World) -> None:
    verdict = world.access.may("delete", DEPLOYMENTS, "team-a")
    assert verdict.answer == "unknown"
    assert not verdict.denied
    assert world.access.age("team-a") is None


async def test_one_review_of_a_namespace_answers_every_question_about_it(world: World) -> None:
    world.server.here["team-a"] = Rules((LISTER,))
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    asked = len(world.server.reviews)
    assert world.may("list", PODS, "team-a") == "yes"
    assert world.may("delete", DEPLOYMENTS, "team-a") == "no"
    assert world.may("get", PODS, "team-a", subresource="log") == "no"
    await world.clock.advance(1)
    assert len(world.server.reviews) == asked
    assert world.server.questions == []


async def test_a_no_says_where_what_and_who_can_help(world: World) -> None:
    world.may("delete", DEPLOYMENTS, "team-a")
    await world.clock.advance(1)
    verdict = world.access.may("delete", DEPLOYMENTS, "team-a")
    assert verdict.sentence == ("Your role in team-a may not delete deployments; ask someone who may bind roles there.")
    assert [step.command for step in verdict.who] == [
        "kubectl --context harbor-eu -n team-a auth can-i delete deployments.apps",
        "kubectl --context harbor-eu -n team-a auth can-i --list",
    ]
    error = NoRight(verdict)
    assert (error.sentence, error.exit_code, error.http_status) == (verdict.sentence, 4, 403)


async def test_a_rule_that_may_be_of_one_namespace_alone_is_asked_about_for_the_whole_cluster(world: World) -> None:
    world.server.here["default"] = Rules((LISTER, NODE_LISTER))
    world.server.everywhere = {("list", "nodes")}
    await world.clock.advance(1)
    assert world.may("list", PODS) == "unknown"
    assert world.may("list", NODES) == "unknown"
    await world.clock.advance(1)
    assert world.may("list", PODS) == "no"
    assert world.may("list", NODES) == "yes"
    assert sorted(world.server.questions) == [("list", "nodes", ""), ("list", "pods", "")]


async def test_what_no_rule_allows_anywhere_takes_no_question(world: World) -> None:
    await world.clock.advance(1)
    assert world.may("list", NODES) == "no"
    assert "all of harbor-eu" in world.access.may("list", NODES).sentence
    await world.clock.advance(1)
    assert world.server.questions == []


async def test_incomplete_rules_are_no_no_but_a_reason_to_ask(world: World) -> None:
    world.server.here["team-a"] = Rules((LISTER,), incomplete=True)
    world.server.everywhere = {("delete", "deployments")}
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    assert world.may("list", PODS, "team-a") == "yes"
    assert world.may("delete", DEPLOYMENTS, "team-a") == "unknown"
    assert world.may("create", DEPLOYMENTS, "team-a") == "unknown"
    await world.clock.advance(1)
    assert world.may("delete", DEPLOYMENTS, "team-a") == "yes"
    assert world.may("create", DEPLOYMENTS, "team-a") == "no"
    assert ("list", "pods", "team-a") not in world.server.questions


async def test_a_right_that_is_gained_or_lost_is_known_after_the_next_review(world: World) -> None:
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    assert world.may("list", PODS, "team-a") == "no"
    world.server.here["team-a"] = Rules((LISTER,))
    await world.clock.advance(REVIEW_EVERY + 1)
    assert world.may("list", PODS, "team-a") == "yes"
    world.server.here["team-a"] = Rules(())
    await world.clock.advance(REVIEW_EVERY + CONFIRMED_AFTER + 1)
    assert world.may("list", PODS, "team-a") == "no"


async def test_a_doubt_is_looked_into_at_once(world: World) -> None:
    world.server.here["team-a"] = Rules((LISTER,))
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    world.server.here["team-a"] = Rules(())
    world.access.doubt()
    await world.clock.advance(CONFIRMED_AFTER + 1)
    assert world.may("list", PODS, "team-a") == "no"


async def test_a_server_that_has_not_read_its_roles_yet_takes_nothing_away(world: World) -> None:
    world.server.here = {"default": Rules((NODE_LISTER,)), "team-a": Rules((LISTER,))}
    world.server.everywhere = {("list", "nodes")}
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    world.may("list", NODES)
    await world.clock.advance(1)
    before, world.server.here, world.server.everywhere = world.server.here, {}, set()
    world.access.doubt()
    await world.clock.advance(1)
    world.server.here, world.server.everywhere = before, {("list", "nodes")}
    for _ in range(20):
        await world.clock.advance(0.5)
        assert world.may("list", PODS, "team-a") == "yes"
        assert world.may("list", NODES) == "yes"


async def test_doubts_without_end_are_no_requests_without_end(world: World) -> None:
    await world.clock.advance(1)
    before = len(world.server.reviews)
    for _ in range(100):
        world.access.doubt()
        await settle(2)
    assert len(world.server.reviews) - before <= 2


async def test_changed_rules_put_every_single_answer_in_doubt(world: World) -> None:
    world.server.here["default"] = Rules((NODE_LISTER,))
    world.server.everywhere = {("list", "nodes")}
    await world.clock.advance(1)
    world.may("list", NODES)
    await world.clock.advance(1)
    assert world.may("list", NODES) == "yes"
    world.server.everywhere.clear()
    world.server.here["default"] = Rules((NODE_LISTER, LISTER))
    await world.clock.advance(REVIEW_EVERY + CONFIRMED_AFTER + 1)
    assert world.may("list", NODES) == "no"


async def test_answers_are_kept_while_the_rules_stay_the_same(world: World) -> None:
    world.server.here["default"] = Rules((NODE_LISTER,))
    world.server.everywhere = {("list", "nodes")}
    for _ in range(3):
        world.may("list", NODES)
        await world.clock.advance(REVIEW_EVERY)
    assert len(world.server.questions) == 1
    for _ in range(int(ANSWER_KEPT / REVIEW_EVERY)):
        world.may("list", NODES)
        await world.clock.advance(REVIEW_EVERY)
    assert len(world.server.questions) == 2


async def test_what_nobody_asks_about_any_more_costs_nothing(world: World) -> None:
    world.may("list", PODS, "team-a")
    await world.clock.advance(ASKED_WITHIN + 2 * REVIEW_EVERY)
    before = world.server.reviews.count("team-a")
    await world.clock.advance(10 * REVIEW_EVERY)
    assert world.server.reviews.count("team-a") == before
    assert world.server.reviews[-1] == "default"


async def test_a_server_that_does_not_answer_leaves_what_was_known(world: World) -> None:
    world.server.here["team-a"] = Rules((LISTER,))
    world.may("list", PODS, "team-a")
    await world.clock.advance(1)
    world.server.down = refused()
    await world.clock.advance(4 * REVIEW_EVERY)
    assert world.may("list", PODS, "team-a") == "yes"
    age = world.access.age("team-a")
    assert age is not None
    assert age > REVIEW_EVERY


async def test_a_fault_of_ours_does_not_end_the_reviews(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.server.down = ZeroDivisionError("ours")
    await world.clock.advance(1)
    world.server.down = None
    world.server.here["default"] = Rules((LISTER,))
    await world.clock.advance(REVIEW_EVERY + 1)
    assert world.may("list", PODS, "default") == "yes"
    assert "could not be reviewed" in caplog.text


async def test_each_round_is_told_with_whether_anything_changed(world: World) -> None:
    await world.clock.advance(1)
    await world.clock.advance(REVIEW_EVERY + 1)
    assert world.rounds[:2] == [True, False]


async def test_namespaces_that_roles_name_are_no_guesses(world: World) -> None:
    named = Rule(("get",), ("",), ("namespaces",), ("team-a", "team-b"))
    world.server.here["default"] = Rules((named,))
    await world.clock.advance(1)
    assert world.access.named() == {"team-a", "team-b"}


async def test_a_command_that_does_not_stay_waits_for_the_first_review_but_not_for_ever(world: World) -> None:
    waiting = asyncio.ensure_future(world.access.known(["team-a"]))
    await world.clock.advance(1)
    assert waiting.done()
    assert world.may("list", PODS, "team-a") == "no"
    world.server.down = refused()
    waiting = asyncio.ensure_future(world.access.known(["team-b"]))
    await world.clock.advance(3)
    assert waiting.done()
