"""What the sandbox remembers between runs: one snapshot a cluster, written in the background and at the end.

Nothing that was deployed is lost by a restart; a crash loses at most some seconds. A snapshot that cannot be read is
put aside with a word, never deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from sealane.sandbox.access import write_private
from sealane.sandbox.api import kinds
from sealane.sandbox.api.store import Store, StoreEvent

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 5.0
_HEARTBEATS: Final = frozenset({kinds.LEASES.key})


class Keeper:
    """Keeps the Stores of a folder. Heartbeats alone are no reason to write."""

    def __init__(self, folder: Path, stores: Mapping[str, Store]) -> None:
        self._folder = folder
        self._stores = stores
        self._dirty: set[str] = set()
        for name, store in stores.items():
            store.listeners.append(self._marker(name))

    def load(self) -> set[str]:
        """Read back what is there; the names of the clusters that had something."""
        found: set[str] = set()
        for name, store in self._stores.items():
            path = self._path(name)
            try:
                store.load(msgspec.json.decode(path.read_bytes()))
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError, OSError) as error:
                aside = path.with_suffix(".broken")
                with contextlib.suppress(OSError):
                    path.replace(aside)
                log.warning("The snapshot of %s could not be read (%s); it was put aside as %s.", name, error, aside)
                continue
            found.add(name)
        return found

    def forget(self) -> None:
        """Remove all snapshots."""
        for name in self._stores:
            self._path(name).unlink(missing_ok=True)

    async def run(self) -> None:
        """Write what changed, every few seconds, for ever."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.save()

    def save(self) -> None:
        """Write what changed since the last time."""
        for name in sorted(self._dirty):
            try:
                write_private(self._path(name), msgspec.json.encode(self._stores[name].dump()))
            except OSError as error:
                log.warning("The snapshot of %s could not be written: %s", name, error)
                continue
            self._dirty.discard(name)

    def _path(self, name: str) -> Path:
        return self._folder / "snapshots" / f"{name}.json"

    def _marker(self, name: str) -> Callable[[StoreEvent], None]:
        def mark(event: StoreEvent) -> None:
            if event.kind.key not in _HEARTBEATS:
                self._dirty.add(name)

        return mark
