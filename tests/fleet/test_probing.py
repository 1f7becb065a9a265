"""The probe against a server whose answers are written down: what it says, how soon, and how often it asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import StepClock, context, forbidden, refused, settle

from sealane.fleet import probing
from sealane.fleet.probing import Probe
from sealane.kube import errors


def busy(seconds: float = 4.0) -> errors.TooManyRequests:
    target = errors.Target(context="a", server="https://a.test")
    return errors.TooManyRequests(
        429, "TooManyRequests", "the server is overloaded", target=target, retry_after=seconds
    )


class Server:
    """`Client.version` as the probe knows it. `says` is an answer, an error, or None for silence."""

    def __init__(self) -> None:
        self.context = context("a")
        self.says: Any = "v1.34.1"
        self.asked: list[float] = []
        self.clock = StepClock()
        self.moved = asyncio.Event()
        self.told: list[tuple[str, bool]] = []

    def say(self, what: Any) -> None:
        """From now on; questions under way are answered by it too."""
        self.says = what
        self.moved.set()
        self.moved = asyncio.Event()

    async def version(self, *, patient: bool) -> str:
        assert not patient
        self.asked.append(self.clock.monotonic())
        while self.says is None:
            await self.moved.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return str(self.says)


@contextlib.asynccontextmanager
async def probing_of(server: Server) -> AsyncIterator[Probe]:
    async def answered() -> None:
        await asyncio.sleep(0)

    def changed(again: bool) -> None:
        server.told.append((made.state.state, again))

    made: Probe = Probe(server, clock=server.clock, answered=answered, refused=lambda: None, changed=changed)  # type: ignore[arg-type]
    task = asyncio.create_task(made.run())
    await settle()
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_hangs_is_called_silent_within_seconds_while_the_question_still_waits() -> None:
    server = Server()
    async with probing_of(server) as probe:
        server.say(None)
        await server.clock.advance(probing.EVERY + probing.BACKOFF_FIRST + probing.SILENT_AFTER)
        assert probe.state.state == "reconnecting"
        assert probe.state.sentence == "a: https://a.test did not answer within 3.0 s."
        assert len(server.asked) == 2
        server.say("v1.34.1")
        await settle()
        assert probe.state.state == "live"
        assert server.told[-1] == ("live", True)


async def test_a_watch_in_trouble_makes_the_silence_known_sooner() -> None:
    server = Server()
    async with probing_of(server) as probe:
        server.say(None)
        probe.doubt()
        await server.clock.advance(probing.BACKOFF_FIRST + probing.SILENT_AFTER)
        assert probe.state.state == "reconnecting"


async def test_a_slow_answer_is_no_silence() -> None:
    server = Server()
    async with probing_of(server) as probe:
        server.say(None)
        probe.doubt()
        await server.clock.advance(probing.BACKOFF_FIRST + probing.SILENT_AFTER - 0.5)
        server.say("v1.34.1")
        await server.clock.advance(1)
        assert [state for state, _ in server.told] == ["live"]
        assert probe.state.state == "live"


async def test_a_server_that_never_answered_is_not_called_silent_before_the_limit() -> None:
    server = Server()
    server.says = None
    async with probing_of(server) as probe:
        await server.clock.advance(probing.SILENT_AFTER + 1)
        assert probe.state.state == "connecting"


async def test_a_busy_server_is_called_busy_and_left_alone_for_as_long_as_it_asks() -> None:
    server = Server()
    async with probing_of(server) as probe:
        server.say(busy(4.0))
        probe.doubt()
        await server.clock.advance(1)
        assert probe.state.state == "busy"
        assert probe.state.answers
        assert probe.state.sentence == "a: the server is overloaded (429; it asks to wait 4.0 s)."
        asked = len(server.asked)
        probe.hope()
        await server.clock.advance(3.4)
        assert len(server.asked) == asked
        await server.clock.advance(2)
        assert len(server.asked) > asked
        server.say("v1.34.1")
        await server.clock.advance(6)
        assert probe.state.state == "live"


async def test_a_server_cannot_ask_for_an_hour() -> None:
    server = Server()
    server.says = busy(3600.0)
    async with probing_of(server) as probe:
        server.say("v1.34.1")
        await server.clock.advance(probing.BACKOFF_MOST + 1)
        assert probe.state.state == "live"


async def test_what_works_again_ends_the_pause() -> None:
    server = Server()
    server.says = refused("a")
    async with probing_of(server) as probe:
        await server.clock.advance(60)
        assert probe.state.state == "unreachable"
        server.say("v1.34.1")
        asked = len(server.asked)
        probe.hope()
        await server.clock.advance(0.3)
        assert len(server.asked) == asked + 1
        assert probe.state.state == "live"


async def test_a_server_that_is_away_is_not_asked_oftener_than_it_is_worth() -> None:
    server = Server()
    server.says = refused("a")
    async with probing_of(server) as probe:
        for _ in range(60):
            probe.doubt()  # what is lost already is no reason to hurry
            await server.clock.advance(1)
        assert len(server.asked) <= 12


async def test_doubts_without_end_are_no_questions_without_end() -> None:
    server = Server()
    async with probing_of(server) as probe:
        for _ in range(100):
            probe.doubt()
            await server.clock.advance(0.1)
        assert len(server.asked) <= 10 / probing.BACKOFF_FIRST + 1


@pytest.mark.parametrize(
    ("error", "state"),
    [(refused("a"), "reconnecting"), (forbidden(), "forbidden"), (errors.Unauthorized(401, "", "no"), "unauthorized")],
)
async def test_each_failure_is_its_own_state(error: Exception, state: str) -> None:
    server = Server()
    async with probing_of(server) as probe:
        server.say(error)
        probe.doubt()
        await server.clock.advance(1)
        assert probe.state.state == state
        assert probe.state.error is error
