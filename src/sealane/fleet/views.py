"""The same few fields of every object of a kind, kept as the objects come.

Whoever counts over all pods needs a handful of fields of each. Decoding a hundred thousand objects when somebody asks
takes a second in which nothing else happens, and keeping them as structs takes as much memory as the cache. So a `View`
is decoded object by object as the watch brings them, and `make` boils each one down to what is needed, or to None when
it does not count. Views that are announced are kept from a kind's first object on; one that comes late, to a full
cache, catches up in small steps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from sealane.fleet.index import Key
from sealane.kube.errors import UNREADABLE
from sealane.kube.resources import Resource

_log = logging.getLogger(__name__)
R = TypeVar("R")


class View(Generic[R]):
    """What to keep of each object: its fields as `shape` (a msgspec Struct), boiled down by `make` where given.

    Make it once, at module level: views are told apart by identity.
    """

    def __init__(self, shape: Any, make: Callable[[Any], R | None] | None = None) -> None:
        self.make = make
        self.decode = msgspec.json.Decoder(shape).decode


_ANNOUNCED: dict[Resource, list[View[Any]]] = {}


def announce(resource: Resource, view: View[Any]) -> None:
    """Keep this view of a kind from its first object on, in every cluster."""
    _ANNOUNCED.setdefault(resource, []).append(view)


def announced(resource: Resource) -> Iterable[View[Any]]:
    """The views to keep of a kind from its first object on."""
    return _ANNOUNCED.get(resource, ())


class Kept(Generic[R]):
    """One view of one cache. `backlog` are keys of objects that were there before the view."""

    def __init__(self, view: View[R], backlog: Iterable[Key]) -> None:
        self.held: dict[Key, R] = {}
        self.backlog = list(backlog)
        self._view = view
        self._listed: tuple[int, list[R]] = (-1, [])

    def take(self, key: Key, raw: bytes) -> None:
        """A new or changed object. One that does not have the shape is left out: it must not cost the others."""
        try:
            value = self._view.decode(raw)
        except UNREADABLE as error:
            _log.warning("%s of %s is left out of what is counted: %s", key[1], key[0] or "the cluster", error)
            value = None
        made = value if self._view.make is None or value is None else self._view.make(value)
        if made is None:
            self.held.pop(key, None)
        else:
            self.held[key] = made

    def forget(self, key: Key) -> None:
        """The object went."""
        self.held.pop(key, None)

    def catch_up(self, entries: Mapping[Key, Any], unpack: Callable[[bytes], bytes], *, most: int) -> None:
        """Decode at most so many of the backlog."""
        for _ in range(min(most, len(self.backlog))):
            key = self.backlog.pop()
            entry = entries.get(key)
            if entry is not None and key not in self.held:
                self.take(key, unpack(entry.raw))

    def listed(self, order: Callable[[], Iterable[Key]], revision: int) -> list[R]:
        """All of them in the order of the keys; made once a revision."""
        if self._listed[0] != revision or self.backlog:
            held = self.held
            self._listed = (revision, [held[key] for key in order() if key in held])
        return self._listed[1]
