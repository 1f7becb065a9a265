"""Port-forward over SPDY without a socket: one slow or half-opened connection is no trouble of the others."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from sealane.sandbox.streams.forward import Forwarder
from sealane.sandbox.streams.loopback import Loopback
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data


class Port:
    """A port of a pod: port 1 takes no input until it hangs up, every other gives its input back."""

    def __init__(self, port: int, over: asyncio.Event) -> None:
        self._stuck = port == 1
        self._over = over
        self._back: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        if self._stuck:
            await self._over.wait()
            return b""
        return await self._back.get()

    async def feed(self, data: bytes) -> None:
        if self._stuck:
            await asyncio.Event().wait()
        self._back.put_nowait(data)

    def close(self) -> None:
        self._back.put_nowait(b"")

    async def hang_up(self) -> None:
        self.close()


class Client:
    """The other end, on a queue."""

    def __init__(self) -> None:
        self.session = Session(server=False)
        self.got: dict[int, bytes] = {}
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return await self._sent.get()

    async def write(self, data: bytes) -> None:
        for event in self.session.receive(data):
            if isinstance(event, Data):
                self.got[event.stream] = self.got.get(event.stream, b"") + event.data

    async def close(self) -> None:
        pass

    def open(self, kind: str, port: int, identity: str) -> int:
        number = self.session.open((("streamtype", kind), ("port", str(port)), ("requestid", identity)))
        self.flush()
        return number

    def connect(self, port: int, identity: str) -> int:
        self.open("error", port, identity)
        return self.open("data", port, identity)

    def flush(self, data: bytes | None = None) -> None:
        self._sent.put_nowait(self.session.outgoing() if data is None else data)


async def turns() -> None:
    for _ in range(300):
        await asyncio.sleep(0)


def forwarder(client: Client, over: asyncio.Event) -> Forwarder:
    def dial(port: int) -> Any:
        return cast(Loopback, Port(port, over))

    return Forwarder(client, dial)


async def test_a_port_that_ends_with_its_input_unread_lets_the_others_go_on() -> None:
    client, over = Client(), asyncio.Event()
    serving = asyncio.create_task(forwarder(client, over).serve())
    stuck, other = client.connect(1, "a"), client.connect(2, "b")
    for _ in range(100):
        client.session.send(stuck, b"x")
        client.flush()
    client.session.send(other, b"hello")
    client.flush()
    await turns()
    assert other not in client.got
    over.set()
    await turns()
    assert client.got[other] == b"hello"
    client.flush(b"")
    await asyncio.wait_for(serving, 5)


async def test_halves_that_are_taken_back_leave_nothing_behind() -> None:
    client = Client()
    ours = forwarder(client, asyncio.Event())
    serving = asyncio.create_task(ours.serve())
    for number in range(50):
        client.session.reset(client.open("error", 2, f"half-{number}"))
        client.flush()
    await turns()
    assert not ours._pairs
    client.flush(b"")
    await asyncio.wait_for(serving, 5)
