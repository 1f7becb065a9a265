"""What a reflector has said so far of one kind, and what a new answer changes about it. Pure.

Servers repeat themselves, answer late and reuse names; a reader must never see time run backwards for an object, nor a
name pass to another object without the end of the first. Resource versions are opaque by contract; where both are
decimal numbers (every etcd-backed server) they tell old from new, otherwise what came last counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sealane.kube.changes import Change, Gone, Upsert
from sealane.kube.wire import Meta, RawObject

_CHANCES = 8


class Answer:
    """A full answer while it comes in: each name once. Kept by name from the start, because sorting a hundred thousand
    objects out at its end would hold up everybody else."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], RawObject] = {}
        self.metas: dict[tuple[str, str], Meta] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def put(self, item: RawObject) -> None:
        """Take an object; of one name the last counts."""
        key = item.meta.key
        self.objects[key] = item
        self.metas[key] = _identity(item.meta)

    def remove(self, key: tuple[str, str]) -> None:
        """It was deleted while the answer came in."""
        self.objects.pop(key, None)
        self.metas.pop(key, None)


class Known:
    """Headers of all objects that the reader believes to exist, without labels and owners: they are many."""

    def __init__(self) -> None:
        self._metas: dict[tuple[str, str], Meta] = {}

    def __len__(self) -> int:
        return len(self._metas)

    def begin(self, answer: Answer) -> list[RawObject]:
        """Take the first full answer; gives back what is in it."""
        self._metas = answer.metas
        return list(answer.objects.values())

    def replace(self, answer: Answer) -> Iterator[Change]:
        """Take a full answer; what it changes, deletions first, so that a name that was reused is never seen twice."""
        fresh = answer.objects
        before, self._metas = self._metas, answer.metas
        for key, meta in before.items():
            now = fresh.get(key)
            if now is None or now.meta.uid != meta.uid:
                yield Gone(meta)
        for key, item in fresh.items():
            was = before.get(key)
            if was is None or was.uid != item.meta.uid or was.resource_version != item.meta.resource_version:
                yield Upsert(item.meta, item.raw)

    def put(self, item: RawObject) -> Iterator[Change]:
        """Take an object that appeared or changed; one that is older than what is known was said before and counts no
        more."""
        meta = item.meta
        before = self._metas.get(meta.key)
        if before is not None:
            if is_older(meta.resource_version, before.resource_version):
                return
            if before.uid != meta.uid:
                yield Gone(before)  # deleted and made anew under the same name while nobody told us
        self._metas[meta.key] = _identity(meta)
        yield Upsert(meta, item.raw)

    def remove(self, meta: Meta) -> Iterator[Change]:
        """Take a deletion. The late end of an earlier object of the same name is no end of this one."""
        before = self._metas.get(meta.key)
        if before is None:
            return
        if before.uid != meta.uid and is_older(meta.resource_version, before.resource_version):
            return
        del self._metas[meta.key]
        yield Gone(meta if before.uid == meta.uid else before)

    def clear(self) -> Iterator[Change]:
        """Everything is gone."""
        before, self._metas = self._metas, {}
        yield from (Gone(meta) for meta in before.values())


class Oddities:
    """What arrived and could not be read. JSON without a name is the server's own truth and is skipped at once; what is
    no JSON may have been cut on the way, so it is believed when the server sends it a second time (or too often)."""

    def __init__(self) -> None:
        self.skipped = 0
        self._seen: set[int] = set()

    def is_the_servers(self, data: bytes | msgspec.Raw, error: msgspec.DecodeError) -> bool:
        """Whether to skip this object, which is counted; False when the connection is to blame."""
        mark = hash(bytes(data))
        if not isinstance(error, msgspec.ValidationError) and mark not in self._seen and len(self._seen) < _CHANCES:
            self._seen.add(mark)
            return False
        self.skipped += 1
        return True

    def forget(self) -> None:
        """Everything is about to be told anew."""
        self.skipped = 0


def _identity(meta: Meta) -> Meta:
    return Meta(name=meta.name, namespace=meta.namespace, uid=meta.uid, resource_version=meta.resource_version)


def is_older(version: str, than: str) -> bool:
    """Whether one resource version is known to come before another; False where they cannot be compared.

    Compared as text, the shorter first, and proved to be numbers only where that finds the older one: a watch asks
    this twice for each event, and almost always of a newer one.
    """
    older = version < than if len(version) == len(than) else len(version) < len(than)
    return older and _is_number(version) and _is_number(than)


def _is_number(version: str) -> bool:
    """Whether it is a number as Kubernetes writes one: etcd's revisions have at most 19 digits, and no leading zero."""
    return len(version) < 32 and version.isascii() and version.isdecimal() and (version[0] != "0" or version == "0")
