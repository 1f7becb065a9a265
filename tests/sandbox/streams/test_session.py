"""SPDY connections: two sides that talk without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.streams import session as sessions
from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data, Frame, RstStream, SpdyError, Status, SynStream

DATA = (("streamtype", "data"),)


def pair() -> tuple[Session, Session]:
    return Session(server=False), Session(server=True)


def moved(one: Session, other: Session) -> tuple[list[Frame], list[Frame]]:
    """All bytes both ways until nothing is left to say: what the first got, what the second got."""
    first: list[Frame] = []
    second: list[Frame] = []
    while data := one.outgoing():
        second += other.receive(data)
        first += one.receive(other.outgoing())
    return first, second


def test_a_stream_is_opened_accepted_used_both_ways_and_forgotten() -> None:
    client, server = pair()
    number = client.open(DATA)
    server.receive(client.outgoing())
    server.reply(number)
    client.send(number, b"ask", fin=True)
    client.receive(server.outgoing())
    assert server.receive(client.outgoing()) == [Data(number, b"ask", True)]
    server.send(number, b"answer", fin=True)
    assert client.receive(server.outgoing()) == [Data(number, b"answer", True)]
    assert client.open_streams == server.open_streams == ()


def test_each_side_numbers_its_own_streams() -> None:
    client, server = pair()
    assert [client.open(DATA), client.open(DATA)] == [1, 3]
    assert [server.open(DATA), server.open(DATA)] == [2, 4]


def test_a_reset_ends_a_stream_both_ways_and_later_data_is_dropped() -> None:
    client, server = pair()
    number = client.open(DATA)
    moved(client, server)
    server.reset(number, Status.REFUSED_STREAM)
    client.send(number, b"too late")
    reset = server.outgoing()
    assert server.receive(client.outgoing()) == []
    assert client.receive(reset) == [RstStream(number, Status.REFUSED_STREAM)]
    client.send(number, b"nothing")
    assert client.outgoing() == b""


def test_a_ping_is_answered_and_the_answer_reported() -> None:
    client, server = pair()
    number = client.ping()
    assert moved(client, server) == ([spdy.Ping(number)], [])
    assert server.ping() % 2 == 0


def test_a_stream_that_the_peer_may_not_open_ends_the_connection() -> None:
    _, server = pair()
    framer = spdy.Framer()
    server.receive(framer.encode(SynStream(5)))
    with pytest.raises(SpdyError, match="stream 3 after 5"):
        server.receive(framer.encode(SynStream(3)))
    assert list(spdy.Framer().feed(server.outgoing())) == [spdy.GoAway(5, 1)]
    with pytest.raises(SpdyError, match="stream 2"):
        Session(server=True).receive(spdy.Framer().encode(SynStream(2)))


def test_more_streams_than_allowed_are_refused_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_STREAMS", 2)
    server, framer = Session(server=True), spdy.Framer()
    found = server.receive(b"".join(framer.encode(SynStream(number)) for number in (1, 3, 5)))
    assert [frame.stream for frame in found if isinstance(frame, SynStream)] == [1, 3]
    assert spdy.Framer().feed(server.outgoing()) == [RstStream(5, Status.REFUSED_STREAM)]


def test_data_of_a_stream_that_was_never_opened_is_answered_with_a_reset() -> None:
    _, server = pair()
    assert server.receive(spdy.Framer().encode(Data(9, b"x"))) == []
    assert spdy.Framer().feed(server.outgoing()) == [RstStream(9, Status.INVALID_STREAM)]


def test_after_going_away_no_stream_is_opened() -> None:
    client, server = pair()
    server.go_away()
    assert client.receive(server.outgoing()) == [spdy.GoAway(0, 0)]
    with pytest.raises(SpdyError, match="going"):
        client.open(DATA)


def test_nothing_waits_for_credit_that_never_comes() -> None:
    client, server = pair()
    number = client.open(DATA)
    client.send(number, bytes(1 << 20))
    _, got = moved(client, server)
    assert sum(len(frame.data) for frame in got if isinstance(frame, Data)) == 1 << 20


def test_credit_and_settings_of_a_peer_change_nothing() -> None:
    client, _ = pair()
    number, framer = client.open(DATA), spdy.Framer()
    client.outgoing()
    assert client.receive(framer.encode(spdy.Settings(((7, 10),)))) == []
    assert client.receive(framer.encode(spdy.WindowUpdate(number, 10))) == []
    client.send(number, bytes(50))
    assert client.outgoing() == spdy.Framer().encode(Data(number, bytes(50)))


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=90_000), st.booleans()), max_size=8))
def test_every_byte_arrives_in_order_on_its_stream(sends: list[tuple[int, bytes, bool]]) -> None:
    client, server = pair()
    numbers = [client.open(DATA) for _ in range(3)]
    wanted = dict.fromkeys(numbers, b"")
    ended: set[int] = set()
    for index, data, fin in sends:
        number = numbers[index]
        if number not in ended:
            wanted[number] += data
            client.send(number, data, fin=fin)
            ended |= {number} if fin else set()
    got = dict.fromkeys(numbers, b"")
    fins: set[int] = set()
    while data := client.outgoing():
        for frame in server.receive(data):
            if isinstance(frame, Data):
                got[frame.stream] += frame.data
                fins |= {frame.stream} if frame.fin else set()
        client.receive(server.outgoing())
    assert got == wanted
    assert fins == ended
