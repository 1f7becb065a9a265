"""Doors through the wall of the rig's network, for people: one API server each, nothing else.

What listens inside cannot be reached from outside, but a file system is shared. So a small process stays outside,
listens on free ports of 127.0.0.1, and hands every connection to a Unix socket; the rig, inside, hands it on to the
API server. TLS goes through untouched. The outer half ends when the rig does: the pipe between them breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

_FOLDER = "SEALANE_RIG_DOORS"
_PORTS = "ports.json"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[], Awaitable[Streams]]


def open_outside(count: int) -> None:
    """Start the outer half for `count` doors. To be called before `namespace.enter`, which keeps the pipe open."""
    folder = tempfile.mkdtemp(prefix="sealane-doors-")
    read, write = os.pipe()
    os.set_inheritable(write, True)  # through exec: it breaks when the rig's own process ends
    subprocess.Popen(
        [sys.executable, "-m", "rig.doors", folder, str(count)],
        stdin=read,
        start_new_session=True,
        cwd=Path(__file__).parent.parent,
    )
    os.close(read)
    os.environ[_FOLDER] = folder


def open_inside(ports: Sequence[int]) -> list[int]:
    """Connect the doors to `ports` of this network; returns the ports outside, [] when there are no doors."""
    name = os.environ.get(_FOLDER)
    if not name or not (Path(name) / _PORTS).exists():
        return []
    folder = Path(name)
    outside: list[int] = json.loads((folder / _PORTS).read_text())
    threading.Thread(target=lambda: asyncio.run(_inside(folder, ports)), name="rig-doors", daemon=True).start()
    return outside


async def serve_outside(folder: Path, count: int, until: Awaitable[object]) -> None:
    """Listen on `count` free ports and say which in the folder; ends with `until`."""
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                await asyncio.start_server(_hand_on(_to_socket(folder / f"{i}.sock")), "127.0.0.1", 0)
            )
            for i in range(count)
        ]
        scratch = folder / "ports.tmp"
        scratch.write_text(json.dumps([server.sockets[0].getsockname()[1] for server in servers]))
        scratch.rename(folder / _PORTS)
        await until
        for server in servers:
            server.close()


async def serve_inside(folder: Path, ports: Sequence[int]) -> list[asyncio.Server]:
    """Listen on the sockets of the folder, one a port."""
    return [
        await asyncio.start_unix_server(_hand_on(_to_port(port)), folder / f"{i}.sock") for i, port in enumerate(ports)
    ]


async def _inside(folder: Path, ports: Sequence[int]) -> None:
    await serve_inside(folder, ports)
    await asyncio.Event().wait()


def _to_socket(path: Path) -> Open:
    return lambda: asyncio.open_unix_connection(path)


def _to_port(port: int) -> Open:
    return lambda: asyncio.open_connection("127.0.0.1", port)


def _hand_on(onwards: Open) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await onwards()
        except OSError:
            await _close(writer)  # not up yet, or no more: as a closed port would say it
            return
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        await _close(far_writer)
        await _close(writer)

    return serve


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
    except OSError:
        pass  # either side may go at any time; the other is told by the close below
    finally:
        sink.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def main(folder: Path, count: int) -> None:
    """The outer half: lives until its standard input ends."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await serve_outside(folder, count, loop.run_in_executor(None, sys.stdin.buffer.read))

    try:
        asyncio.run(run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
