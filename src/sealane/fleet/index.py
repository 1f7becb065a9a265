"""Two small structures of a cache: which objects a term leads to, and in which order objects stand.

Both are kept up to date by each change instead of being made anew by each read: sorting a hundred thousand keys takes a
tenth of a second, in which nothing else happens. Both are made for their size: most terms (an event's object, an owner
of one pod) lead to one object or a few, and a set for each would take more memory than the objects.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence

Key = tuple[str, str]
"""(namespace, name)."""

SMALL = 32
"""Keys of a term that are a tuple; a set of twenty takes ten times the memory."""
FEW = 64
"""Changes up to which each finds its own place; more are sorted in together."""


class Index:
    """Term → keys: a tuple of few, a set of many."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Key, ...] | set[Key]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, term: str, key: Key) -> None:
        """Let the term lead to the key too."""
        held = self._found.get(term, ())
        if isinstance(held, set):
            held.add(key)
        elif key not in held:
            self._found[term] = (*held, key) if len(held) < SMALL else {*held, key}

    def discard(self, term: str, key: Key) -> None:
        """Undo `add`; terms that lead nowhere are forgotten."""
        held = self._found.get(term, ())
        if isinstance(held, set):
            held.discard(key)
            left: Collection[Key] = held
        else:
            left = self._found[term] = tuple(other for other in held if other != key)
        if not left:
            del self._found[term]

    def get(self, term: str) -> Collection[Key]:
        """The keys, in no order. Not to be kept: it changes."""
        return self._found.get(term, ())


class Order:
    """Keys by namespace and name. Each key is added once and removed once; places are found when somebody reads."""

    def __init__(self, *, few: int = FEW) -> None:
        self._few = few
        self._sorted: list[Key] = []
        self._added: dict[Key, None] = {}
        self._removed: set[Key] = set()

    def add(self, key: Key) -> None:
        """Take a key that is not here."""
        if key in self._removed:
            self._removed.remove(key)
        else:
            self._added[key] = None

    def remove(self, key: Key) -> None:
        """Drop a key that is here."""
        if key in self._added:
            del self._added[key]
        else:
            self._removed.add(key)

    def all(self) -> Sequence[Key]:
        """Every key in order. Not to be kept: it changes."""
        if self._removed:
            self._take_out()
        if len(self._added) > self._few:
            self._sorted += self._added
            self._sorted.sort()  # two runs, mostly: a merge
        else:
            for key in self._added:
                insort(self._sorted, key)
        self._added.clear()
        return self._sorted

    def namespace(self, namespace: str) -> Sequence[Key]:
        """The keys of one namespace, in order."""
        found = self.all()
        return found[bisect_left(found, (namespace, "")) : bisect_left(found, (namespace + "\0", ""))]

    def _take_out(self) -> None:
        if len(self._removed) > self._few:
            self._sorted = [key for key in self._sorted if key not in self._removed]
        else:
            for key in self._removed:
                del self._sorted[bisect_left(self._sorted, key)]
        self._removed.clear()
