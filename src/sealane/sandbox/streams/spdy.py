"""SPDY/3.1 frames: bytes to frames and back, and nothing else (no sockets, no streams' states; see `session`).

Kubernetes still speaks it: `kubectl port-forward` tunnels it through WebSockets, and API servers speak it to kubelets
for exec, attach and port-forward. Written after the public draft "SPDY Protocol - Draft 3.1". Header blocks of one
connection share one zlib stream a direction, so a Framer belongs to one connection and frames must be encoded in the
order in which they are sent. Data comes out in the pieces in which it came in: a large frame is never held whole.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

VERSION: Final = 3
MOST_DATA: Final = (1 << 24) - 1
LARGEST_CONTROL: Final = 256 * 1024  # bytes of one control frame as sent
LARGEST_HEADERS: Final = 256 * 1024  # bytes of one header block, decompressed
_FIN: Final = 0x01
_UNIDIRECTIONAL: Final = 0x02
_STREAM_BITS: Final = 0x7FFF_FFFF

Headers = tuple[tuple[str, str], ...]


class SpdyError(Exception):
    """The peer does not speak SPDY/3.1, or more than is allowed; the connection is of no use any more."""


class Type(enum.IntEnum):
    """Control frames by number."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Status(enum.IntEnum):
    """Why a stream is reset."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    UNSUPPORTED_VERSION = 4
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_IN_USE = 8
    STREAM_ALREADY_CLOSED = 9
    FRAME_TOO_LARGE = 11


class SynStream(msgspec.Struct, frozen=True):
    """A new stream. Names of headers are lower case; a header with two values is there twice."""

    stream: int
    headers: Headers = ()
    fin: bool = False
    unidirectional: bool = False
    associated: int = 0
    priority: int = 0

    def header(self, name: str) -> str:
        """The first value of a header, "" if it is not there."""
        return next((value for key, value in self.headers if key == name), "")


class SynReply(msgspec.Struct, frozen=True):
    """The stream is accepted."""

    stream: int
    headers: Headers = ()
    fin: bool = False


class RstStream(msgspec.Struct, frozen=True):
    """The stream ends at once, both ways."""

    stream: int
    status: int = Status.CANCEL


class Settings(msgspec.Struct, frozen=True):
    """Settings of the connection: (id, value) pairs. Id 7 is the first window of each stream, in bytes."""

    values: tuple[tuple[int, int], ...] = ()


class Ping(msgspec.Struct, frozen=True):
    """Answered with itself."""

    id: int


class GoAway(msgspec.Struct, frozen=True):
    """No new streams after `last_stream`. Status 0: all is well, 1: protocol error, 2: internal error."""

    last_stream: int = 0
    status: int = 0


class MoreHeaders(msgspec.Struct, frozen=True):
    """HEADERS: more of them for an open stream."""

    stream: int
    headers: Headers = ()
    fin: bool = False


class WindowUpdate(msgspec.Struct, frozen=True):
    """The peer may send `delta` bytes more on the stream (0: on all together)."""

    stream: int
    delta: int


class Data(msgspec.Struct, frozen=True):
    """Bytes of a stream; `fin`: the last ones."""

    stream: int
    data: bytes = b""
    fin: bool = False


Frame = SynStream | SynReply | RstStream | Settings | Ping | GoAway | MoreHeaders | WindowUpdate | Data


class Framer:
    """The two directions of one connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(level=6, zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._pending = bytearray()
        self._data: tuple[int, int, bool] | None = None  # of the data frame being read: stream, bytes to come, fin

    def encode(self, frame: Frame) -> bytes:
        """A frame as bytes. Data beyond 16 MiB becomes several frames."""
        if isinstance(frame, Data):
            return _encode_data(frame)
        kind, flags, payload = self._control(frame)
        return struct.pack("!HHI", 0x8000 | VERSION, kind, flags << 24 | len(payload)) + payload

    def feed(self, data: bytes) -> list[Frame]:
        """What these bytes complete. Raises SpdyError, after which the connection is lost."""
        self._pending += data
        frames: list[Frame] = []
        while True:
            frame = self._next()
            if frame is None:
                return frames
            frames.append(frame)

    def _control(self, frame: Frame) -> tuple[Type, int, bytes]:
        match frame:
            case SynStream():
                head = struct.pack("!IIBB", frame.stream, frame.associated, (frame.priority & 7) << 5, 0)
                flags = _FIN * frame.fin | _UNIDIRECTIONAL * frame.unidirectional
                return Type.SYN_STREAM, flags, head + self._compress(frame.headers)
            case SynReply():
                block = self._compress(frame.headers)
                return Type.SYN_REPLY, _FIN * frame.fin, struct.pack("!I", frame.stream) + block
            case MoreHeaders():
                block = self._compress(frame.headers)
                return Type.HEADERS, _FIN * frame.fin, struct.pack("!I", frame.stream) + block
            case RstStream():
                return Type.RST_STREAM, 0, struct.pack("!II", frame.stream, frame.status)
            case Settings():
                parts = [struct.pack("!II", number & 0xFFFFFF, value) for number, value in frame.values]
                return Type.SETTINGS, 0, struct.pack("!I", len(parts)) + b"".join(parts)
            case Ping():
                return Type.PING, 0, struct.pack("!I", frame.id)
            case GoAway():
                return Type.GOAWAY, 0, struct.pack("!II", frame.last_stream, frame.status)
            case WindowUpdate():
                return Type.WINDOW_UPDATE, 0, struct.pack("!II", frame.stream, frame.delta)
            case _:
                raise TypeError(f"{type(frame).__name__} is no control frame")

    def _next(self) -> Frame | None:
        if self._data is not None:
            return self._piece(*self._data)
        while len(self._pending) >= 8:
            first, rest = struct.unpack_from("!II", self._pending)
            flags, length = rest >> 24, rest & 0xFFFFFF
            if not first & 0x8000_0000:
                del self._pending[:8]
                return self._piece(first, length, bool(flags & _FIN))
            if length > LARGEST_CONTROL:
                raise SpdyError(f"a control frame of {length} bytes is longer than {LARGEST_CONTROL}")
            if len(self._pending) < 8 + length:
                return None
            payload = bytes(self._pending[8 : 8 + length])
            del self._pending[: 8 + length]
            if (first >> 16) & 0x7FFF != VERSION:
                raise SpdyError(f"version {(first >> 16) & 0x7FFF} of SPDY is not {VERSION}")
            frame = self._decode(first & 0xFFFF, flags, payload)
            if frame is not None:
                return frame
        return None

    def _piece(self, stream: int, left: int, fin: bool) -> Data | None:
        """What is there of a data frame; None while nothing is."""
        self._data = (stream, left, fin)
        if left and not self._pending:
            return None
        chunk = bytes(self._pending[:left])
        del self._pending[: len(chunk)]
        left -= len(chunk)
        self._data = (stream, left, fin) if left else None
        return Data(stream, chunk, fin and not left)

    def _decode(self, kind: int, flags: int, payload: bytes) -> Frame | None:
        """A control frame; None for one that the draft does not know, which is passed over."""
        try:
            return self._known(kind, flags, payload)
        except struct.error as error:
            raise SpdyError(f"a frame of type {kind} is too short: {len(payload)} bytes") from error

    def _known(self, kind: int, flags: int, payload: bytes) -> Frame | None:
        fin = bool(flags & _FIN)
        match kind:
            case Type.SYN_STREAM:
                stream, associated, priority, _ = struct.unpack_from("!IIBB", payload)
                headers, one_way = self._expand(payload[10:]), bool(flags & _UNIDIRECTIONAL)
                return SynStream(_id(stream), headers, fin, one_way, associated & _STREAM_BITS, priority >> 5)
            case Type.SYN_REPLY:
                return SynReply(_id(*struct.unpack_from("!I", payload)), self._expand(payload[4:]), fin)
            case Type.HEADERS:
                return MoreHeaders(_id(*struct.unpack_from("!I", payload)), self._expand(payload[4:]), fin)
            case Type.RST_STREAM:
                stream, status = struct.unpack("!II", payload)
                return RstStream(_id(stream), status)
            case Type.SETTINGS:
                return _settings(payload)
            case Type.PING:
                return Ping(*struct.unpack("!I", payload))
            case Type.GOAWAY:
                last, status = struct.unpack("!II", payload)
                return GoAway(last & _STREAM_BITS, status)
            case Type.WINDOW_UPDATE:
                stream, delta = struct.unpack("!II", payload)
                return WindowUpdate(stream & _STREAM_BITS, delta & _STREAM_BITS)
        return None

    def _compress(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """Headers as a block, names in lower case, values of one name joined by NUL as the draft wants."""
        joined: dict[str, list[str]] = {}
        for name, value in headers:
            joined.setdefault(name.lower(), []).append(value)
        parts = [struct.pack("!I", len(joined))]
        for name, values in joined.items():
            for text in (name, "\0".join(values)):
                data = text.encode()
                parts += (struct.pack("!I", len(data)), data)
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _expand(self, block: bytes) -> Headers:
        try:
            plain = self._inflate.decompress(block, LARGEST_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"a header block cannot be decompressed: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"a header block is longer than {LARGEST_HEADERS} bytes")
        return _headers(plain)


def _encode_data(frame: Data) -> bytes:
    if len(frame.data) <= MOST_DATA:
        return struct.pack("!II", frame.stream, (_FIN * frame.fin) << 24 | len(frame.data)) + frame.data
    pieces = range(0, len(frame.data), MOST_DATA)
    return b"".join(
        _encode_data(Data(frame.stream, frame.data[at : at + MOST_DATA], frame.fin and at == pieces[-1]))
        for at in pieces
    )


def _id(stream: int) -> int:
    number = stream & _STREAM_BITS
    if not number:
        raise SpdyError("a frame of a stream names stream 0")
    return number


def _settings(payload: bytes) -> Settings:
    (count,) = struct.unpack_from("!I", payload)
    if len(payload) != 4 + 8 * count:
        raise SpdyError(f"{count} settings are not {len(payload)} bytes")
    pairs = [struct.unpack_from("!II", payload, 4 + 8 * index) for index in range(count)]
    return Settings(tuple((number & 0xFFFFFF, value) for number, value in pairs))


def _headers(plain: bytes) -> Headers:
    """The pairs of a decompressed block. Raises SpdyError."""
    at = 0

    def text() -> str:
        nonlocal at
        (length,) = struct.unpack_from("!I", plain, at)
        at += 4 + length
        if at > len(plain):
            raise SpdyError("a header block ends in the middle of a header")
        return plain[at - length : at].decode("utf-8", "replace")

    (count,) = struct.unpack_from("!I", plain)
    if count * 8 > len(plain):
        raise SpdyError(f"a header block of {len(plain)} bytes cannot hold {count} headers")
    at = 4
    pairs: list[tuple[str, str]] = []
    for _ in range(count):
        name = text()
        pairs += [(name, value) for value in text().split("\0")]
    return tuple(pairs)


_WORDS: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
# What both zlib streams begin with: the draft's words, each with its length, and the draft's tail of common values.
DICTIONARY: Final = b"".join(
    struct.pack("!I", len(word)) + word.encode() for word in (word.replace("_", " ") for word in _WORDS.split())
) + _TAIL.encode("ascii")
