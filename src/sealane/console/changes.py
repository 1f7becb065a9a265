"""The reader's last changes, with the way back: what Home lists and what a toast offers to undo.

Kept in memory for this process only: what runs is in Kubernetes, and an undo older than ten minutes would surprise.
"""

from __future__ import annotations

import collections
import datetime
from collections.abc import Sequence

import msgspec

from sealane.console.services import Ref
from sealane.lib.clock import Clock
from sealane.models.types import ModelSpec

_KEPT = 20
UNDO_FOR = datetime.timedelta(minutes=10)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the reader did. `before` is what to put back; None where there is no way back."""

    number: int
    at: datetime.datetime
    sentence: str
    ref: Ref
    before: ModelSpec | None = None


class Changes:
    """The last changes of this process, newest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: collections.deque[Change] = collections.deque(maxlen=_KEPT)
        self._count = 0

    def add(self, sentence: str, ref: Ref, *, before: ModelSpec | None = None) -> Change:
        """Remember a change that the server has accepted."""
        self._count += 1
        change = Change(number=self._count, at=self._clock.now(), sentence=sentence, ref=ref, before=before)
        self._kept.appendleft(change)
        return change

    def last(self) -> Sequence[Change]:
        """All that is remembered."""
        return tuple(self._kept)

    def undoable(self, ref: Ref) -> Change | None:
        """The newest change of `ref` if it can still be put back."""
        for change in self._kept:
            if change.ref == ref:
                fresh = self._clock.now() - change.at <= UNDO_FOR
                return change if change.before is not None and fresh else None
        return None
