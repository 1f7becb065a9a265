"""GGUF headers written by hand, right or wrong on purpose: independent of the reader under test."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    """Type and value: bool, int (u32 or i64), float (f32), str, or a list of one of them."""
    kind, body = _typed(item)
    return struct.pack("<I", kind) + body


def _typed(item: Any) -> tuple[int, bytes]:
    if isinstance(item, bool):
        return 7, struct.pack("<?", item)
    if isinstance(item, int):
        return (4, struct.pack("<I", item)) if 0 <= item < 2**32 else (11, struct.pack("<q", item))
    if isinstance(item, float):
        return 6, struct.pack("<f", item)
    if isinstance(item, str):
        return 8, text(item)
    entries = [_typed(each) for each in item]
    kind = entries[0][0] if entries else 4
    return 9, struct.pack("<IQ", kind, len(entries)) + b"".join(body for _, body in entries)


def gguf(pairs: Mapping[str, Any], *, version: int = 3, claimed: int | None = None) -> bytes:
    """A header with these pairs; `claimed` is a wrong count of keys."""
    count = len(pairs) if claimed is None else claimed
    head = b"GGUF" + struct.pack("<IQQ", version, 0, count)
    return head + b"".join(text(key) + value(item) for key, item in pairs.items())


def llama(**more: Any) -> dict[str, Any]:
    """The keys of a small llama."""
    return {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 15,
        "general.parameter_count": 8_030_261_248,
        "llama.block_count": 4,
        "llama.context_length": 8192,
        "llama.embedding_length": 512,
        "llama.feed_forward_length": 1024,
        "llama.attention.head_count": 8,
        "llama.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": ["<s>", "a", "b"],
    } | more
