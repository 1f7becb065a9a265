"""What containers say: kept line by line with the time of each, and served the way `kubectl logs` asks for it.

The runtime's format is kept on disk (time, space, text), because `--timestamps`, `--since` and `--tail` are answered
from it. Following ends when the container has ended and everything has been sent.
"""

from __future__ import annotations

import datetime
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_POLL = 0.05


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a reader wants; None is "all of it". `since` is an aware time."""

    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: datetime.datetime | None = None


class Log:
    """The log of one run of a container. `done` says that nothing more will come."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.path = path
        self.done = threading.Event()

    def collect(self, process: subprocess.Popen[bytes]) -> threading.Thread:
        """Copy the output of `process` in a thread of its own until it ends."""

        def copy() -> None:
            assert process.stdout is not None
            try:
                with process.stdout, self.path.open("ab", buffering=0) as sink:
                    for line in process.stdout:
                        sink.write(_now() + b" " + (line if line.endswith(b"\n") else line + b"\n"))
            finally:
                self.done.set()

        thread = threading.Thread(target=copy, name=f"rig-log-{self.path.name}", daemon=True)
        thread.start()
        return thread

    def read(self, wish: Wish, *, stopped: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Whole lines as they come; ends when the container does, or when `stopped`."""
        with self.path.open("rb") as source:
            for line in _last(source.readlines(), wish):
                yield line
            rest = b""
            while wish.follow and not stopped():
                finished = self.done.is_set()
                rest += source.read()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield _shown(line + b"\n", wish)
                if finished:
                    return
                if not lines:
                    time.sleep(_POLL)


def _last(lines: list[bytes], wish: Wish) -> list[bytes]:
    if wish.since is not None:
        start = wish.since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode()
        lines = [line for line in lines if line[: len(start)] >= start]
    if wish.tail is not None:
        lines = lines[-wish.tail :] if wish.tail else []
    return [_shown(line, wish) for line in lines]


def _shown(line: bytes, wish: Wish) -> bytes:
    return line if wish.timestamps else line.split(b" ", 1)[-1]


def _now() -> bytes:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
