"""Port-forward over WebSocket channels, as the official Python client asks for it: two channels a port, all at once.

Channel 2n carries the bytes of the n-th port that was asked for, 2n+1 its errors; each begins with the port's number
as two bytes, the lower one first. There is one connection a port and no second one.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

from sealane.sandbox.streams import channels
from sealane.sandbox.streams.channels import Framing
from sealane.sandbox.streams.console import first_of
from sealane.sandbox.streams.forward import Dial, Refused
from sealane.sandbox.streams.loopback import Loopback
from sealane.sandbox.streams.websocket import WebSocket


async def serve(socket: WebSocket, framing: Framing, ports: Sequence[int], dial: Dial) -> None:
    """From the handshake until all connections have ended or the client is gone."""
    await socket.accept(framing.name)
    open_: dict[int, Loopback] = {}
    for index, port in enumerate(ports):
        number = struct.pack("<H", port)
        await socket.send(framing.encode(2 * index, number))
        await socket.send(framing.encode(2 * index + 1, number))
        try:
            open_[2 * index] = dial(port)
        except Refused as error:
            await socket.send(framing.encode(2 * index + 1, str(error).encode()))

    async def answering() -> None:
        async with asyncio.TaskGroup() as group:
            for channel, connection in open_.items():
                group.create_task(_answer(socket, framing, channel, connection), name=f"channel {channel}")

    try:
        await first_of(answering, lambda: _feed(socket, framing, open_))
    finally:
        for connection in open_.values():
            await connection.hang_up()
    await socket.close()


async def _answer(socket: WebSocket, framing: Framing, channel: int, connection: Loopback) -> None:
    while data := await connection.read():
        await socket.send(framing.encode(channel, data))


async def _feed(socket: WebSocket, framing: Framing, open_: dict[int, Loopback]) -> None:
    while (message := await socket.receive()) is not None:
        try:
            channel, data = framing.decode(message)
        except channels.BadFrame:
            return
        if channel in open_ and data:
            await open_[channel].feed(data)
