"""The few decoded objects that are worth remembering, for all caches of a fleet together.

A decoded object takes eight times its JSON, so a bound for each kind of each cluster would add up to more than the
caches themselves. The bound is one, in bytes of JSON; what was not looked at for longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from sealane.fleet.index import Key

LIMIT = 3 * 1024 * 1024
"""Bytes of JSON: some 800 pods, 25 MB of dicts."""


class Memo:
    """Decoded objects by the cache that they are of and their key."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held: OrderedDict[tuple[int, Key], tuple[dict[str, Any], int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, cache: int, key: Key) -> dict[str, Any] | None:
        """The object, if it is remembered."""
        found = self._held.get((cache, key))
        if found is None:
            return None
        self._held.move_to_end((cache, key))
        return found[0]

    def put(self, cache: int, key: Key, decoded: dict[str, Any], *, size: int) -> None:
        """Remember an object whose JSON has `size` bytes."""
        self.forget(cache, key)
        self._held[(cache, key)] = (decoded, size)
        self._size += size
        while self._size > self._limit and self._held:
            _, (_, gone) = self._held.popitem(last=False)
            self._size -= gone

    def forget(self, cache: int, key: Key) -> None:
        """The object changed or went."""
        found = self._held.pop((cache, key), None)
        if found is not None:
            self._size -= found[1]

    def forget_all(self, cache: int) -> None:
        """The cache went."""
        for held in [held for held in self._held if held[0] == cache]:
            self.forget(*held)
