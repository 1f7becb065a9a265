"""Credentials that run out, under wall clocks that people and time servers set while they are held."""

from __future__ import annotations

import datetime

import pytest

from sealane.kube.errors import ConfigError
from sealane.kube.identity import Identity
from sealane.kube.renewed import Grant, Renewed
from sealane.lib.clock import ManualClock

LIVES, HOUR = 900.0, 3600.0


class Issuer:
    """Gives tokens that live for `LIVES` seconds by its own clock, which nobody sets."""

    name = "the issuer"

    def __init__(self, clock: ManualClock) -> None:
        self.asked = 0
        self.away = False
        self._clock = clock
        self._start = clock.now() - datetime.timedelta(seconds=clock.monotonic())

    def grant(self) -> Grant:
        until = self._start + datetime.timedelta(seconds=self._clock.monotonic() + LIVES)
        return Grant(identity=Identity(authorization=f"t{self.asked}"), until=until)

    async def fetch(self) -> Grant:
        self.asked += 1
        if self.away:
            raise ConfigError("the issuer is away.")
        return self.grant()


@pytest.fixture
def issuer(clock: ManualClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def held(issuer: Issuer, clock: ManualClock) -> Renewed:
    return Renewed(issuer, clock=clock)


async def sent(held: Renewed) -> str:
    identity = await held.current()
    held.accepted(identity)
    return identity.authorization


async def test_a_wall_clock_that_is_set_back_keeps_no_token_beyond_its_end(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    assert await sent(held) == "t1"
    clock.set_wall(-HOUR)
    clock.advance(LIVES - 11)
    assert await sent(held) == "t1"
    clock.advance(1)
    assert await sent(held) == "t2"


async def test_a_wall_clock_that_is_set_back_renews_nothing_sooner_than_ever(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    await sent(held)
    clock.set_wall(-HOUR)
    for _ in range(100):
        clock.advance(1)
        await sent(held)
    assert issuer.asked == 1


@pytest.mark.parametrize("corrected", [HOUR, -HOUR])
async def test_a_clock_that_was_wrong_when_the_token_came_and_is_put_right_lets_none_be_sent_after_its_end(
    issuer: Issuer, held: Renewed, clock: ManualClock, corrected: float
) -> None:
    clock.set_wall(-corrected)
    await sent(held)
    clock.set_wall(corrected)
    clock.advance(LIVES)
    before = issuer.asked
    await sent(held)
    assert issuer.asked == before + 1


async def test_a_jump_ahead_signs_nobody_out_while_nothing_new_is_to_be_had(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    assert await sent(held) == "t1"
    issuer.away = True
    clock.set_wall(HOUR)
    assert await sent(held) == "t1"  # the server's clock did not jump
    clock.advance(LIVES - 1)
    assert await sent(held) == "t1"
    clock.advance(1)
    with pytest.raises(ConfigError, match="away"):
        await sent(held)


async def test_a_jump_ahead_asks_ever_more_slowly_and_uses_what_it_gets(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    clock.set_wall(HOUR)  # every token seems to have ended when it comes
    for _ in range(600):
        assert (await sent(held)).startswith("t")
        clock.advance(1)
    assert issuer.asked <= 8


async def test_after_a_jump_ahead_and_back_the_token_of_before_is_used_and_nobody_is_asked(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    await sent(held)
    issuer.away = True
    clock.set_wall(HOUR)
    await sent(held)
    clock.set_wall(-HOUR)
    asked = issuer.asked
    for _ in range(60):
        clock.advance(1)
        assert await sent(held) == "t1"
    assert issuer.asked == asked


async def test_a_token_of_the_kubeconfig_outlives_a_jump_ahead_though_there_is_no_way_to_renew_it(
    issuer: Issuer, clock: ManualClock
) -> None:
    held = Renewed(issuer, clock=clock, first=issuer.grant())
    issuer.away = True
    clock.set_wall(HOUR)
    assert await sent(held) == "t0"


async def test_a_refused_token_is_renewed_at_once_whatever_the_clocks_say(
    issuer: Issuer, held: Renewed, clock: ManualClock
) -> None:
    refused = await held.current()
    clock.set_wall(-HOUR)
    assert await held.renew(refused)
    assert await sent(held) == "t2"
