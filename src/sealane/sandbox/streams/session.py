"""One side of a SPDY/3.1 connection without a socket: streams' states, limits and flow control around a Framer.

Bytes in give events, calls give bytes out (`outgoing`); who owns the socket moves both. Pings, settings and windows
are answered here. Flow control is off by default, because the SPDY of Kubernetes has none: its peers neither count what
they get nor give credit, and a side that waited for credit would wait for ever after 64 KiB.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.spdy import Data, Frame, GoAway, Headers, Ping, RstStream, SpdyError, Status, SynStream

WINDOW: Final = 64 * 1024
MOST_STREAMS: Final = 512
MOST_QUEUED: Final = 8 * 1024 * 1024  # bytes that wait for credit on one stream
_INITIAL_WINDOW: Final = 7
_ALL: Final = 0


@dataclasses.dataclass
class _Stream:
    """What is known of an open stream. Windows are bytes that may still be sent and received."""

    window: int
    allowed: int = WINDOW
    replied: bool = False
    we_ended: bool = False
    they_ended: bool = False
    waiting: bytearray = dataclasses.field(default_factory=bytearray)
    ending: bool = False


class Session:
    """See the module. A server's streams have even numbers, a client's odd ones.

    `receive` gives the frames that concern a user: SynStream, SynReply, MoreHeaders, Data, RstStream, GoAway, and a
    Ping that answers ours.
    """

    def __init__(self, *, server: bool, flow_control: bool = False) -> None:
        self._framer = spdy.Framer()
        self._flow = flow_control
        self._out = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._next = 2 if server else 1
        self._pings = 0 if server else -1
        self._last = 0
        self._first_window = WINDOW
        self._window = WINDOW
        self._allowed = WINDOW
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
        self._streams[number] = _Stream(self._first_window, we_ended=fin)
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
        """Send bytes, as far as the windows allow, the rest later; nothing on a stream that is gone.

        Raises SpdyError when more than MOST_QUEUED bytes would wait."""
        state = self._streams.get(stream)
        if state is None or state.we_ended or state.ending:
            return
        if not self._flow:
            self._end_or_not(stream, state, data, fin=fin)
            return
        if len(state.waiting) + len(data) > MOST_QUEUED:
            raise SpdyError(f"more than {MOST_QUEUED} bytes wait for credit on stream {stream}")
        state.waiting += data
        state.ending = fin
        self._push(stream, state)

    def queued(self, stream: int) -> int:
        """Bytes that wait for credit."""
        state = self._streams.get(stream)
        return len(state.waiting) if state else 0

    def consumed(self, stream: int, count: int) -> None:
        """Bytes were taken from a stream: let the peer send as many again (with flow control)."""
        if not self._flow or count <= 0:
            return
        self._allowed += count
        self._send(spdy.WindowUpdate(_ALL, count))
        state = self._streams.get(stream)
        if state is not None and not state.they_ended:
            state.allowed += count
            self._send(spdy.WindowUpdate(stream, count))

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
            case spdy.Settings():
                self._settings(frame)
            case spdy.WindowUpdate():
                self._credit(frame)
        return []

    def _opened(self, frame: SynStream) -> list[Frame]:
        if frame.stream % 2 == self._next % 2 or frame.stream <= self._last:
            raise SpdyError(f"the peer may not open stream {frame.stream} after {self._last}")
        self._last = frame.stream
        if len(self._streams) >= MOST_STREAMS:
            self._send(RstStream(frame.stream, Status.REFUSED_STREAM))
            return []
        state = _Stream(self._first_window, they_ended=frame.fin, we_ended=frame.unidirectional)
        self._streams[frame.stream] = state
        return [frame]

    def _data(self, frame: Data) -> list[Frame]:
        state = self._streams.get(frame.stream)
        if state is None or state.they_ended:
            if frame.stream > max(self._last, self._next):
                self._send(RstStream(frame.stream, Status.INVALID_STREAM))
            return []
        if self._flow:
            self._allowed -= len(frame.data)
            state.allowed -= len(frame.data)
            if state.allowed < 0 or self._allowed < 0:
                self.reset(frame.stream, Status.FLOW_CONTROL_ERROR)
                return [RstStream(frame.stream, Status.FLOW_CONTROL_ERROR)]
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

    def _settings(self, frame: spdy.Settings) -> None:
        for number, value in frame.values:
            if number == _INITIAL_WINDOW:
                change = min(value, 0x7FFF_FFFF) - self._first_window
                self._first_window += change
                for stream, state in tuple(self._streams.items()):
                    state.window += change
                    self._push(stream, state)

    def _credit(self, frame: spdy.WindowUpdate) -> None:
        if frame.stream == _ALL:
            self._window += frame.delta
            for stream, state in tuple(self._streams.items()):
                self._push(stream, state)
            return
        found = self._streams.get(frame.stream)
        if found is not None:
            found.window += frame.delta
            self._push(frame.stream, found)

    def _push(self, stream: int, state: _Stream) -> None:
        """Send what waits on a stream, as far as both windows reach."""
        if state.we_ended:
            return
        size = max(0, min(len(state.waiting), state.window, self._window))
        chunk = bytes(state.waiting[:size])
        del state.waiting[:size]
        state.window -= size
        self._window -= size
        self._end_or_not(stream, state, chunk, fin=state.ending and not state.waiting)

    def _end_or_not(self, stream: int, state: _Stream, data: bytes, *, fin: bool) -> None:
        if not data and not fin:
            return
        self._send(Data(stream, data, fin))
        if fin:
            state.we_ended = True
            self._forget_ended(stream, state)

    def _forget_ended(self, stream: int, state: _Stream) -> None:
        if state.we_ended and state.they_ended:
            self._streams.pop(stream, None)

    def _send(self, frame: Frame) -> None:
        self._out += self._framer.encode(frame)
