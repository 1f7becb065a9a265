"""A small simulated cluster with one hosted model, on a clock that stands still, and scenarios that play in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sealane.sandbox.api.faults import Faults
from sealane.sandbox.scenarios.faults import Place
from sealane.sandbox.scenarios.runner import Runner
from sealane.sandbox.world import objects
from tests.sandbox.world.conftest import PLAN, Obj, Sim, clock, sim, still

__all__ = ["clock", "sim", "still"]
MODEL = "qwen2-5-coder-7b"


class FakePort:
    """A port that is open or not."""

    def __init__(self) -> None:
        self.open = True

    async def start(self) -> None:
        self.open = True

    async def stop(self) -> None:
        self.open = False


class Theatre:
    """The cluster, its faults, its port and the runner, with shorthands."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.cluster = sim.cluster
        self.faults = Faults(sim.cluster.store)  # type: ignore[arg-type]
        self.port = FakePort()
        self.place = Place("test", self.faults, sim.world, self.port)
        self.runner = Runner({"test": self.place}, clock=sim.clock)

    def start(self, name: str, **more: Any) -> Any:
        """Start a scenario here."""
        return self.runner.start(name, cluster="test", **more)

    async def run(self, seconds: float) -> None:
        """Let simulated time pass."""
        await self.sim.run(seconds)

    async def heal(self) -> None:
        """Heal everything; undoing takes no simulated time."""
        await self.runner.heal()

    @property
    def now(self) -> Any:
        """The newest run."""
        return self.runner.runs()[0]

    def copies(self) -> list[Obj]:
        """The model's pods."""
        return self.sim.cluster.list("pods", "team-a", labels={"app.kubernetes.io/name": MODEL})

    def answers(self) -> bool:
        """Whether a copy of the model is ready."""
        return any(objects.ready(pod) for pod in self.copies())

    def waiting(self, *, init: bool = False) -> tuple[str, str]:
        """Reason and message for which the only copy's container waits; empty while there is none to ask."""
        state = self._status(init=init).get("state", {}).get("waiting") or {}
        return state.get("reason", ""), state.get("message", "")

    def last(self, *, init: bool = False) -> Obj:
        """How the only copy's container ended last."""
        status = self._status(init=init)
        ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
        return ended or {}

    def _status(self, *, init: bool) -> Obj:
        copies = [pod for pod in self.copies() if objects.active(pod)]
        field = "initContainerStatuses" if init else "containerStatuses"
        found = copies[0].get("status", {}).get(field) if copies else None
        return found[0] if found else {}

    def events(self, name: str) -> list[str]:
        """Messages of all events about an object."""
        found = [event for event in self.cluster.list("events") if event["involvedObject"]["name"] == name]
        return [f"{event['reason']}: {event['message']}" for event in found]


@pytest.fixture
def plan() -> Obj:
    """The cluster with a hosted model in it."""
    import json

    copied: Obj = json.loads(json.dumps(PLAN))
    copied["models"] = [
        {"model": "qwen2.5-coder:7b", "namespace": "team-a", "share": "0.5", "queue": "a", "context": 8192,
         "storage": "9Gi"}
    ]  # fmt: skip
    return copied


@pytest.fixture
async def theatre(sim: Sim) -> AsyncIterator[Theatre]:
    """The cluster, past its warm-up, with the model answering."""
    made = Theatre(sim)
    task = asyncio.create_task(made.runner.run())
    await sim.until(made.answers, within=30)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
