"""Plays scenarios: one at a time in a cluster, step by step on the sandbox's clock, and undoes all of it at the end.

A scenario ends when its time is over or when somebody heals it, and in both cases what it broke is undone in reverse
before it counts as ended. What fails on the way is logged and undone like the rest.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import logging
from collections.abc import Mapping

import msgspec

from sealane.sandbox.scenarios import book, faults, nodes, targets
from sealane.sandbox.scenarios.book import Look, Scenario
from sealane.sandbox.scenarios.faults import Fault, Place, Undo
from sealane.sandbox.world.clock import SandboxClock, stamp

log = logging.getLogger(__name__)
_KEPT = 5
LONGEST = 3600.0


class CannotStart(Exception):
    """A scenario that cannot be started; the text is one sentence. `known` is false for names that do not exist."""

    def __init__(self, text: str, *, known: bool = True) -> None:
        super().__init__(text)
        self.known = known


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was reached, and when (RFC 3339)."""

    at: str
    say: str


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is on now. `ends` is when it ends by itself."""

    fault: str
    cluster: str
    since: str
    ends: str


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that runs or ran. `left` is simulated seconds until it ends alone; `ended` is "" while it runs."""

    id: int
    name: str
    title: str
    cluster: str
    namespace: str
    model: str
    started: str
    ends: str
    left: float
    ended: str
    said: tuple[Said, ...]
    faults: tuple[Active, ...]
    heals: str
    look: tuple[Look, ...]


class Run:
    """One run. Mutable: what was said and what is broken by now."""

    def __init__(self, number: int, scenario: Scenario, names: Mapping[str, str], *, clock: SandboxClock) -> None:
        self.number = number
        self.scenario = scenario
        self.names = dict(names)
        self.cluster = names["cluster"]
        self.said: list[Said] = []
        self.broken: list[tuple[Fault, str, Undo]] = []
        self.wanted_end = asyncio.Event()
        self.over = asyncio.Event()
        self.ended = ""
        self.started = clock.stamp()
        self._clock = clock
        self._begun = clock.monotonic()

    @property
    def left(self) -> float:
        """Simulated seconds until it ends by itself."""
        return max(0.0, self._begun + self.scenario.seconds - self._clock.monotonic())

    def state(self) -> RunState:
        """How it stands."""
        ends = "" if self.ended else self._ends()
        active = [
            Active(fault=faults.kind_of(fault), cluster=self.cluster, since=since, ends=ends)
            for fault, since, _ in self.broken
        ]
        return RunState(
            id=self.number, name=self.scenario.name, title=self.scenario.title, cluster=self.cluster,
            namespace=self.names.get("namespace", ""), model=self.names.get("name", ""),
            started=self.started, ends=ends, left=round(0.0 if self.ended else self.left, 1), ended=self.ended,
            said=tuple(self.said), faults=tuple(active), heals=self.scenario.heals, look=self.scenario.look,
        )  # fmt: skip

    async def play(self, place: Place) -> None:
        """All steps, then until the time is over or somebody heals; then undo everything."""
        try:
            for step in self.scenario.steps:
                if await self._ended_within(step.after - (self._clock.monotonic() - self._begun)):
                    return
                if step.do is not None:
                    self.broken.append((step.do, self._clock.stamp(), await step.do.begin(place)))
                self._say(step.say)
            await self._ended_within(self.left)
        except Exception:
            log.exception("%s: the scenario %s failed", self.cluster, self.scenario.name)
            self._say("The scenario failed here; what it broke is undone.")
        finally:
            await self._undo()
            self.ended = self._clock.stamp()
            self._say(self.scenario.heals)
            self.over.set()

    async def _undo(self) -> None:
        while self.broken:
            fault, _, undo = self.broken.pop()
            try:
                await undo()
            except Exception:
                log.exception("%s: %s could not be undone", self.cluster, faults.kind_of(fault))

    async def _ended_within(self, seconds: float) -> bool:
        """Whether somebody ended the run before these simulated seconds were over."""
        sleeping = asyncio.create_task(self._clock.sleep(seconds), name="scenario: time")
        ending = asyncio.create_task(self.wanted_end.wait(), name="scenario: healed")
        try:
            await asyncio.wait((sleeping, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ending.cancel()
        return self.wanted_end.is_set()

    def _ends(self) -> str:
        return stamp(self._clock.now() + datetime.timedelta(seconds=self.left / self._clock.speed))

    def _say(self, text: str) -> None:
        self.said.append(Said(at=self._clock.stamp(), say=text))


class Runner:
    """All runs of a sandbox. `run` owns their tasks; before it runs nothing can be started."""

    def __init__(self, places: Mapping[str, Place], *, clock: SandboxClock) -> None:
        self.places = dict(places)
        self._clock = clock
        self._runs: list[Run] = []
        self._numbers = itertools.count(1)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the runs' tasks until cancelled; mends first what a killed sandbox left."""
        for place in self.places.values():
            nodes.mend(place.world.cluster)
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def runs(self) -> list[RunState]:
        """What runs, and the last ones that ended, newest first."""
        return [run.state() for run in reversed(self._runs)]

    def start(self, name: str, *, cluster: str = "", model: str = "", seconds: float | None = None) -> RunState:
        """Start a scenario; it begins at once and ends by itself. Raises CannotStart."""
        scenario = book.shipped().get(name)
        if scenario is None:
            known = ", ".join(book.shipped())
            raise CannotStart(f"There is no scenario {name}; there are: {known}.", known=False)
        cluster = cluster or scenario.cluster
        place = self.places.get(cluster)
        if place is None:
            raise CannotStart(f"There is no cluster {cluster}; there are: {', '.join(self.places)}.", known=False)
        busy = next((run for run in self._runs if run.cluster == cluster and not run.ended), None)
        if busy is not None:
            raise CannotStart(f"“{busy.scenario.title}” runs in {cluster}; heal it first.")
        if self._group is None:
            raise CannotStart("The sandbox has not started yet.")
        try:
            names = targets.find(scenario, place.world.cluster, model=model)
        except targets.NoTarget as error:
            raise CannotStart(str(error)) from error
        told = scenario.about(names)
        if seconds is not None:
            told = msgspec.structs.replace(told, seconds=min(max(seconds, 1.0), LONGEST))
        run = Run(next(self._numbers), told, names, clock=self._clock)
        self._runs = [*[item for item in self._runs if not item.ended][-_KEPT:], *_ended(self._runs), run]
        self._runs.sort(key=lambda item: item.number)
        self._group.create_task(run.play(place), name=f"scenario {name} in {cluster}")
        return run.state()

    async def heal(self, name: str = "", *, cluster: str = "") -> list[RunState]:
        """End what runs (of that name, in that cluster) and wait until it is undone."""
        ending = [
            run
            for run in self._runs
            if not run.ended and name in {"", run.scenario.name} and cluster in {"", run.cluster}
        ]
        for run in ending:
            run.wanted_end.set()
        for run in ending:
            await run.over.wait()
        return [run.state() for run in ending]


def _ended(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.ended][-_KEPT:]
