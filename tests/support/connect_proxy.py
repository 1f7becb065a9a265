"""An HTTP proxy on loopback that only tunnels (CONNECT), plain or over TLS; it remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Self


class ConnectProxy:
    """`asked` holds the head of each request. Names that end in `.invalid` lead to this machine."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, status: str = "200 OK") -> None:
        self.asked: list[str] = []
        self._tls = tls
        self._status = status
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: list[asyncio.StreamWriter] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._open), return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        writer.write(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if not self._status.startswith("200"):
            writer.close()
            return
        host, _, port = head.split()[1].rpartition(":")
        there = "127.0.0.1" if host.endswith(".invalid") else host
        far_reader, far_writer = await asyncio.open_connection(there, int(port))
        self._open.append(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(_pump(source, sink)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while part := await source.read(65536):
            sink.write(part)
            await sink.drain()
    sink.transport.abort()
