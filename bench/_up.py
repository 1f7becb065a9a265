"""A `sealane up` as a benchmark starts it: timed to its ready line, and ended cleanly.

Beside it what an outsider has for the same purpose: any server process, timed until it answers. Both start in a
session of their own, so that whatever they started ends with them and nothing outlives a benchmark.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0


class Up(NamedTuple):
    """A running product. `seconds` went by from the start of its process to its ready line."""

    ready: dict[str, Any]
    seconds: float
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """The console's address without the token."""
        return str(self.ready["console"]).partition("/?")[0]

    @property
    def token(self) -> str:
        """The one-time token that opens the console."""
        return str(self.ready["console"]).partition("token=")[2]


def sealane() -> list[str]:
    """The installed `sealane` beside this Python."""
    script = Path(sys.executable).with_name("sealane")
    return [str(script)] if script.exists() else [sys.executable, "-m", "sealane"]


def environment() -> dict[str, str]:
    """Ours without what would change the product's behaviour; no kubeconfig of the person who measures is read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEALANE_", "MAKE"))}
    return kept | {"KUBECONFIG": os.devnull}


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[Up]:
    """Start `command`, which ends its start-up with the ready line of `up --json`; SIGTERM at the end."""
    pipe = subprocess.PIPE
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=pipe, text=True, cwd=ROOT, env=environment(), start_new_session=True
    ) as process:
        try:
            yield Up(_ready(process), time.perf_counter() - started, process)
        finally:
            end(process)


def arguments(data_dir: Path, *extra: str) -> list[str]:
    """`up`'s own, on free ports and a data directory of its own."""
    return ["--json", "--no-browser", "--port", "0", "--gateway-port", "0", "--data-dir", str(data_dir), *extra]


def end(process: subprocess.Popen[Any]) -> float:
    """SIGTERM to the process alone, as a user's `kill` does; the seconds until it had ended. All killed after ten."""
    started = time.perf_counter()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    return time.perf_counter() - started


def tool(name: str) -> str:
    """A program beside this Python, else on PATH; "" when there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or ""


def _ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    for line in process.stdout:  # make may say something of its own first
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            if "error" in found:
                raise SystemExit(f"{process.args!r}: {found['error']['sentence']}")
            return found
    raise SystemExit(f"{process.args!r} ended with {process.wait()} before its ready line.")
