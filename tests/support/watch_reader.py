"""Somebody who believes what a reflector says about a `watch_world`, and notes where that was wrong.

`play` runs a schedule and gives back what was wrong: a cache that differs from the server's own list at the end, a
deletion that was lost on the way, or a time in which the reader was told "live" while it was shown something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence

import virtual_time
from watch_world import PATIENCE, Step, Uids, World

from sealane.kube.changes import Condition, Gone, Synced, Upsert
from sealane.kube.resources import PODS
from sealane.kube.watch import Patience, reflect
from sealane.lib import wake

TRUST = PATIENCE.silence + PATIENCE.opening + 5.0
"""Seconds for which "live" may be wrong: a bookmark's interval and what a dead connection adds to it."""
TRUST_WITHOUT_BOOKMARKS = PATIENCE.unproved + TRUST + PATIENCE.silence


class Reader:
    """What somebody believes who is told by the reflector, and what they were wrongly told."""

    def __init__(self, world: World) -> None:
        self.objects: Uids = {}
        self.live = False
        self.skipped = 0
        self.wrong: list[str] = []
        self._world = world
        self._synced = False
        self._lied_since: float | None = None
        self._vouched = True

    def take(self, change: object) -> None:
        """One change, checked against what may never be said."""
        if isinstance(change, Synced):
            self._note(not self._synced, "synced twice")
            self._synced = True
            self.objects = {item.meta.name: (item.meta.uid, item.meta.resource_version) for item in change.objects}
        elif isinstance(change, Upsert):
            known = self.objects.get(change.meta.name)
            self._note(known is None or known[0] == change.meta.uid, "a name was reused before its end was told")
            self.objects[change.meta.name] = (change.meta.uid, change.meta.resource_version)
        elif isinstance(change, Gone):
            known = self.objects.pop(change.meta.name, ("", ""))
            self._note(known[0] == change.meta.uid, "the end of something that was not there")
        elif isinstance(change, Condition):
            self.live = change.state == "live"
            self.skipped = change.skipped
        self.look()

    def look(self) -> None:
        """Whether "live" is wrong, or was for too long. To be called whenever the world may have changed.

        How long it may be goes by the worst that was so meanwhile: bookmarks that are sent again, while a reader is
        wrong whom none has reached yet, leave that reader no wiser.
        """
        now = asyncio.get_running_loop().time()
        wrong = list(_unlike(self.objects, self._world.listed())) if self.live else []
        if self._lied_since is not None:
            self._vouched &= self._world.vouched
            limit, lied = TRUST if self._vouched else TRUST_WITHOUT_BOOKMARKS, now - self._lied_since
            self._note(lied <= limit, f"live and wrong for {lied:.0f} s")
        if len(wrong) <= self.skipped:  # what was skipped was said to be
            self._lied_since = None
        elif self._lied_since is None:
            self._lied_since, self._vouched = now, self._world.vouched

    def _note(self, fine: bool, what: str) -> None:
        if not fine:
            self.wrong.append(what)


async def _play(steps: Sequence[Step], patience: Patience) -> list[str]:
    world = World()
    reader = Reader(world)

    async def read() -> None:
        told = reflect(world, PODS, clock=world.clock, random=random.Random(1).random, patience=patience)
        async with contextlib.aclosing(told) as changes:
            async for change in changes:
                reader.take(change)

    async def woken(seconds: float) -> None:
        world.cut()

    tasks = [
        asyncio.create_task(read()),
        asyncio.create_task(wake.watch(virtual_time.EventfulClock(world.clock), woken)),
    ]
    try:
        for delay, what, argument in steps:
            await asyncio.sleep(delay)
            world.happen(what, argument)
            reader.look()
        world.heal()
        await asyncio.sleep(2 * TRUST if world.vouched else 2 * TRUST_WITHOUT_BOOKMARKS)
        if reader.skipped:
            await asyncio.sleep(4 * PATIENCE.watch)
        reader.look()
        if tasks[0].done():
            return [f"the reflector ended: {tasks[0].exception()!r}"]
        if reader.objects != world.listed():
            reader.wrong.append(f"at the end {_differences(reader.objects, world.listed())}")
        if not reader.live:
            reader.wrong.append("not live at the end")
        return reader.wrong
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def play(steps: Sequence[Step], *, patience: Patience = PATIENCE) -> list[str]:
    """Run a schedule; what was wrong, nothing if all was well."""
    return virtual_time.run(_play(steps, patience))


def _differences(shown: Uids, true: Uids) -> str:
    return ", ".join(sorted(f"{name}: {shown.get(name)} for {true.get(name)}" for name in _unlike(shown, true)))


def _unlike(shown: Uids, true: Uids) -> Iterator[str]:
    return (name for name in shown.keys() | true.keys() if shown.get(name) != true.get(name))
