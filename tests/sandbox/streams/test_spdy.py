"""SPDY frames: what is written is read again, however it is cut, and what is wrong is refused."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.spdy import Data, Frame, Framer, SpdyError, SynStream

numbers = st.integers(1, 0x7FFF_FFFF)
words = st.text(st.characters(min_codepoint=1, blacklist_categories=["Cs"]), max_size=20)
names = st.text("abcdefghijklmnopqrstuvwxyz-:", min_size=1, max_size=12)
pairs = st.dictionaries(names, st.lists(words, min_size=1, max_size=2), max_size=5).map(
    lambda found: tuple((name, value) for name, values in found.items() for value in values)
)
flags = st.booleans()
control: st.SearchStrategy[Frame] = st.one_of(
    st.builds(SynStream, numbers, pairs, flags, flags, st.integers(0, 0x7FFF_FFFF), st.integers(0, 7)),
    st.builds(spdy.SynReply, numbers, pairs, flags),
    st.builds(spdy.MoreHeaders, numbers, pairs, flags),
    st.builds(spdy.RstStream, numbers, st.integers(1, 11)),
    st.builds(
        spdy.Settings,
        st.lists(st.tuples(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFF_FFFF)), max_size=4).map(tuple),
    ),
    st.builds(spdy.Ping, st.integers(1, 0xFFFF_FFFF)),
    st.builds(spdy.GoAway, st.integers(0, 0x7FFF_FFFF), st.integers(0, 2)),
    st.builds(spdy.WindowUpdate, st.integers(0, 0x7FFF_FFFF), st.integers(0, 0x7FFF_FFFF)),
)
frames = st.one_of(control, st.builds(Data, numbers, st.binary(max_size=60), flags))


def joined(found: list[Frame]) -> list[Frame]:
    """Pieces of one data frame as one again."""
    whole: list[Frame] = []
    for frame in found:
        last = whole[-1] if whole else None
        if isinstance(frame, Data) and isinstance(last, Data) and last.stream == frame.stream and not last.fin:
            whole[-1] = Data(frame.stream, last.data + frame.data, frame.fin)
        elif not (isinstance(frame, Data) and not frame.data and not frame.fin):
            whole.append(frame)
    return whole


@given(st.lists(frames, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_frames_come_out_as_they_went_in_however_the_bytes_are_cut(sent: list[Frame], sizes: list[int]) -> None:
    writer, reader = Framer(), Framer()
    data = b"".join(writer.encode(frame) for frame in sent)
    got: list[Frame] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        got += reader.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert joined(got) == joined(sent)


@given(st.binary(max_size=200))
def test_any_bytes_give_frames_or_one_kind_of_error(data: bytes) -> None:
    found: list[Frame] = []
    with contextlib.suppress(SpdyError):
        found = Framer().feed(data)
    assert sum(len(frame.data) for frame in found if isinstance(frame, Data)) <= len(data)


def test_the_dictionary_is_that_of_the_draft() -> None:
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_frame_has_the_bytes_that_the_draft_shows() -> None:
    assert Framer().encode(spdy.Ping(7)).hex() == "80030006" + "00000004" + "00000007"
    assert Framer().encode(Data(5, b"hi", True)).hex() == "00000005" + "01000002" + "6869"
    assert Framer().encode(spdy.RstStream(1, 3)).hex() == "80030003" + "00000008" + "00000001" + "00000003"


def test_header_names_are_sent_in_lower_case_and_found_by_name() -> None:
    (frame,) = Framer().feed(Framer().encode(SynStream(1, (("streamType", "data"), ("Port", "80")))))
    assert isinstance(frame, SynStream)
    assert (frame.header("streamtype"), frame.header("port"), frame.header("none")) == ("data", "80", "")


def test_header_blocks_of_one_connection_share_what_they_compress_with() -> None:
    framer, many = Framer(), (("x-long-name", "a value that comes again and again"),)
    first, second = framer.encode(SynStream(1, many)), framer.encode(SynStream(3, many))
    assert len(second) < len(first)
    with pytest.raises(SpdyError):
        Framer().feed(second)


def test_data_beyond_what_a_frame_holds_becomes_several_of_which_the_last_ends() -> None:
    data = Framer().encode(Data(1, bytes(spdy.MOST_DATA + 10), True))
    assert len(data) == spdy.MOST_DATA + 10 + 16
    found = joined(Framer().feed(data))
    assert [len(frame.data) for frame in found if isinstance(frame, Data)] == [spdy.MOST_DATA + 10]
    assert isinstance(found[-1], Data)
    assert found[-1].fin


def test_a_part_of_a_data_frame_is_given_at_once() -> None:
    framer = Framer()
    assert framer.feed(Framer().encode(Data(1, b"abcdef", True))[:11]) == [Data(1, b"abc")]
    assert framer.feed(b"de") == [Data(1, b"de")]
    assert framer.feed(b"f") == [Data(1, b"f", True)]


def test_a_frame_of_a_type_that_nobody_knows_is_passed_over() -> None:
    unknown = struct.pack("!HHI", 0x8003, 99, 3) + b"abc"
    assert Framer().feed(unknown + Framer().encode(spdy.Ping(1))) == [spdy.Ping(1)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (struct.pack("!HHI", 0x8002, 6, 4) + b"\0\0\0\1", "version 2"),
        (struct.pack("!HHI", 0x8003, 1, 0xFFFFFF), "longer than"),
        (struct.pack("!HHI", 0x8003, 6, 2) + b"\0\0", "too short"),
        (struct.pack("!HHI", 0x8003, 3, 8) + bytes(8), "stream 0"),
        (struct.pack("!HHI", 0x8003, 4, 4) + b"\0\0\0\5", "5 settings"),
        (struct.pack("!HHI", 0x8003, 2, 8) + b"\0\0\0\1nope", "decompressed"),
    ],
)
def test_what_is_no_spdy_is_refused_with_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(SpdyError, match=said):
        Framer().feed(data)


def packed(plain: bytes) -> bytes:
    deflate = zlib.compressobj(zdict=spdy.DICTIONARY)
    block = deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack("!HHII", 0x8003, 2, len(block) + 4, 1) + block


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (struct.pack("!I", 1) + bytes(spdy.LARGEST_HEADERS + 1), "longer than"),
        (struct.pack("!I", 0xFFFF_FFFF), "cannot hold"),
        (struct.pack("!II", 1, 50) + b"abcdefgh", "middle of a header"),
        (b"\0", "too short"),
    ],
)
def test_a_header_block_that_would_grow_without_end_or_ends_early_is_refused(plain: bytes, said: str) -> None:
    with pytest.raises(SpdyError, match=said):
        Framer().feed(packed(plain))
