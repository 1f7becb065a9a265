"""Garbage collection: what belongs to something that went, goes too, in the manner that was asked for.

Background: dependents go after their owner. Foreground: the owner waits (finalizer `foregroundDeletion`) until those
that block it are gone. Orphan: dependents are cut loose first (finalizer `orphan`). Also ends dependents whose owner
never was, as the real collector does.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_Place = tuple[str, str, str]


class GarbageCollector(Controller):
    """Keeps a graph of owners by uid, fed by every change of every kind."""

    name = "garbage-collector"
    kinds = ("*",)

    def __init__(self, cluster: object) -> None:
        super().__init__(cluster)  # type: ignore[arg-type]
        self._where: dict[str, _Place] = {}
        self._dependents: dict[str, dict[str, _Place]] = {}
        self._owners: dict[str, tuple[str, ...]] = {}

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        uid = objects.uid(obj)
        if not uid or plural == "events":
            return ()
        place = (plural, *objects.key(obj))
        owners = tuple(item["uid"] for item in obj["metadata"].get("ownerReferences") or ())
        self._forget_edges(uid)
        if change == "DELETED":
            self._where.pop(uid, None)
            return [("owner", uid), *(("owner", owner) for owner in owners)]
        self._where[uid] = place
        self._owners[uid] = owners
        for owner in owners:
            self._dependents.setdefault(owner, {})[uid] = place
        wanted: list[Key] = [("owner", owner) for owner in owners if owner not in self._where]
        if objects.deleting(obj):
            wanted.append(("owner", uid))
        return wanted

    def _forget_edges(self, uid: str) -> None:
        for owner in self._owners.pop(uid, ()):
            self._dependents.get(owner, {}).pop(uid, None)

    def reconcile(self, key: Key) -> float | None:
        uid = key[1]
        place = self._where.get(uid)
        if place is None:
            self._owner_gone(uid)
            return None
        owner = self.cluster.get(*place)
        if owner is None or not objects.deleting(owner):
            return None
        finalizers = owner["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            self._cut_loose(uid, place)
        elif FOREGROUND in finalizers:
            self._foreground(uid, place)
        return None

    def _owner_gone(self, uid: str) -> None:
        """End all dependents of an owner that is not there; those with another live owner only lose this one."""
        for plural, namespace, name in list(self._dependents.get(uid, {}).values()):
            obj = self.cluster.get(plural, namespace, name)
            if obj is None or objects.deleting(obj):
                continue
            others = [item for item in obj["metadata"].get("ownerReferences") or () if item["uid"] != uid]
            if any(item["uid"] in self._where for item in others):
                self._drop_reference((plural, namespace, name), uid)
            else:
                self.cluster.delete(plural, obj)

    def _cut_loose(self, uid: str, place: _Place) -> None:
        for dependent in list(self._dependents.get(uid, {}).values()):
            self._drop_reference(dependent, uid)
        self._drop_finalizer(place, ORPHAN)

    def _foreground(self, uid: str, place: _Place) -> None:
        blocking = 0
        for plural, namespace, name in list(self._dependents.get(uid, {}).values()):
            obj = self.cluster.get(plural, namespace, name)
            if obj is None:
                continue
            blocks = any(
                item["uid"] == uid and item.get("blockOwnerDeletion")
                for item in obj["metadata"].get("ownerReferences") or ()
            )
            blocking += blocks
            if not objects.deleting(obj):
                self.cluster.delete(plural, obj, propagation="Foreground" if blocks else "Background")
                blocking -= blocks and self.cluster.get(plural, namespace, name) is None
        if not blocking:
            self._drop_finalizer(place, FOREGROUND)

    def _drop_reference(self, place: _Place, uid: str) -> None:
        def change(obj: Obj) -> None:
            kept = [item for item in obj["metadata"].get("ownerReferences") or () if item["uid"] != uid]
            if kept:
                obj["metadata"]["ownerReferences"] = kept
            else:
                obj["metadata"].pop("ownerReferences", None)

        self.cluster.change(*place, change)

    def _drop_finalizer(self, place: _Place, finalizer: str) -> None:
        def change(obj: Obj) -> None:
            kept = [item for item in obj["metadata"].get("finalizers") or () if item != finalizer]
            if kept:
                obj["metadata"]["finalizers"] = kept
            else:
                obj["metadata"].pop("finalizers", None)

        self.cluster.change(*place, change)
