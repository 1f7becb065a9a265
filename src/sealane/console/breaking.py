"""What the "Break something" page shows and asks for: scenarios of the sandbox, and what they have broken.

The values are the sandbox's own answer (docs/sandbox.md, *Break something*); `runtime.breaking` fetches them over its
API, tests put fakes in its place. Nothing of this exists beside real clusters.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from sealane.lib.errors import NextStep, SealaneError


class CannotBreak(SealaneError):
    """The sandbox does not do it: there is nothing to break, something runs already, or the name is not known."""

    code = "cannot-break"
    http_status = 409


class NoSandbox(SealaneError):
    """Only the sandbox may be broken, and it is not open."""

    code = "no-sandbox"
    http_status = 404
    exit_code = 2


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario. `seconds` is how long it lasts unless told otherwise, in the sandbox's own time."""

    name: str
    title: str
    teaches: str
    cluster: str
    needs: str
    seconds: float
    heals: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and when (RFC 3339)."""

    at: str
    say: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is broken now; `ends` is when it ends by itself."""

    fault: str
    cluster: str
    since: str
    ends: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the console where the effect is seen."""

    say: str
    at: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that runs (`ended` is "") or ran. `left` is seconds of the sandbox's time."""

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
    faults: tuple[Fault, ...]
    heals: str
    look: tuple[Look, ...]


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """All of it: what can be broken, in which clusters, and what runs or ran last, newest first."""

    scenarios: tuple[Scenario, ...]
    clusters: tuple[str, ...]
    speed: float
    runs: tuple[Run, ...]

    @property
    def running(self) -> tuple[Run, ...]:
        """What is broken now."""
        return tuple(run for run in self.runs if not run.ended)


class Breaking(Protocol):
    """Breaking and healing. All raise CannotBreak or what the cluster's client raises."""

    async def state(self) -> Broken: ...
    async def start(self, name: str, *, cluster: str = "", model: str = "", seconds: float | None = None) -> Broken: ...
    async def heal(self, name: str = "", *, cluster: str = "") -> Broken: ...


def only_the_sandbox() -> NoSandbox:
    """The error for clusters that are real: they are never broken on purpose."""
    return NoSandbox(
        "Only the sandbox's simulated clusters may be broken, and it is not open.",
        next_steps=(NextStep(title="Open it", command="sealane up --clusters sandbox"),),
    )
