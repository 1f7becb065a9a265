"""The two ways in which an API server brings a stream to a kubelet: SPDY/3.1, and WebSocket channels of version 4.

A real API server translates exec and attach of new clients (version 5) to SPDY, tunnels `kubectl port-forward` as SPDY,
and hands version 4 WebSockets on as they are. Both become the same here: named streams of bytes. Threads block on
sockets, as everywhere in this kubelet; writing is locked, because a command's outputs are written side by side.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping
from wsproto.utilities import LocalProtocolError

from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.session import Session

V4 = "v4.channel.k8s.io"
CHANNELS = ("stdin", "stdout", "stderr", "error", "resize")
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Arrival:
    """Bytes of a stream; `over`: it has no more of them. `id` tells streams of one name apart."""

    name: str
    data: bytes = b""
    over: bool = False
    id: int = 0
    headers: Mapping[str, str] | None = None
    """Only on a stream's first arrival."""


class Wire(Protocol):
    """One connection with the API server."""

    def arrivals(self) -> Iterator[Arrival]:
        """What comes, until the peer leaves."""

    def send(self, name: str, data: bytes, *, over: bool = False, id: int = 0) -> None:  # noqa: A002
        """Write to a stream; a peer that left is no error."""

    def close(self) -> None:
        """Say goodbye; `arrivals` ends then."""

    def end(self) -> None:
        """Give the connection back."""


class Spdy:
    """SPDY as Kubernetes speaks it: each stream says its name in the header `streamtype`; no flow control."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._session = Session(server=True)
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._newest: dict[str, int] = {}

    def arrivals(self) -> Iterator[Arrival]:
        while data := _read(self._connection):
            try:
                with self._lock:
                    frames = self._session.receive(data)
                    for frame in frames:
                        if isinstance(frame, spdy.SynStream):
                            self._session.reply(frame.stream)
                    self._flush()
            except spdy.SpdyError:
                return
            for frame in frames:
                yield from self._translated(frame)

    def send(self, name: str, data: bytes, *, over: bool = False, id: int = 0) -> None:  # noqa: A002
        stream = id or self._newest.get(name, 0)
        with self._lock:
            self._session.send(stream, data, fin=over)
            self._flush()

    def close(self) -> None:
        with self._lock:
            self._session.go_away()
            self._flush()
        _shut(self._connection)

    def end(self) -> None:
        self._connection.close()

    def _translated(self, frame: spdy.Frame) -> Iterator[Arrival]:
        match frame:
            case spdy.SynStream():
                name = frame.header("streamtype")
                self._names[frame.stream] = name
                self._newest[name] = frame.stream
                yield Arrival(name, over=frame.fin, id=frame.stream, headers=dict(frame.headers))
            case spdy.Data():
                yield Arrival(self._names.get(frame.stream, ""), frame.data, frame.fin, frame.stream)
            case spdy.RstStream():
                yield Arrival(self._names.get(frame.stream, ""), over=True, id=frame.stream)

    def _flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._connection.sendall(self._session.outgoing())


class Channels:
    """A WebSocket whose messages begin with a channel's number; `names` says what each is called."""

    def __init__(self, connection: socket.socket, *, names: tuple[str, ...] = CHANNELS) -> None:
        self._connection = connection
        self._names = names
        self._socket = Connection(ConnectionType.SERVER)
        self._lock = threading.Lock()

    def arrivals(self) -> Iterator[Arrival]:
        for number, name in enumerate(self._names):
            yield Arrival(name, id=number, headers={})
        message = bytearray()
        while data := _read(self._connection):
            with self._lock:
                self._socket.receive_data(data)
                events = list(self._socket.events())
            for event in events:
                if isinstance(event, Ping):
                    self._write(event.response())
                elif isinstance(event, CloseConnection):
                    self._write(event.response())
                    return
                elif isinstance(event, BytesMessage):
                    message += event.data
                    if event.message_finished and message:
                        yield self._arrival(bytes(message))
                    if event.message_finished:
                        message.clear()

    def send(self, name: str, data: bytes, *, over: bool = False, id: int = 0) -> None:  # noqa: A002
        number = id if id and self._names[id] == name else self._names.index(name)
        if data:
            self._write(BytesMessage(bytes([number]) + data))

    def close(self) -> None:
        self._write(CloseConnection(code=1000))
        _shut(self._connection)

    def end(self) -> None:
        self._connection.close()

    def _arrival(self, message: bytes) -> Arrival:
        number = message[0] if message[0] < len(self._names) else 0
        return Arrival(self._names[number], message[1:], id=number)

    def _write(self, event: Event) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError, LocalProtocolError):
            self._connection.sendall(self._socket.send(event))


def greeting(port: int) -> bytes:
    """What a forwarded port's channels begin with."""
    return struct.pack("<H", port)


def status(code: int) -> bytes:
    """How a command ended, in the API's words."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    message = f"command terminated with non-zero exit code: exit status {code}"
    causes = [{"reason": "ExitCode", "message": str(code)}]
    failure = {"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode"}
    return json.dumps({**failure, "details": {"causes": causes}}).encode()


def refusal(message: str) -> bytes:
    """Why a command could not be run."""
    words = f"Internal error occurred: error executing command in container: {message}"
    return json.dumps(
        {"metadata": {}, "status": "Failure", "message": words, "reason": "InternalError", "code": 500}
    ).encode()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def _read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_PIECE)
    except (OSError, ValueError):
        return b""
