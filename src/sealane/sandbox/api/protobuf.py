"""Bodies in Kubernetes' protobuf encoding: what typed Go clients send (`kubectl create deployment`, `auth can-i`).

They do not fall back to JSON when a server refuses, so the sandbox reads protobuf, and answers in JSON, which they all
accept. The field numbers stand in `schemas/protobuf.fields`. Go writes fields at their zero value unless they are
pointers, so zeros are left out here except where a field is optional: then it was set on purpose.
"""

from __future__ import annotations

import base64
import datetime
import functools
import struct
from importlib import resources
from typing import Any, Final

import msgspec

from sealane.sandbox.api import errors
from sealane.sandbox.api.values import Obj

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(msgspec.Struct, frozen=True):
    """One field: its JSON name ("" for an inlined message), its type, and how it repeats."""

    name: str
    type: str
    optional: bool = False
    repeated: bool = False
    mapped: bool = False


class _Broken(ValueError):
    """The bytes are not what they should be."""


def decode(data: bytes) -> Obj:
    """The object inside a body. Raises StatusError: 400 for broken bytes, 415 for a kind that is not in the table."""
    try:
        if not data.startswith(_MAGIC):
            raise _Broken("no magic number")
        envelope = dict(_parts(data[len(_MAGIC) :]))
        head = {number: str(value, "utf-8") for number, value in _parts(envelope.get(1, b""))}
        group, version, kind = *_split(head.get(1, "")), head.get(2, "")
        message = _message_of(group, version, kind)
        body = _message(envelope.get(2, b""), message)
    except (_Broken, IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise errors.bad_request(f"the body is not valid protobuf: {error}") from error
    return {"apiVersion": head.get(1, ""), "kind": kind} | body


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _message_of(group: str, version: str, kind: str) -> str:
    if kind in {"DeleteOptions"}:
        return f"meta.v1.{kind}"
    name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
    if name not in _table():
        raise errors.unsupported_media("application/json, application/yaml")
    return name


@functools.cache
def _table() -> dict[str, dict[int, Field]]:
    text = (resources.files("sealane.sandbox.api") / "schemas" / "protobuf.fields").read_text(encoding="utf-8")
    table: dict[str, dict[int, Field]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, *fields = line.split()
            table[name] = dict(_field(item) for item in fields)
    return table


def _field(text: str) -> tuple[int, Field]:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(":")
    return int(number), Field(
        name, kind.lstrip("*[]{}"), kind.startswith("*"), kind.startswith("[]"), kind.startswith("{}")
    )


def _parts(data: bytes) -> list[tuple[int, Any]]:
    """`(field number, raw value)` in order: an int for numbers, bytes for all else."""
    found: list[tuple[int, Any]] = []
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == _VARINT:
            value, place = _varint(data, place)
        elif wire == _BYTES:
            size, place = _varint(data, place)
            if place + size > len(data):
                raise _Broken("a field is longer than the body")
            value, place = data[place : place + size], place + size
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
            value, place = data[place : place + size], place + size
        else:
            raise _Broken(f"wire type {wire}")
        found.append((number, value))
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise _Broken("a number is too long")


def _message(data: bytes, name: str) -> Obj:
    fields = _table()[name]
    made: Obj = {}
    for number, raw in _parts(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.mapped:
            key, value = _pair(raw, field.type)
            made.setdefault(field.name, {})[key] = value
            continue
        value = _value(raw, field.type)
        if field.repeated:
            made.setdefault(field.name, []).append(value)
        elif not field.name:
            made.update(value)
        elif field.optional or value not in ("", 0, False, None, {}):
            made[field.name] = value
    return made


def _pair(raw: bytes, kind: str) -> tuple[str, Any]:
    parts = dict(_parts(raw))
    empty: Any = b"" if kind not in {"i", "b"} else 0
    return str(parts.get(1, b""), "utf-8"), _value(parts.get(2, empty), kind)


def _value(raw: Any, kind: str) -> Any:
    if "." in kind:
        return _message(raw, kind)
    if kind == "s":
        return str(raw, "utf-8")
    if kind == "i":
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    if kind == "b":
        return bool(raw)
    if kind == "y":
        return base64.b64encode(raw).decode()
    if kind == "d":
        return struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0]
    parts = dict(_parts(raw))
    if kind == "q":
        return str(parts.get(1, b"0"), "utf-8")
    if kind == "o":
        return str(parts.get(3, b""), "utf-8") if parts.get(1) else _value(parts.get(2, 0), "i")
    if kind == "n":
        return f"{_value(parts.get(1, 0), 'i') / 1e9:g}s"
    if kind == "x":
        return msgspec.json.decode(parts.get(1, b"") or b"{}")
    return _time(parts, micro=kind == "u")


def _time(parts: dict[int, Any], *, micro: bool) -> str | None:
    if not parts.get(1):
        return None
    seconds = _value(parts[1], "i")
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC) + datetime.timedelta(
        microseconds=parts.get(2, 0) // 1000
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
