"""The header is read, and nothing that a file claims is believed."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import gguf_bytes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.models import gguf
from sealane.models.errors import BadGguf


def test_all_kinds_of_values_are_read() -> None:
    pairs = {"a": 7, "b": "text", "c": True, "d": 0.5, "e": [1, 2, 3], "f": ["x", "yy"], "g": -5, "h": [True, False]}
    found = gguf.read(gguf_bytes.gguf(pairs))
    assert found.complete
    assert found.values == {
        "a": 7, "b": "text", "c": True, "d": 0.5, "e": (1, 2, 3), "f": ("x", "yy"), "g": -5, "h": (True, False),
    }  # fmt: skip
    assert found.lengths == {"e": 3, "f": 2, "h": 2}


def test_the_real_writer_is_understood(tmp_path: Any) -> None:
    """The `gguf` package is ggml's own."""
    writer_package = pytest.importorskip("gguf", reason="the rig's dependencies are not installed")
    path = tmp_path / "tiny.gguf"
    writer = writer_package.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count([4, 4])
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    found = gguf.read(path.read_bytes())
    assert found.values["llama.block_count"] == 2
    assert found.values["llama.attention.head_count"] == (4, 4)
    assert found.lengths["tokenizer.ggml.tokens"] == 2


def test_a_long_array_gives_its_length_alone() -> None:
    count = gguf.LONGEST_KEPT + 1
    found = gguf.read(gguf_bytes.gguf({"tokens": ["t"] * count, "scores": [0.5] * count, "after": 1}))
    assert found.lengths == {"tokens": count, "scores": count}
    assert found.values == {"after": 1}


def test_what_ends_early_asks_for_more() -> None:
    whole = gguf_bytes.gguf(gguf_bytes.llama())
    with pytest.raises(gguf.NeedMore) as caught:
        gguf.read(whole[:-3])
    assert caught.value.at > len(whole) - 3


def test_a_part_gives_what_came_before_its_end() -> None:
    whole = gguf_bytes.gguf(gguf_bytes.llama())
    found = gguf.read(whole[: len(whole) // 2], partial=True)
    assert not found.complete
    assert found.values["general.architecture"] == "llama"
    assert "llama.attention.head_count_kv" not in found.values


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04" + b"\0" * 40, "do not begin with GGUF"),
        (gguf_bytes.gguf({}, version=1), "version 1"),
        (gguf_bytes.gguf({}, version=99), "version 99"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (gguf_bytes.gguf({}, claimed=2**63), "keys"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "text of"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_bytes.text("k") + struct.pack("<I", 77), "unknown type 77"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_bytes.text("k") + struct.pack("<IIQ", 9, 4, 2**60),
            "entries",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_bytes.text("k") + struct.pack("<IIQ", 9, 9, 1),
            "nested type 9",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(data: bytes, told: str) -> None:
    with pytest.raises(BadGguf) as caught:
        gguf.read(data)
    assert told in caught.value.sentence


def test_text_that_is_not_utf8_does_not_stop_the_reader() -> None:
    raw = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_bytes.text("k")
    raw += struct.pack("<I", 8) + struct.pack("<Q", 2) + b"\xff\xfe"
    assert gguf.read(raw).values["k"] == "��"


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_header_or_one_of_two_errors(data: bytes) -> None:
    with contextlib.suppress(BadGguf, gguf.NeedMore):
        gguf.read(data)
    with contextlib.suppress(BadGguf, gguf.NeedMore):
        gguf.read(b"GGUF\x03\0\0\0" + data)


SIMPLE = st.integers(-(2**62), 2**62) | st.booleans() | st.text(max_size=20)
PAIRS = st.dictionaries(st.text(min_size=1, max_size=12), SIMPLE | st.lists(st.integers(0, 2**31), max_size=9))


@given(pairs=PAIRS, cut=st.integers(1, 200))
def test_what_is_written_is_read_and_what_is_cut_is_never_invented(pairs: dict[str, Any], cut: int) -> None:
    whole = gguf_bytes.gguf(pairs)
    expected = {key: tuple(item) if isinstance(item, list) else item for key, item in pairs.items()}
    assert gguf.read(whole).values == expected
    short = gguf.read(whole[: max(len(whole) - cut, 24)], partial=True)
    assert short.values.items() <= expected.items()


@given(data=st.data())
def test_one_changed_byte_is_never_a_crash(data: st.DataObject) -> None:
    whole = bytearray(gguf_bytes.gguf(gguf_bytes.llama()))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadGguf, gguf.NeedMore):
        gguf.read(bytes(whole))
