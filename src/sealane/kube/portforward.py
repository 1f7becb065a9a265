"""A pod's port on this computer: bytes through the API server, which asks for nothing but `pods/portforward`.

One TCP connection is one WebSocket with two channels for data and errors (`v4.channel.k8s.io`, which API servers hand
to kubelets as it is). kubectl tunnels SPDY through one socket instead; that saves a handshake a connection and costs a
second framing, flow control without credit and one slow connection that holds up the others. In this protocol the end
of the input cannot be said, so what half-closes is closed when the other side has been quiet for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from sealane.kube import errors, websocket
from sealane.kube.errors import Target
from sealane.kube.exec import V4
from sealane.kube.http import Http
from sealane.kube.resources import PODS
from sealane.kube.websocket import Socket
from sealane.lib.errors import NextStep, SealaneError

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
PIECE = 32 * 1024  # bytes in one message
QUIET = 10.0  # seconds of silence after our side has ended
MOST = 256  # connections at once
_DATA, _ERROR = b"\x00", b"\x01"


class PortRefused(errors.PodUnreachable):
    """Nothing listens on the pod's port, or the pod is not there to listen."""

    code = "pod-port-refused"


class PortTaken(SealaneError):
    """The local port is in use."""

    code = "port-taken"
    http_status = 409

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} of this computer is in use.",
            next_steps=(NextStep(title="Name another local port, or 0 for a free one", command="--local 0"),),
        )


class Tunnel:
    """One connection to the pod's port."""

    def __init__(self, socket: Socket, *, target: Target, port: int) -> None:
        self._socket = socket
        self._target = target
        self._port = port
        self._greeted: set[bytes] = set()

    async def read(self) -> bytes:
        """What the pod sent; b"" when it has ended. `PortRefused`, `Disconnected`."""
        while (found := await self._socket.receive()) is not None:
            channel, data = found.data[:1], found.data[1:]
            if channel not in self._greeted:  # the first two bytes of each channel name the port
                self._greeted.add(channel)
                data = data[2:] if data[:2] == struct.pack("<H", self._port) else data
            if channel == _ERROR and data:
                raise self._refused(data.decode("utf-8", "replace"))
            if channel == _DATA and data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """Bytes for the pod."""
        for start in range(0, len(data), PIECE):
            await self._socket.send(_DATA + data[start : start + PIECE])

    def _refused(self, words: str) -> PortRefused:
        message = f"port {self._port} of the pod cannot be reached: {words.strip()}"
        return PortRefused(502, "PortForward", message, target=self._target)


@contextlib.asynccontextmanager
async def open_tunnel(http: Http, pod: str, *, namespace: str, port: int) -> AsyncIterator[Tunnel]:
    """One connection to a pod's port. `Forbidden`: the rights are `get` and `create` of pods/portforward."""
    path = PODS.path(pod, namespace=namespace, subresource="portforward")
    async with websocket.connect(http, path, query=[("ports", str(port))], protocols=(V4,)) as socket:
        yield Tunnel(socket, target=http.target("GET", path), port=port)


Opener = Callable[[], AbstractAsyncContextManager[Tunnel]]


class Listener:
    """A port of 127.0.0.1 whose connections go to a pod; `port` is known once it listens. `troubles` gives why a
    connection failed, as it happens."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.troubles: asyncio.Queue[SealaneError] = asyncio.Queue(100)

    @property
    def url(self) -> str:
        """For people and HTTP."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._tasks)

    async def start(self, port: int) -> None:
        """Listen; 0 picks a free port. `PortTaken`."""
        try:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, port)
        except OSError as error:
            raise PortTaken(port) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End the listening and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MOST:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="port-forward: connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; the border of its task, so what fails here ends nothing else."""
        try:
            async with self._opener() as tunnel:
                await _pump(reader, writer, tunnel)
        except SealaneError as error:
            self._tell(error)
        except ConnectionError:
            pass  # the local side went away, which is its right
        except Exception:
            log.exception("a forwarded connection failed")
        finally:
            writer.transport.abort() if writer.transport.is_closing() else writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    def _tell(self, error: SealaneError) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.troubles.put_nowait(error)


@contextlib.asynccontextmanager
async def listening(opener: Opener, *, port: int = 0) -> AsyncIterator[Listener]:
    """A listener for the block's time. `PortTaken`."""
    listener = Listener(opener)
    await listener.start(port)
    try:
        yield listener
    finally:
        await listener.stop()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tunnel: Tunnel) -> None:
    """Bytes both ways until the pod ends, or has been quiet for a while after the local side has."""
    upward = asyncio.create_task(_send(reader, tunnel), name="port-forward: upward")
    try:
        while True:
            data = await _next(tunnel, upward)
            if not data:
                return
            writer.write(data)
            await writer.drain()
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)


async def _next(tunnel: Tunnel, upward: asyncio.Task[None]) -> bytes:
    """What the pod sends next; b"" when nothing more is to be expected. Why writing failed, reading tells better."""
    reading = asyncio.ensure_future(tunnel.read())
    try:
        if not upward.done():
            await asyncio.wait({reading, upward}, return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(QUIET if upward.done() else None):
            return await reading
    except TimeoutError:
        return b""
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _send(reader: asyncio.StreamReader, tunnel: Tunnel) -> None:
    while data := await reader.read(PIECE):
        await tunnel.write(data)
