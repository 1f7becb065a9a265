"""One object in two API groups: Events are stored as `v1` and shown as `events.k8s.io/v1` to who asks for that."""

from __future__ import annotations

from sealane.sandbox.api.kinds import NEW_EVENTS, Kind
from sealane.sandbox.api.values import Obj

_RENAMED = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("source", "deprecatedSource"),
)


def shown(kind: Kind, obj: Obj) -> Obj:
    """The stored object in the version of `kind`."""
    if kind is not NEW_EVENTS:
        return obj
    names = dict(_RENAMED)
    return {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": kind.api_version}


def stored(kind: Kind, obj: Obj) -> Obj:
    """What a client sent, in the version that is stored."""
    if kind is not NEW_EVENTS:
        return obj
    names = {new: old for old, new in _RENAMED}
    return {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": "v1"}
