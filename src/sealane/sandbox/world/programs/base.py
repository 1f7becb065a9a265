"""What a program is given, and what it must be: an awaitable that ends with an exit code.

A program says when it is ready, writes its log through `say`, and answers on ports by `listen`. It may raise
`Killed` to be ended as by the kernel. Being cancelled is its SIGTERM.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ollama.pulls import Registry
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.messages import ASGIApp


@dataclasses.dataclass(frozen=True)
class Use:
    """What a program uses: processor in cores, memory in bytes."""

    cpu: float
    memory: int


def _unmeasured(_meter: Callable[[], Use]) -> None:
    """Nobody measures."""


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What one container sees. `gpu_memory` is bytes of GPU it may use (None: no GPU); `memory_limit` bytes or None.

    `store_at(path)` gives the place where models under that path are kept, which may outlive the container;
    `measured_by(meter)` says who knows what the program uses.
    """

    clock: SandboxClock
    pod: Obj
    container: Obj
    environment: dict[str, str]
    say: Callable[[str], None]
    listen: Callable[[int, ASGIApp], None]
    be_ready: Callable[[], None]
    store_at: Callable[[str], ModelStore]
    gpu_memory: int | None
    gpu_name: str
    memory_limit: int | None
    warm: bool
    registry: Registry
    measured_by: Callable[[Callable[[], Use]], None] = _unmeasured

    async def pause(self, seconds: float) -> None:
        """Simulated time passes; none while the sandbox warms up."""
        await self.clock.sleep(0 if self.warm else seconds)


class Program(Protocol):
    """Runs until it ends by itself (exit code), is killed (Killed) or is cancelled (SIGTERM)."""

    async def __call__(self, around: Surroundings) -> int: ...
