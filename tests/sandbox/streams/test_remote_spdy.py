"""Exec over SPDY without a socket: streams by name, input, the terminal's size, the Status, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sealane.sandbox.streams.console import Console, Process, Wanted
from sealane.sandbox.streams.outcome import CannotStart
from sealane.sandbox.streams.remote_spdy import Remote
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data, RstStream

ALL = Wanted(stdin=True, stdout=True, stderr=True, command=("x",))
TERMINAL = Wanted(stdin=True, stdout=True, tty=True, command=("x",))


class Client:
    """A SPDY client on two queues: the other end of the stream that a `Remote` serves."""

    def __init__(self) -> None:
        self.session = Session(server=False)
        self.streams: dict[str, int] = {}
        self.got: dict[int, bytearray] = {}
        self.refused: list[int] = []
        self.closed = False
        self._to_server: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return await self._to_server.get()

    async def write(self, data: bytes) -> None:
        for event in self.session.receive(data):
            if isinstance(event, Data):
                self.got.setdefault(event.stream, bytearray()).extend(event.data)
            elif isinstance(event, RstStream):
                self.refused.append(event.stream)

    async def close(self) -> None:
        self.closed = True

    def open(self, *names: str) -> None:
        for name in names:
            self.streams[name] = self.session.open((("streamtype", name),))
        self.flush()

    def send(self, name: str, data: bytes, *, fin: bool = False) -> None:
        self.session.send(self.streams[name], data, fin=fin)
        self.flush()

    def flush(self) -> None:
        self._to_server.put_nowait(self.session.outgoing())

    def raw(self, data: bytes) -> None:
        self._to_server.put_nowait(data)

    def said(self, name: str) -> bytes:
        return bytes(self.got.get(self.streams[name], b""))

    @property
    def status(self) -> Any:
        return json.loads(self.said("error"))


Serve = Callable[[Process, Wanted], asyncio.Task[None]]


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
async def serve(client: Client) -> AsyncIterator[Serve]:
    """Serve a process to the client; the task ends with it."""
    tasks: list[asyncio.Task[None]] = []

    def begin(process: Process, wanted: Wanted) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(Remote(client, process, wanted).serve()))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def echo(console: Console) -> int:
    """Gives its input back, its end as an error, and ends with 3."""
    while data := await console.read():
        await console.out(data)
    await console.err(b"ended")
    return 3


async def hang(console: Console) -> int:
    await asyncio.Event().wait()
    return 0


async def test_input_comes_back_and_the_status_says_the_exit_code(client: Client, serve: Serve) -> None:
    served = serve(echo, ALL)
    client.open("error", "stdin", "stdout", "stderr")
    client.send("stdin", b"typed ")
    client.send("stdin", b"twice", fin=True)
    await asyncio.wait_for(served, 5)
    assert (client.said("stdout"), client.said("stderr")) == (b"typed twice", b"ended")
    assert client.status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert client.closed


async def test_nothing_runs_before_every_stream_is_there(client: Client, serve: Serve) -> None:
    begun = asyncio.Event()

    async def process(console: Console) -> int:
        begun.set()
        return 0

    served = serve(process, ALL)
    client.open("error", "stdin", "stdout")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not begun.is_set()
    client.open("stderr")
    await asyncio.wait_for(served, 5)
    assert client.status["status"] == "Success"


async def test_a_terminal_has_a_size_and_one_output(client: Client, serve: Serve) -> None:
    async def process(console: Console) -> int:
        await console.read()
        await console.err(f"{console.size}".encode())
        return 0

    served = serve(process, TERMINAL)
    client.open("error", "stdin", "stdout", "resize")
    client.send("resize", b'{"Width": 120, "Height": 40}')
    client.send("stdin", b"\r")
    await asyncio.wait_for(served, 5)
    assert client.said("stdout") == b"(120, 40)"


async def test_a_stream_of_no_such_name_or_asked_for_twice_is_refused_alone(client: Client, serve: Serve) -> None:
    served = serve(echo, ALL)
    client.open("error", "stdin", "stdout")
    wrong = [client.session.open((("streamtype", name),)) for name in ("nonsense", "stdout")]
    client.flush()
    client.open("stderr")
    client.send("stdin", b"x", fin=True)
    await asyncio.wait_for(served, 5)
    assert client.refused == wrong
    assert client.said("stdout") == b"x"


async def test_a_program_that_cannot_start_is_an_internal_error_in_the_kubelets_words(
    client: Client, serve: Serve
) -> None:
    async def process(console: Console) -> int:
        raise CannotStart("no such program")

    served = serve(process, ALL)
    client.open("error", "stdin", "stdout", "stderr")
    await asyncio.wait_for(served, 5)
    assert client.status["reason"] == "InternalError"
    assert client.status["message"] == (
        "Internal error occurred: error executing command in container: no such program"
    )


@pytest.mark.parametrize("way", ["gone", "going", "reset", "nonsense"])
async def test_a_client_that_leaves_ends_the_process(client: Client, serve: Serve, way: str) -> None:
    served = serve(hang, ALL)
    client.open("error", "stdin", "stdout", "stderr")
    if way == "gone":
        client.raw(b"")
    elif way == "nonsense":
        client.raw(b"\x80\x02\x00\x01\x00\x00\x00\x00")  # version 2
    elif way == "going":
        client.session.go_away()
        client.flush()
    else:
        client.session.reset(client.streams["stdout"])
        client.flush()
    await asyncio.wait_for(served, 5)
    assert client.closed
    assert client.said("error") == b""
