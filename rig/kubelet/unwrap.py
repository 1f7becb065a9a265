"""TLS off a connection: one thread owns the TLS socket and hands plain bytes on through a pair of local sockets.

OpenSSL's connections must not be read and written by two threads at the same time, and streams are exactly that: input
and outputs side by side. A local socket may be.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

_PIECE = 64 * 1024
_MOST = 1024 * 1024  # bytes that wait in one direction


def plain(connection: ssl.SSLSocket) -> socket.socket:
    """A socket that carries what `connection` carries in TLS. Closing either closes the other."""
    ours, theirs = socket.socketpair()
    bridge = _Bridge(connection, theirs)
    threading.Thread(target=bridge.run, name="rig-tls", daemon=True).start()
    return ours


class _Bridge:
    def __init__(self, outer: ssl.SSLSocket, inner: socket.socket) -> None:
        self._outer, self._inner = outer, inner
        self._outward, self._inward = bytearray(), bytearray()
        self._outer_open = self._inner_open = True

    def run(self) -> None:
        """Carry bytes until both sides have ended."""
        self._outer.setblocking(False)
        self._inner.setblocking(False)
        try:
            while self._outer_open or self._inward or self._outward:
                self._wait()
                self._read_outer()
                self._read_inner()
                self._flush(self._inner, self._inward)
                self._flush(self._outer, self._outward)
                if not self._inner_open and not self._outward:
                    return
        except (OSError, ValueError):
            pass  # one side is gone, so is the other
        finally:
            for end in (self._inner, self._outer):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._inner.close()

    def _wait(self) -> None:
        if self._outer_open and self._outer.pending() and len(self._inward) < _MOST:
            return
        readers = [self._outer] if self._outer_open and len(self._inward) < _MOST else []
        if self._inner_open and len(self._outward) < _MOST:
            readers.append(self._inner)  # type: ignore[arg-type]
        writers = [end for end, left in ((self._outer, self._outward), (self._inner, self._inward)) if left]
        select.select(readers, writers, [])

    def _read_outer(self) -> None:
        if not self._outer_open or len(self._inward) >= _MOST:
            return
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            try:
                data = self._outer.recv(_PIECE)
            except ssl.SSLEOFError:
                data = b""
            self._inward += data
            if not data:
                self._outer_open = False
                self._flush(self._inner, self._inward)
                self._inner.shutdown(socket.SHUT_WR)

    def _read_inner(self) -> None:
        if not self._inner_open or len(self._outward) >= _MOST:
            return
        with contextlib.suppress(BlockingIOError):
            data = self._inner.recv(_PIECE)
            self._outward += data
            self._inner_open = bool(data)

    @staticmethod
    def _flush(end: socket.socket, waiting: bytearray) -> None:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            while waiting:
                del waiting[: end.send(bytes(waiting[:_PIECE]))]
