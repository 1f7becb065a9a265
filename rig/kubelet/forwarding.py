"""port-forward: connections to a pod's own localhost, as a kubelet makes them.

The socket is opened by a thread that stepped into the pod's network, so a server that listens on the pod's 127.0.0.1
alone is reached too. Over SPDY each connection is a pair of streams with the same `requestid`; over a WebSocket there
is one pair of channels for each port that was asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import socket
import threading
from collections.abc import Sequence

from rig.kubelet.wires import Arrival, Wire, greeting

_NEW_NETWORK = 0x40000000
_PIECE = 32 * 1024
_CONNECT = 5.0  # seconds


class Forward:
    """The connections of one wire into the network of the process `inside`. `ports`: of a WebSocket's channels."""

    def __init__(self, inside: int, wire: Wire, *, pod: str, ports: Sequence[int] = ()) -> None:
        self._inside = inside
        self._wire = wire
        self._pod = pod
        self._ports = ports
        self._pairs: dict[str, dict[str, int]] = {}
        self._queues: dict[int, queue.Queue[bytes]] = {}
        self._connections: set[socket.socket] = set()

    def serve(self) -> None:
        """Until the client leaves."""
        if self._ports:
            for index, port in enumerate(self._ports):
                data, error = 2 * index, 2 * index + 1
                for channel, name in ((data, "data"), (error, "error")):
                    self._wire.send(name, greeting(port), id=channel)
                self._begin(port, data=data, error=error)
        for arrival in self._wire.arrivals():
            if arrival.headers:
                self._opened(arrival)
            elif arrival.name == "data" and arrival.id in self._queues:
                if arrival.data:
                    self._queues[arrival.id].put(arrival.data)
                if arrival.over:
                    self._queues[arrival.id].put(b"")
        for waiting in tuple(self._queues.values()):
            waiting.put(b"")
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._wire.end()

    def _opened(self, arrival: Arrival) -> None:
        headers = arrival.headers or {}
        pair = self._pairs.setdefault(headers.get("requestid", ""), {})
        pair[arrival.name] = arrival.id
        if {"data", "error"} <= pair.keys():
            del self._pairs[headers.get("requestid", "")]
            self._begin(int(headers.get("port", "0")), data=pair["data"], error=pair["error"])

    def _begin(self, port: int, *, data: int, error: int) -> None:
        self._queues[data] = queue.Queue()
        arguments = {"data": data, "error": error}
        threading.Thread(
            target=self._serve_one, args=(port,), kwargs=arguments, name="rig-forward", daemon=True
        ).start()

    def _serve_one(self, port: int, *, data: int, error: int) -> None:
        try:
            connection = connect_inside(self._inside, port)
        except OSError as failure:
            why = failure.strerror or failure
            words = f"failed to connect to localhost:{port} inside namespace of pod {self._pod}: {why}"
            text = f"an error occurred forwarding {port} -> {port}: error forwarding port {port} to pod: {words}"
            self._wire.send("error", text.encode(), over=True, id=error)
            self._wire.send("data", b"", over=True, id=data)
            return
        threading.Thread(target=self._upward, args=(connection, data), name="rig-forward-up", daemon=True).start()
        self._connections.add(connection)
        with contextlib.suppress(OSError):
            while received := connection.recv(_PIECE):
                self._wire.send("data", received, id=data)
        self._wire.send("data", b"", over=True, id=data)
        self._wire.send("error", b"", over=True, id=error)
        self._queues[data].put(b"")
        self._connections.discard(connection)
        connection.close()
        if self._ports:
            self._wire.close()

    def _upward(self, connection: socket.socket, data: int) -> None:
        waiting = self._queues[data]
        with contextlib.suppress(OSError):
            while piece := waiting.get():
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)


def connect_inside(process: int, port: int) -> socket.socket:
    """A connection to localhost in the network of a process. OSError."""
    found: list[socket.socket | OSError] = []

    def enter_and_connect() -> None:
        try:
            descriptor = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, _NEW_NETWORK):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(descriptor)
            connection = socket.create_connection(("127.0.0.1", port), timeout=_CONNECT)
            connection.settimeout(None)
            found.append(connection)
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=enter_and_connect, name="rig-forward-connect")
    thread.start()
    thread.join()
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]
