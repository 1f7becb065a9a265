"""Nothing runs longer than it may, and each request learns why it was stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealane.gateway.flights import Flight, Flights
from sealane.gateway.settings import Settings
from sealane.lib.clock import ManualClock


class Client:
    """The ASGI `receive` of a client that stays until it leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def fly(flights: Flights, client: Client, told: list[Any], limit: float) -> None:
    flight = flights.begin(client.receive)
    flight.listening = True
    flight.arm("idle", limit)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not flight.caught():
            raise
        told.append(flight.reason)
    finally:
        flights.end(flight)


def tower(total: float = 100.0) -> tuple[Flights, ManualClock]:
    clock = ManualClock()
    return Flights(settings=Settings(total=total), clock=clock), clock


@pytest.mark.parametrize(("total", "reason"), [(100.0, "idle"), (3.0, "total")])
async def test_a_flight_is_stopped_at_its_nearest_limit_and_not_before(total: float, reason: str) -> None:
    flights, clock = tower(total)
    told: list[Any] = []
    task = asyncio.create_task(fly(flights, Client(), told, 5.0))
    await asyncio.sleep(0)
    clock.advance(2.9)
    flights.sweep()
    await asyncio.sleep(0)
    assert not task.done()
    clock.advance(2.2)
    flights.sweep()
    await task
    assert told == [reason]
    assert len(flights) == 0


async def test_a_client_that_leaves_is_noticed_from_the_first_sweep_on() -> None:
    flights, _ = tower()
    client, told = Client(), []
    task = asyncio.create_task(fly(flights, client, told, 50.0))
    await asyncio.sleep(0)
    client.left.set()
    await asyncio.sleep(0)
    assert not task.done()
    flights.sweep()
    await task
    assert told == ["client"]


async def test_a_server_that_goes_down_is_not_mistaken_for_a_limit() -> None:
    flights, _ = tower()
    told: list[Any] = []
    task = asyncio.create_task(fly(flights, Client(), told, 50.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []


async def test_one_that_cannot_even_say_goodbye_is_cut() -> None:
    flights, clock = tower()
    cuts = 0

    async def stuck() -> None:
        nonlocal cuts
        flight = flights.begin(Client().receive)
        flight.arm("idle", 1.0)
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cuts += 1
                assert flight.caught()
        flights.end(flight)

    task = asyncio.create_task(stuck())
    await asyncio.sleep(0)
    for _ in range(2):
        clock.advance(6)
        flights.sweep()
        await asyncio.sleep(0)
    await task
    assert cuts == 2


async def test_a_flight_that_is_over_is_left_alone() -> None:
    flights, clock = tower()
    flight: Flight = flights.begin(Client().receive)
    flights.end(flight)
    flight.stop("client")
    clock.advance(1000)
    flights.sweep()
    await asyncio.sleep(0)
    assert flight.reason is None


async def test_the_listener_ends_with_its_flight() -> None:
    flights, _ = tower()
    flight = flights.begin(Client().receive)
    flight.listening = True
    flights.sweep()
    watcher = flight.watcher
    assert watcher is not None
    flights.end(flight)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert watcher.cancelled()


async def test_nobody_listens_while_the_body_is_still_read() -> None:
    flights, _ = tower()
    flight = flights.begin(Client().receive)
    flights.sweep()
    assert flight.watcher is None
    flights.end(flight)
