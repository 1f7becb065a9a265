"""How scenarios are reached: `/sealane-sandbox/scenarios` on every cluster, for who may do everything.

GET tells what there is and what runs; POST with `{"start": NAME, "cluster": C, "model": M, "seconds": S}` starts one
and with `{"heal": NAME or "", "cluster": C or ""}` ends what matches. Every cluster answers for all three, for one
that is down cannot be asked, and no fault is met on this path.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.wire import Reply, Request, as_json
from sealane.sandbox.scenarios import book
from sealane.sandbox.scenarios.book import Scenario
from sealane.sandbox.scenarios.runner import LONGEST, CannotStart, Runner, RunState


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a POST asks for: exactly one of `start` and `heal`."""

    start: str = ""
    heal: str | None = None
    cluster: str = ""
    model: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=1, le=LONGEST)] | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario as it is told before it is started."""

    name: str
    title: str
    teaches: str
    cluster: str
    needs: str
    seconds: float
    heals: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to everything: what can be broken, what runs, and what ran last."""

    scenarios: tuple[Telling, ...]
    clusters: tuple[str, ...]
    speed: float
    runs: tuple[RunState, ...]


class Scenarios:
    """The endpoint."""

    def __init__(self, runner: Runner, *, speed: float) -> None:
        self._runner = runner
        self._speed = speed

    async def control(self, request: Request) -> Reply:
        """Answer. Raises StatusError (400, 404, 405, 409)."""
        if request.method == "POST":
            await self._do(await request.body())
        elif request.method != "GET":
            raise errors.method_not_allowed()
        return as_json(msgspec.to_builtins(self.state()))

    def state(self) -> State:
        """What there is and what runs."""
        return State(
            scenarios=tuple(_telling(scenario) for scenario in book.shipped().values()),
            clusters=tuple(self._runner.places),
            speed=self._speed,
            runs=tuple(self._runner.runs()),
        )

    async def _do(self, body: bytes) -> None:
        try:
            wish = msgspec.json.decode(body, type=Wish)
        except msgspec.MsgspecError as error:
            raise errors.bad_request(f"what to break is not understood: {error}") from error
        if bool(wish.start) == (wish.heal is not None):
            raise errors.bad_request("say either which scenario to start or what to heal")
        if wish.heal is not None:
            await self._runner.heal(wish.heal, cluster=wish.cluster)
            return
        try:
            self._runner.start(wish.start, cluster=wish.cluster, model=wish.model, seconds=wish.seconds)
        except CannotStart as error:
            if not error.known:
                raise StatusError(404, "NotFound", str(error)) from error
            raise StatusError(409, "Conflict", str(error)) from error


def _telling(scenario: Scenario) -> Telling:
    return Telling(
        name=scenario.name,
        title=scenario.title,
        teaches=scenario.teaches,
        cluster=scenario.cluster,
        needs=scenario.needs,
        seconds=scenario.seconds,
        heals=scenario.heals,
    )
