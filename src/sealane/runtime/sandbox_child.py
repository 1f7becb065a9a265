"""The sandbox as a child process: started, waited for with a limit, ended with us.

It is reached over HTTPS only, with the kubeconfig that it writes, as any cluster would be. When `up` dies without a
word the child notices that its parent is gone and ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import msgspec

from sealane.lib.errors import Evidence, NextStep, SealaneError

_LOG = logging.getLogger(__name__)

READY_LIMIT = 30.0
STOP_LIMIT = 3.0


class SandboxFailed(SealaneError):
    """The sandbox did not come up."""

    code = "sandbox-failed"
    http_status = 500


class SandboxReady(msgspec.Struct, frozen=True):
    """What the sandbox says when it is ready: a kubeconfig with one context a cluster."""

    kubeconfig: str
    clusters: tuple[str, ...]


@contextlib.asynccontextmanager
async def sandbox(
    directory: Path, *, speed: float = 1.0, on_death: Callable[[], None] = lambda: None
) -> AsyncIterator[SandboxReady]:
    """Run the sandbox for as long as the context is open. Raises SandboxFailed when it is not ready in 30 s.

    `on_death` is called when it ends by itself afterwards: killed, or failed.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = directory / "sandbox.log"
    with log.open("wb") as log_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sealane.sandbox",
            *("--dir", str(directory), "--speed", f"{speed:g}", "--parent", str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
        )
    watch: asyncio.Task[None] | None = None
    try:
        ready = await _ready(process, log)
        watch = asyncio.create_task(_watch(process, on_death), name="watch the sandbox")
        yield ready
    finally:
        if watch is not None:
            watch.cancel()
        await _stop(process)


async def _watch(process: asyncio.subprocess.Process, on_death: Callable[[], None]) -> None:
    await process.wait()
    _LOG.warning("the sandbox ended by itself (exit %s); it is started again", process.returncode)
    on_death()


async def _ready(process: asyncio.subprocess.Process, log: Path) -> SandboxReady:
    stdout = cast(asyncio.StreamReader, process.stdout)
    try:
        line = await asyncio.wait_for(stdout.readline(), READY_LIMIT)
        return msgspec.json.decode(line, type=SandboxReady)
    except (TimeoutError, msgspec.DecodeError) as error:
        raise _failed(log) from error


def _failed(log: Path) -> SandboxFailed:
    lines = log.read_text(errors="replace").strip().splitlines()
    return SandboxFailed(
        f"The sandbox was not ready within {READY_LIMIT:.0f} s.",
        evidence=(Evidence(label="its last line", value=lines[-1] if lines else "it wrote nothing"),),
        next_steps=(
            NextStep(title="Read its log", command=f"less {log}"),
            NextStep(title="Begin the sandbox anew", command=f"rm -r {log.parent}"),
        ),
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
