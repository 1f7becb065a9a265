"""One side of a SPDY/3.1 connection without a socket: streams' states and limits around a Framer.

Bytes in give events, calls give bytes out (`outgoing`); who owns the socket moves both. Pings are answered here. There
is no flow control, because the SPDY of Kubernetes has none: its peers neither count what they get nor give credit, and
a side that waited for credit would wait for ever after 64 KiB. Settings and credit of a peer are read and not used.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.spdy import Data, Frame, GoAway, Headers, Ping, RstStream, SpdyError, Status, SynStream

MOST_STREAMS: Final = 512


@dataclasses.dataclass
class _Stream:
    """What is known of an open stream."""

    replied: bool = False
    we_ended: bool = False
    they_ended: bool = False


class Session:
    """See the module. A server's streams have even numbers, a client's odd ones.

    `receive` gives the frames that concern a user: SynStream, SynReply, MoreHeaders, Data, RstStream, GoAway, and a
    Ping that answers ours.
    """

    def __init__(self, *, server: bool) -> None:
        self._framer = spdy.Framer()
        self._out = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._next = 2 if server else 1
        self._pings = 0 if server else -1
        self._last = 0
        self._going = False

    @property
    def open_streams(self) -> tuple[int, ...]:
        """Numbers of the streams that have not ended both ways."""
        return tuple(self._streams)

    def outgoing(self) -> bytes:
        """What is to be sent, once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> list[Frame]:
        """What these bytes mean. Raises SpdyError (a GOAWAY is then in `outgoing`); close the connection after it."""
        events: list[Frame] = []
        try:
            for frame in self._framer.feed(data):
                events += self._take(frame)
        except SpdyError:
            self._send(GoAway(self._last, status=1))
            raise
        return events

    def open(self, headers: Headers, *, fin: bool = False) -> int:
        """Begin a stream; its number. Raises SpdyError when the peer takes no more or too many are open."""
        if self._going or len(self._streams) >= MOST_STREAMS:
            raise SpdyError(f"no new stream: {'the peer is going' if self._going else f'{MOST_STREAMS} are open'}")
        number, self._next = self._next, self._next + 2
        self._streams[number] = _Stream(we_ended=fin)
        self._send(SynStream(number, headers, fin))
        return number

    def reply(self, stream: int, headers: Headers = (), *, fin: bool = False) -> None:
        """Accept a stream of the peer."""
        state = self._streams.get(stream)
        if state is None or state.replied:
            return
        state.replied = True
        self._send(spdy.SynReply(stream, headers, fin))
        if fin:
            state.we_ended = True
            self._forget_ended(stream, state)

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes; nothing on a stream that is gone."""
        state = self._streams.get(stream)
        if state is None or state.we_ended or not (data or fin):
            return
        self._send(Data(stream, data, fin))
        if fin:
            state.we_ended = True
            self._forget_ended(stream, state)

    def reset(self, stream: int, status: int = Status.CANCEL) -> None:
        """End a stream at once."""
        if self._streams.pop(stream, None) is not None:
            self._send(RstStream(stream, status))

    def ping(self) -> int:
        """Ask whether the peer is there; the number that its answer will have."""
        self._pings += 2
        self._send(Ping(self._pings))
        return self._pings

    def go_away(self, status: int = 0) -> None:
        """Tell the peer that no new streams are taken."""
        self._send(GoAway(self._last, status))

    def _take(self, frame: Frame) -> list[Frame]:
        match frame:
            case SynStream():
                return self._opened(frame)
            case Data():
                return self._data(frame)
            case spdy.SynReply() | spdy.MoreHeaders():
                return self._headers(frame)
            case RstStream():
                return [frame] if self._streams.pop(frame.stream, None) is not None else []
            case GoAway():
                self._going = True
                return [frame]
            case Ping():
                if (frame.id % 2 == 0) == (self._next % 2 == 0):
                    return [frame]
                self._send(frame)
        return []

    def _opened(self, frame: SynStream) -> list[Frame]:
        if frame.stream % 2 == self._next % 2 or frame.stream <= self._last:
            raise SpdyError(f"the peer may not open stream {frame.stream} after {self._last}")
        self._last = frame.stream
        if len(self._streams) >= MOST_STREAMS:
            self._send(RstStream(frame.stream, Status.REFUSED_STREAM))
            return []
        state = _Stream(they_ended=frame.fin, we_ended=frame.unidirectional)
        self._streams[frame.stream] = state
        return [frame]

    def _data(self, frame: Data) -> list[Frame]:
        state = self._streams.get(frame.stream)
        if state is None or state.they_ended:
            if frame.stream > max(self._last, self._next):
                self._send(RstStream(frame.stream, Status.INVALID_STREAM))
            return []
        if frame.fin:
            state.they_ended = True
            self._forget_ended(frame.stream, state)
        return [frame]

    def _headers(self, frame: spdy.SynReply | spdy.MoreHeaders) -> list[Frame]:
        state = self._streams.get(frame.stream)
        if state is None:
            return []
        if frame.fin:
            state.they_ended = True
            self._forget_ended(frame.stream, state)
        return [frame]

    def _forget_ended(self, stream: int, state: _Stream) -> None:
        if state.we_ended and state.they_ended:
            self._streams.pop(stream, None)

    def _send(self, frame: Frame) -> None:
        self._out += self._framer.encode(frame)
