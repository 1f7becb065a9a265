"""Events are forgotten after an hour, as by the real API server: a sandbox may run for days."""

from __future__ import annotations

import datetime

from sealane.sandbox.world import objects
from sealane.sandbox.world.runner import Controller

KEPT = datetime.timedelta(hours=1)
_EVERY = 60.0


class EventKeeper(Controller):
    """Looks once a (simulated) minute; ages are wall time."""

    name = "events"

    async def run(self) -> None:
        while True:
            await self.cluster.clock.sleep(_EVERY)
            self.forget()

    def forget(self) -> None:
        """Remove every event that was last seen more than an hour ago."""
        oldest = (self.cluster.clock.now() - KEPT).strftime("%Y-%m-%dT%H:%M:%SZ")
        for event in self.cluster.list("events"):
            made = event["metadata"].get("creationTimestamp") or ""
            seen = max(made, event.get("lastTimestamp") or "")  # whatever time its writer gave it
            if seen and seen < oldest:
                self.cluster.delete("events", event)
                self.cluster.forget_event(objects.key(event))
