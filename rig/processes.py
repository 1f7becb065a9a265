"""One owner for every program that the rig starts: named, logged, and ended together.

A control plane is many processes that must not outlive their cluster, and fault tests kill and start them one by one.
So each is started here under a name, writes to a log file of that name, and is stopped through the same name; a
program that died by itself is reported with the end of its log, which is where the reason stands.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rig.errors import StartFailed

_GRACE = 2.0  # seconds: a kube-apiserver that is asked nicely may take a minute


class Processes:
    """The children of one cluster. Safe to use from several threads."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        logs.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        """Where `name` writes what it has to say."""
        return self._logs / f"{name}.log"

    def start(self, name: str, argv: Iterable[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        """Start a program under `name`; its output is appended to its log. Returns the process id."""
        with self._lock, self.log(name).open("ab") as log:
            if name in self._running and self._running[name].poll() is None:
                raise StartFailed(f"{name} already runs as process {self._running[name].pid}.")
            process = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
            self._running[name] = process
        return process.pid

    def stop(self, name: str, *, how: signal.Signals = signal.SIGTERM, grace: float = _GRACE) -> None:
        """End `name` and wait for it; SIGKILL follows after `grace` seconds. Unknown names are no error."""
        with self._lock:
            process = self._running.pop(name, None)
        if process is not None:
            _end([process], how=how, grace=grace)

    def stop_all(self) -> None:
        """End everything at once, within the grace of the slowest."""
        with self._lock:
            processes = list(self._running.values())
            self._running.clear()
        _end(processes, how=signal.SIGTERM, grace=_GRACE)

    def running(self) -> dict[str, int]:
        """Process ids of what runs now, by name."""
        with self._lock:
            return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def require_alive(self) -> None:
        """Raise StartFailed, with the end of the log, when a program died by itself."""
        with self._lock:
            dead = {name: p.returncode for name, p in self._running.items() if p.poll() is not None}
        for name, code in dead.items():
            tail = b"\n".join(self.log(name).read_bytes().splitlines()[-8:]).decode(errors="replace")
            raise StartFailed(f"{name} ended by itself with {code}:\n{tail}")


def wait_until(what: str, probe: Callable[[], object], *, limit: float = 60.0, every: float = 0.05) -> None:
    """Call `probe` until it gives something true; OSError and RigError count as "not yet".

    Raises StartFailed, with the last error, after `limit` seconds.
    """
    last: Exception | None = None
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if probe():
                return
        except (OSError, LookupError, http.client.HTTPException) as error:
            last = error
        time.sleep(every)
    raise StartFailed(f"{what}: not within {limit:.0f} s" + (f" (last: {last})" if last else "") + ".")


def require_free(ports: Iterable[int], *, host: str = "127.0.0.1") -> None:
    """Raise StartFailed when a port is taken: a leftover etcd would silently serve another run's data."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise StartFailed(f"Port {port} on {host} is taken: {error.strerror}.") from error


def _end(processes: list[subprocess.Popen[bytes]], *, how: signal.Signals, grace: float) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(how)
    end = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
