"""The kubeconfig while `sealane up` runs: an edit is taken within seconds, and a broken one loses nothing.

Files are looked at every two seconds (place, size, time of change), which every file system can do and which follows
symlinks and files that are replaced as a whole. A change is read once it has stayed the same for two looks, so that a
half-written file is rarely seen; one that is broken all the same, or that vanishes, becomes a sentence on the Clusters
page, and the clusters that were followed go on. Nothing is ever written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from sealane.fleet import Fleet, Replaced
from sealane.lib import text
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import NextStep, SealaneError
from sealane.runtime import contexts
from sealane.runtime.contexts import Chosen

_log = logging.getLogger(__name__)

POLL = 2.0
PATIENCE = 5
"""Looks for which a file may be away before it counts as deleted."""

Stamp = tuple[int, int, int, int] | None  # inode, size, time of change in ns, mode; None where there is no file


class KubeconfigNotTaken(SealaneError):
    """The kubeconfig changed, and cannot be followed as it is now."""

    code = "kubeconfig-not-taken"


class Following:
    """Keeps a fleet at what the kubeconfig says. `changed` is told of each choice that was taken, and its outcome."""

    def __init__(
        self,
        fleet: Fleet,
        chosen: Chosen,
        choice: str,
        *,
        changed: Callable[[Chosen, Replaced], None],
        clock: Clock = SYSTEM,
    ) -> None:
        self.problem: SealaneError | None = None
        """Why the kubeconfig is not followed as it is now, or not in full."""
        self._fleet = fleet
        self._choice = choice
        self._changed = changed
        self._clock = clock
        self._paths = tuple(Path(part) for part in chosen.kubeconfig.split(os.pathsep))
        self._taken = self._seen = stamps(self._paths)
        self._steady = 0
        self._away: tuple[Path, ...] = ()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look every `POLL` seconds for as long as the block is open."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._run(), name="follow the kubeconfig")
            try:
                yield
            finally:
                task.cancel()

    async def look(self) -> None:
        """Look once; take what has changed and come to rest."""
        now = await asyncio.to_thread(stamps, self._paths)
        steady = now == self._seen
        self._seen, self._steady = now, self._steady + 1 if steady else 0
        if now == self._taken:
            if self._away:
                self._away, self.problem = (), None  # what was away is back as it was
            return
        self._away = tuple(
            path for path, before, after in zip(self._paths, self._taken, now, strict=True) if before and not after
        )
        if self._away and self._steady < PATIENCE:
            self.problem = _not_taken(f"{text.listing(map(str, self._away))} is not there.", None)
        elif steady:
            await self._take(now)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(POLL)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - a task's border: `up` goes on with the clusters that it has
                _log.exception("looking at the kubeconfig failed")

    async def _take(self, now: tuple[Stamp, ...]) -> None:
        self._taken, self._away = now, ()
        try:
            chosen, missing = await asyncio.to_thread(contexts.again, self._paths, self._choice)
        except SealaneError as error:
            self.problem = _not_taken(error.sentence, error)
            return
        replaced = await self._fleet.replace(chosen.contexts)
        self.problem = missing
        self._changed(chosen, replaced)


def stamps(paths: Sequence[Path]) -> tuple[Stamp, ...]:
    """What tells one state of these files from another; symlinks are followed. Blocks, briefly."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def _not_taken(why: str, cause: SealaneError | None) -> KubeconfigNotTaken:
    steps = cause.next_steps if cause is not None else ()
    return KubeconfigNotTaken(
        f"Your kubeconfig changed and was not taken: {why} The clusters that were followed go on.",
        evidence=cause.evidence if cause is not None else (),
        next_steps=steps or (NextStep(title="See what kubectl makes of it", command="kubectl config get-contexts"),),
    )
