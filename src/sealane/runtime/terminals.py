"""This computer's side of `sealane exec`: keyboard, screen and window size, joined to a command in a container.

With a terminal the local one goes raw, so that Ctrl-C, tab and arrows reach the command, and is given back as it was
whatever happens. Input is read by a thread that nobody waits for, because a read from a terminal cannot be called off;
it reads on only when what it read was sent, so a large file is never held.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from sealane.kube.exec import InputCannotEnd, Terminal
from sealane.lib.errors import SealaneError

PIECE = 32 * 1024
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
Notice = Callable[[str], None]


async def join(terminal: Terminal, *, stdin: bool, tty: bool, notice: Notice) -> int:
    """Carry bytes until the command ends; its exit code. Raises what `Terminal` raises."""
    with contextlib.ExitStack() as stack:
        if tty:
            stack.enter_context(_raw())
            stack.enter_context(_resizing(terminal))
        sending = asyncio.create_task(_send(terminal, notice), name="exec: input") if stdin else None
        try:
            shown = {name: _shown(stream, tty=tty) for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr))}
            async for output in terminal:
                shown[output.stream](output.data)
            return await terminal.exit_code()
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


def _shown(stream: TextIO, *, tty: bool) -> Callable[[bytes], None]:
    """Writes bytes as they are to files, pipes and for `--tty`; a terminal that nobody lent to the command is not to be
    commanded by it, so control characters (but those of lines) are shown as what they are not."""
    raw = stream.buffer
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    plain = tty or not stream.isatty()

    def write(data: bytes) -> None:
        text = data if plain else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", decoder.decode(data)).encode()
        raw.write(text)
        raw.flush()

    return write


def is_terminal() -> bool:
    """Whether somebody types here."""
    return sys.stdin is not None and sys.stdin.isatty()


async def _send(terminal: Terminal, notice: Notice) -> None:
    """What is typed or piped, to its end."""
    pieces = _pieces()
    try:
        while piece := await pieces.get():
            await terminal.write(piece)
        await terminal.close_input()
    except InputCannotEnd as error:
        notice(error.sentence)
    except SealaneError:
        pass  # the command has ended or the connection broke: whoever reads its output says so


def _pieces() -> asyncio.Queue[bytes]:
    """Standard input as a queue of one, filled by a thread of its own; b"" is its end."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(1)
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(RuntimeError, OSError):  # the loop has ended, or the terminal went away
            while True:
                data = os.read(0, PIECE)
                asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
                if not data:
                    return

    threading.Thread(target=read, name="exec: keyboard", daemon=True).start()
    return queue


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """The local terminal in raw mode, and back."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resizing(terminal: Terminal) -> Iterator[None]:
    """Tell the size now and whenever it changes."""
    loop = asyncio.get_running_loop()
    telling: set[asyncio.Task[None]] = set()

    async def tell() -> None:
        size = shutil.get_terminal_size()
        with contextlib.suppress(SealaneError):
            await terminal.resize(size.columns, size.lines)

    def changed() -> None:
        task = loop.create_task(tell(), name="exec: size")
        telling.add(task)
        task.add_done_callback(telling.discard)

    loop.add_signal_handler(signal.SIGWINCH, changed)
    changed()
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        for task in telling:
            task.cancel()
