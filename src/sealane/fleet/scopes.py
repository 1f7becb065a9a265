"""Where a feed looks: the whole cluster, or one namespace at a time, each with what its own watch last said.

Kept apart so that "how do several namespaces look together" is one pure function: a kind is live when what may be read
is live, and forbidden only when nothing of it may be.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol

from sealane.fleet.rights import NoRight, Verdict
from sealane.kube.resources import Resource
from sealane.lib.errors import SealaneError

EVERYWHERE = ""
_WORST_FIRST = ("unauthorized", "unreachable", "reconnecting", "loading", "live", "gone")


class Rights(Protocol):
    """What a feed needs to know of rights; see `fleet.access`."""

    def may(self, verb: str, resource: Resource, namespace: str = "") -> Verdict: ...

    def candidates(self) -> Sequence[tuple[str, bool]]:
        """Namespaces known by name; True with those that are tried also while nothing is known of one's rights."""

    def doubt(self) -> None:
        """Something was refused: rights are not what they were."""


@dataclasses.dataclass(eq=False)
class Scope:
    """One watch. `barred`: it is known to be refused, so nobody asks the server."""

    condition: str = "loading"
    cause: SealaneError | None = None
    loaded: bool = False
    skipped: int = 0
    barred: bool = False
    answered: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


def together(found: Iterable[Scope]) -> tuple[str, SealaneError | None]:
    """The condition of a whole kind and its cause: the worst of what may be read; `forbidden` when nothing may."""
    allowed: dict[str, SealaneError | None] = {}
    refused: SealaneError | None = None
    for scope in found:
        if scope.condition == "forbidden":
            refused = refused or scope.cause
        else:
            allowed.setdefault(scope.condition, scope.cause)
    for condition in _WORST_FIRST:
        if condition in allowed:
            return condition, allowed[condition]
    return "forbidden", refused


def cause_of(verdict: Verdict) -> SealaneError | None:
    """The error that a "no" stands for; None for anything else."""
    return NoRight(verdict) if verdict.denied else None
