"""JSON of one kind ⇄ a tenth of it, once there are many objects.

Objects of a kind are nearly alike, which an ordinary compressor cannot see in one object of four kilobytes; a
dictionary trained on a thousand of them shows it. Packing costs some 5 µs an object and unpacking 10 µs, so small kinds
are left as they are. What is packed tells itself apart by its first byte: JSON objects begin with a brace, zstd frames
with a parenthesis. So both may lie side by side, and nothing has to stop while a dictionary is trained.

The library is the standard library's own (Python 3.14), or its backport. Whoever holds a `Packing` awaits `wanted` and
then calls `train`: a pure value cannot start threads.
"""

from __future__ import annotations

import asyncio
import sys

if sys.version_info >= (3, 14):  # pragma: no cover - the oldest Python that we support decides
    from compression import zstd
else:
    from backports import zstd

ABOVE = 5_000
"""Objects of a kind from which on they are packed. Below, the whole kind is some 20 MB; above, this many wait unpacked
for the end of the first answer."""

NEVER = sys.maxsize
DICTIONARY = 64 * 1024
SAMPLES = 1_000
"""Objects that the dictionary is made of; more make it no better (measured with pods of 4 KB)."""
LEVEL = 3
SAMPLE = 32 * 1024
"""Bytes of an object that the dictionary is made of: a thousand of the largest would fill memory, and learn nothing."""
_FRAME = 0x28


class Packing:
    """How the objects of one kind are packed. `above` objects switch it on for good; `NEVER` keeps it off."""

    def __init__(self, *, above: int = ABOVE) -> None:
        self.wanted = asyncio.Event()
        """Set when there are enough objects and samples of them: time to `train`."""
        self._above = above
        self._every = max(1, above // (2 * SAMPLES))
        self._samples: list[bytes] = []
        self._dictionary: zstd.ZstdDict | None = None
        self._compressor: zstd.ZstdCompressor | None = None
        self._given_up = above == NEVER

    @property
    def ready(self) -> bool:
        """Whether `pack` packs."""
        return self._compressor is not None

    def pack(self, raw: bytes, *, among: int) -> bytes:
        """The object's bytes as they are to be kept, when there are `among` objects of the kind so far."""
        if self._compressor is not None:
            if raw[0] == _FRAME:
                return raw
            return self._compressor.compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)
        if among * 2 >= self._above and not self._given_up:
            self._sample(raw, among)
        return raw

    def unpack(self, data: bytes) -> bytes:
        """The object's JSON."""
        if data[0] != _FRAME:
            return data
        return zstd.decompress(data, self._dictionary)

    async def train(self) -> None:
        """Make the dictionary in a thread, from the samples seen. When that fails, all stays plain."""
        samples, self._samples, self._given_up = self._samples, [], True
        try:
            dictionary = await asyncio.to_thread(zstd.train_dict, samples, DICTIONARY)
        except (zstd.ZstdError, ValueError):
            return  # objects too few or too alike for a dictionary: they are small in all then
        self._dictionary = dictionary
        self._compressor = zstd.ZstdCompressor(level=LEVEL, zstd_dict=dictionary)

    def _sample(self, raw: bytes, among: int) -> None:
        if among % self._every == 0 and len(self._samples) < SAMPLES:
            self._samples.append(raw[:SAMPLE])
        if among >= self._above and self._samples:
            self.wanted.set()
