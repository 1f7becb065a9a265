"""This computer's side of a command: its outputs by stream, its exit code, and input that ends."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import cast

import pytest

from sealane.kube.errors import Target
from sealane.kube.exec import InputCannotEnd, Output, Terminal
from sealane.runtime import terminals


class FakeTerminal:
    """A command that writes `outputs` once its input has ended, or at once."""

    def __init__(self, *outputs: Output, waits: bool = False, version: int = 5) -> None:
        self.outputs = list(outputs)
        self.written = b""
        self.closed = asyncio.Event()
        if not waits:
            self.closed.set()
        self._version = version

    def __aiter__(self) -> FakeTerminal:
        return self

    async def __anext__(self) -> Output:
        await self.closed.wait()
        if not self.outputs:
            raise StopAsyncIteration
        return self.outputs.pop(0)

    async def exit_code(self) -> int:
        return 7

    async def write(self, data: bytes) -> None:
        self.written += data

    async def close_input(self) -> None:
        self.closed.set()
        if self._version < 5:
            raise InputCannotEnd(Target(context="test", server=""))


@contextmanager
def typed(data: bytes) -> Iterator[None]:
    """Standard input that says `data` and ends."""
    before = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


async def test_outputs_go_where_they_belong_and_the_exit_code_comes_back(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    fake = FakeTerminal(Output("stdout", b"\xffout"), Output("stderr", b"err"))
    code = await terminals.join(cast(Terminal, fake), stdin=False, tty=False, notice=pytest.fail)
    assert code == 7
    assert capfdbinary.readouterr() == (b"\xffout", b"err")


@pytest.mark.parametrize("tty", [False, True])
async def test_only_a_terminal_that_was_lent_is_commanded(monkeypatch: pytest.MonkeyPatch, tty: bool) -> None:
    class Screen(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    seen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", Screen(seen))
    monkeypatch.setattr(terminals, "_raw", nullcontext)
    monkeypatch.setattr(terminals, "_resizing", nullcontext)
    pieces = [b"\x1b", b"[2Jred\t\xc3", b"\xa9\xc2", b"\x9b1m\r\n"]
    fake = FakeTerminal(*(Output("stdout", piece) for piece in pieces))
    await terminals.join(cast(Terminal, fake), stdin=False, tty=tty, notice=pytest.fail)
    wanted = b"".join(pieces) if tty else "\ufffd[2Jred\t\u00e9\ufffd1m\r\n".encode()
    assert seen.getvalue() == wanted


async def test_input_is_sent_to_its_end(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    fake = FakeTerminal(Output("stdout", b"done"), waits=True)
    with typed(b"x" * 50_000):
        async with asyncio.timeout(10):
            assert await terminals.join(cast(Terminal, fake), stdin=True, tty=False, notice=pytest.fail) == 7
    assert fake.written == b"x" * 50_000
    assert capfdbinary.readouterr().out == b"done"


async def test_an_input_whose_end_cannot_be_said_is_noticed() -> None:
    fake = FakeTerminal(waits=True, version=4)
    notices: list[str] = []
    with typed(b"x"):
        async with asyncio.timeout(10):
            await terminals.join(cast(Terminal, fake), stdin=True, tty=False, notice=notices.append)
    assert [notice.startswith("test: this cluster (protocol v4.channel.k8s.io)") for notice in notices] == [True]
