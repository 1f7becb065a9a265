"""Every request under way, with its clock: nothing runs longer than it may, and a client that left is noticed.

One sweep looks at all of them a few times a second. That is cheaper than a timer and a listening task for every
request: short requests never pay for either, and a long one gets its listener at the first sweep. A request that must
stop is cancelled; `reason` says why, so that it can end its answer properly.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from starlette.types import Receive

from sealane.gateway.settings import Settings
from sealane.lib.clock import Clock

Limit = Literal["body", "queue", "first-byte", "idle", "total"]
Reason = Literal["client", "body", "queue", "first-byte", "idle", "total"]

_GRACE = 5.0  # seconds that a stopped request has to say goodbye to a client that may not be reading


class Flight:
    """One request's time. `arm` starts a limit, replacing the one before."""

    __slots__ = ("_clock", "_receive", "_task", "_total_due", "due", "limit", "listening", "over", "reason", "watcher")

    def __init__(self, receive: Receive, *, clock: Clock, total: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — an ASGI server always runs a request as a task
        self._task = task
        self._receive = receive
        self._clock = clock
        self._total_due = clock.monotonic() + total
        self.due = self._total_due
        self.limit: Limit = "total"
        self.reason: Reason | None = None
        self.listening = False  # the body is read, so what comes next can only be the client's end
        self.over = False
        self.watcher: asyncio.Task[None] | None = None

    def arm(self, limit: Limit, seconds: float) -> None:
        """From now on at most `seconds` until the next `arm`."""
        due = self._clock.monotonic() + seconds
        if due < self._total_due:
            self.due, self.limit = due, limit
        else:
            self.due, self.limit = self._total_due, "total"

    def stop(self, reason: Reason) -> None:
        """Cancel the request, once; the task finds out why in `reason`."""
        if self.reason is None and not self.over:
            self.reason = reason
            self.due = self._clock.monotonic() + _GRACE
            self._task.cancel(reason)

    def caught(self) -> bool:
        """In the request's own `except CancelledError`: whether it was `stop` and not the server going down."""
        if self.reason is None:
            return False
        self._task.uncancel()
        return True

    def cut(self) -> None:
        """Not even the goodbye got through: cancel for good."""
        self.due = self._clock.monotonic() + _GRACE
        self._task.cancel("cut")

    async def watch(self) -> None:
        """Wait for the client to go away."""
        while True:
            message: Any = await self._receive()
            if message["type"] == "http.disconnect":
                self.stop("client")
                return


class Flights:
    """All requests under way in this process."""

    def __init__(self, *, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._all: set[Flight] = set()

    def begin(self, receive: Receive) -> Flight:
        """A request begins, in the current task. End it with `end`."""
        flight = Flight(receive, clock=self._clock, total=self._settings.total)
        self._all.add(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """A request is over, however it went."""
        flight.over = True
        self._all.discard(flight)
        if flight.watcher is not None:
            flight.watcher.cancel()

    def __len__(self) -> int:
        return len(self._all)

    def sweep(self) -> None:
        """Stop what is overdue; begin to listen for the client's end where nobody does."""
        now = self._clock.monotonic()
        for flight in list(self._all):
            if now >= flight.due:
                if flight.reason is None:
                    flight.stop(flight.limit)
                else:
                    flight.cut()
            elif flight.watcher is None and flight.listening:
                flight.watcher = asyncio.create_task(flight.watch(), name="gateway: wait for the client's end")
