"""`python -m sealane.sandbox`: run the simulated clusters until told to stop, or until the parent is gone.

Prints one line of JSON when everything answers; says everything else on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from sealane.sandbox.listener import PortTaken
from sealane.sandbox.server import FolderInUse, Sandbox, Settings, only_one

_STOP_SECONDS = 1.5


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sealane.sandbox", description="Simulated Kubernetes clusters.")
    parser.add_argument("--dir", required=True, type=Path, help="folder for certificates, kubeconfig and snapshots")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per real second")
    parser.add_argument("--parent", type=int, default=0, help="end when this process ends")
    parser.add_argument("--port-base", type=int, default=0, help="first of three ports; free ones if left out")
    parser.add_argument("--fresh", action="store_true", help="begin without what the last run left")
    parser.add_argument("--bare", action="store_true", help="API servers alone: no controllers, no kubelets")
    parser.add_argument("--verbose", action="store_true", help="say more on standard error")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if given.verbose else logging.WARNING, format="sandbox: %(message)s")
    if given.speed <= 0:
        parser.error(f"--speed must be above 0, not {given.speed:g}")
    settings = Settings(
        folder=given.dir.absolute(), speed=given.speed, port_base=given.port_base, fresh=given.fresh,
        world=not given.bare,
    )  # fmt: skip
    try:
        with only_one(settings.folder):
            asyncio.run(_run(settings, parent=given.parent))
    except (FolderInUse, PortTaken, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


async def _run(settings: Settings, *, parent: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sandbox = Sandbox(settings)
    await sandbox.start()
    with _watched(parent, stop):
        work = asyncio.create_task(sandbox.run(), name="sandbox")
        ending = asyncio.create_task(stop.wait(), name="stop")
        settled = asyncio.create_task(sandbox.settled(), name="settled")
        await asyncio.wait({work, ending, settled}, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        if not work.done() and not stop.is_set():
            sys.stdout.write(sandbox.ready_line() + "\n")
            sys.stdout.flush()
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
        failed = work.done() and not stop.is_set()
        ending.cancel()
        work.cancel()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.gather(work, return_exceptions=True)
        await sandbox.stop()
        if failed:
            work.result()


@contextlib.contextmanager
def _watched(parent: int, stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` when the process `parent` (0: none) ends."""
    if not parent:
        yield
        return
    loop = asyncio.get_running_loop()
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(parent)
        except ProcessLookupError:
            stop.set()
            yield
            return
        except OSError:
            descriptor = -1
        if descriptor >= 0:
            loop.add_reader(descriptor, stop.set)
            try:
                yield
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
            return
    polling = asyncio.create_task(_poll(parent, stop), name="parent")
    try:
        yield
    finally:
        polling.cancel()


async def _poll(parent: int, stop: asyncio.Event) -> None:
    """Where there are no process descriptors: look once a second."""
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            stop.set()
            return
        except PermissionError:
            pass
        await asyncio.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
