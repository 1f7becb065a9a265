"""Exec and attach over WebSocket channels: frames in and out around one process, and the Status at its end."""

from __future__ import annotations

from sealane.sandbox.streams import channels, console, outcome
from sealane.sandbox.streams.channels import Framing
from sealane.sandbox.streams.console import Console, Process, Wanted
from sealane.sandbox.streams.websocket import WebSocket

_NUMBERS = {"stdout": channels.STDOUT, "stderr": channels.STDERR}


async def serve(socket: WebSocket, framing: Framing, process: Process | outcome.NoContainer, wanted: Wanted) -> None:
    """From the handshake to the end: the process has ended, or the client is gone (which ends the process)."""
    await socket.accept(framing.name)

    async def send(stream: str, data: bytes) -> None:
        await socket.send(framing.encode(_NUMBERS[stream], data))

    first = channels.STDOUT if wanted.stdout else channels.STDERR if wanted.stderr else channels.ERROR
    await socket.send(framing.encode(first, b""))  # how a client learns that the connection stands
    if isinstance(process, outcome.NoContainer):
        status: bytes | None = outcome.internal(f"unable to upgrade connection: {process}")
    else:
        ours, running = Console(wanted, send), process

        async def working() -> bytes:
            return await console.run(running, ours, wanted, translated=framing.closes)

        status = await console.first_of(working, lambda: _feed(socket, framing, ours))
    if status is not None:
        await socket.send(framing.encode(channels.ERROR, status))
    await socket.close()


async def _feed(socket: WebSocket, framing: Framing, to: Console) -> None:
    """Carry messages to the process until the client is gone."""
    while (message := await socket.receive()) is not None:
        try:
            channel, data = framing.decode(message)
        except channels.BadFrame:
            return
        if channel == channels.STDIN:
            await to.feed(data)
        elif channel == channels.RESIZE:
            to.resize(data)
        elif channel == channels.CLOSE and framing.closes and data[:1] == b"\0":
            await to.end_input()
