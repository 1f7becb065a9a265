"""Read the header of a GGUF file from its first bytes, trusting none of the lengths that it claims.

A model's need is known from a few numbers at the front of a file of many gigabytes; we read those and nothing else. The
bytes come from registries that anyone may run: every length is checked against what is there and against a limit before
it is used, arrays that we do not need are stepped over, nothing is allocated by a number from the file. Format: ggml
docs/gguf.md, versions 2 and 3, little endian. What the keys mean is `headers`' work.
"""

from __future__ import annotations

import struct
from typing import Final

from sealane.models.errors import BadGguf

_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_FORMATS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

MOST_KEYS: Final = 65_536
LONGEST_KEY: Final = 65_535  # bytes, by the format
LONGEST_TEXT: Final = 4 * 1024**2  # bytes of one string value
LONGEST_ARRAY: Final = 4_000_000  # entries; the largest vocabularies have 0.3 million
LONGEST_KEPT: Final = 4_096  # entries of an array that are given back; longer ones give their length alone

Value = int | float | bool | str | tuple[int | float | bool | str, ...]


class NeedMore(Exception):
    """Not an error: the bytes end before the header does. `at` is how far it reaches at least, in bytes."""

    def __init__(self, at: int) -> None:
        super().__init__(f"the header reaches beyond {at} bytes")
        self.at = at


class Metadata:
    """Key-value pairs as read; `lengths` has the number of entries of every array, kept or not."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.lengths: dict[str, int] = {}
        self.complete = False


def read(data: bytes | memoryview, *, partial: bool = False) -> Metadata:
    """Read the pairs from the file's first bytes.

    With `partial`, what was read before the bytes ended is given back (`complete` is False); else NeedMore is raised.
    Raises BadGguf when the bytes are not GGUF or claim what cannot be.
    """
    reader = _Reader(memoryview(data))
    found = Metadata()
    try:
        _pairs(reader, found)
    except NeedMore:
        if not partial:
            raise
    return found


def _pairs(reader: _Reader, found: Metadata) -> None:
    if bytes(reader.take(4)) != b"GGUF":
        raise BadGguf("These bytes are not a GGUF file: they do not begin with GGUF.")
    version = reader.number("I")
    if version not in {2, 3}:
        shown = "big-endian" if version in {0x02000000, 0x03000000} else str(version)
        raise BadGguf(f"GGUF version {shown} cannot be read; versions 2 and 3, little endian, can.")
    reader.number("Q")  # tensors
    pairs = reader.number("Q")
    if pairs > MOST_KEYS:
        raise BadGguf(f"The GGUF header claims {pairs:,} keys; {MOST_KEYS:,} is the most that is read.")
    for _ in range(pairs):
        key = reader.text(LONGEST_KEY)
        kind = reader.number("I")
        if kind == _ARRAY:
            values, length = _array(reader, key)
            found.lengths[key] = length
            if values is not None:
                found.values[key] = values
        else:
            found.values[key] = _scalar(reader, kind, key)
    found.complete = True


def _scalar(reader: _Reader, kind: int, key: str) -> int | float | bool | str:
    if kind == _STRING:
        return reader.text(LONGEST_TEXT)
    if kind not in _FORMATS:
        raise BadGguf(f"The GGUF key {_shown(key)} has the unknown type {kind}.")
    return reader.number(_FORMATS[kind])


def _array(reader: _Reader, key: str) -> tuple[tuple[int | float | bool | str, ...] | None, int]:
    kind = reader.number("I")
    length = reader.number("Q")
    if length > LONGEST_ARRAY:
        raise BadGguf(f"The GGUF key {_shown(key)} claims {length:,} entries; {LONGEST_ARRAY:,} is the most.")
    if kind == _STRING:
        if length > LONGEST_KEPT:
            for _ in range(length):
                reader.skip_text(LONGEST_TEXT)
            return None, length
        return tuple(reader.text(LONGEST_TEXT) for _ in range(length)), length
    if kind not in _FORMATS:
        raise BadGguf(f"The GGUF key {_shown(key)} is an array of the unknown or nested type {kind}.")
    if length > LONGEST_KEPT:
        reader.take(length * _SIZES[kind])
        return None, length
    block = reader.take(length * _SIZES[kind])
    return struct.unpack(f"<{length}{_FORMATS[kind]}", block), length


def _shown(key: str) -> str:
    return f"“{key[:60]}”"


class _Reader:
    """A cursor that never leaves its bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> memoryview:
        end = self._at + size
        if end > len(self._data):
            raise NeedMore(end)
        block = self._data[self._at : end]
        self._at = end
        return block

    def number(self, code: str) -> int:
        """One number; floats come through here too, and their users check the type."""
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))
        return value  # type: ignore[no-any-return]

    def text(self, limit: int) -> str:
        return bytes(self.take(self._length(limit))).decode("utf-8", errors="replace")

    def skip_text(self, limit: int) -> None:
        self.take(self._length(limit))

    def _length(self, limit: int) -> int:
        length = self.number("Q")
        if length > limit:
            raise BadGguf(f"The GGUF header claims a text of {length:,} bytes; {limit:,} is the most that is read.")
        return length
