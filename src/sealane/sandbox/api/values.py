"""Small operations on JSON values that every part of the simulated API server needs."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

Obj = dict[str, Any]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def clone(value: Any) -> Any:
    """A deep copy of a JSON value, by way of MessagePack: many times faster than copy.deepcopy."""
    return _decode(_encode(value))


def stamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metadata carries it."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def same_but(left: Obj, right: Obj, *dropped: str) -> bool:
    """Equal, leaving out some top-level keys."""
    return all(left.get(key) == right.get(key) for key in (left.keys() | right.keys()) - set(dropped))


def utc_now() -> datetime.datetime:
    """The machine's time; the Store takes any other reading instead."""
    return datetime.datetime.now(datetime.UTC)
