"""exec and attach: a command in a container's namespaces, or the container's own process, joined to a wire.

A command gets pipes, or a terminal of its own with the size that the client has. When the client leaves, the command is
killed: a real runtime may let it run on, but the rig must leave nothing behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.kubelet.logs import Log, Wish
from rig.kubelet.sandbox import first_process
from rig.kubelet.wires import Wire, refusal, status

_PIECE = 32 * 1024
_JOIN = 5.0  # seconds for the last bytes of an ended command


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the API server asks for."""

    command: Sequence[str] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @property
    def streams(self) -> set[str]:
        """The names of the streams that the client opens."""
        wanted = {"stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr and not self.tty}
        return {"error", *(name for name, wish in wanted.items() if wish), *(("resize",) if self.tty else ())}


@dataclass(frozen=True, kw_only=True)
class Inside:
    """The way into a running container: its first process, its environment, what it writes and reads."""

    process: int
    env: Mapping[str, str]
    log: Log
    stdin: Callable[[bytes], None] | None = None

    def problem(self, program: str) -> str:
        """Why a program cannot be run here, in a runtime's words; "" when it can."""
        root = Path(f"/proc/{self.process}/root")
        folders = [""] if "/" in program else self.env.get("PATH", "").split(":")
        if any(os.access(f"{root}{folder}/{program}", os.X_OK) for folder in folders):
            return ""
        why = "no such file or directory" if "/" in program else "executable file not found in $PATH"
        return (
            "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: "
            f'unable to start container process: exec: "{program}": {why}'
        )

    def start(self, order: Order, *, terminal: int | None) -> subprocess.Popen[bytes]:
        """Start the command; `terminal` is the side of a pty that it is to have."""
        enter = ("nsenter", f"--target={self.process}", "--mount", "--net", "--pid", "--root", "--wd", "--")
        if terminal is None:
            return subprocess.Popen(
                [*enter, *order.command],
                stdin=subprocess.PIPE if order.stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(self.env),
                start_new_session=True,
            )
        env = {"TERM": "xterm", **self.env}
        # The session begins inside: a shell whose process group has no number in its own namespace gives up.
        argv = [*enter, "setsid", "--ctty", *order.command]
        return subprocess.Popen(argv, stdin=terminal, stdout=terminal, stderr=terminal, env=env, start_new_session=True)


class Run:
    """One command and its wire."""

    def __init__(self, inside: Inside, order: Order, wire: Wire) -> None:
        self._inside = inside
        self._order = order
        self._wire = wire
        self._ready = threading.Event()  # every stream is open
        self._started = threading.Event()  # the command runs, or never will
        self._missing = set(order.streams)
        self._write: Callable[[bytes], None] = lambda data: None
        self._end_input: Callable[[], None] = lambda: None
        self._resize: Callable[[bytes], None] = lambda data: None
        self._hang_up: Callable[[], None] = lambda: None

    def serve(self) -> None:
        """Run it to its end; returns when the client has left or was told how it ended."""
        worker = threading.Thread(target=self._work, name="rig-exec", daemon=True)
        worker.start()
        for arrival in self._wire.arrivals():
            self._missing.discard(arrival.name)
            if not self._missing:
                self._ready.set()
            if arrival.name == "stdin" and arrival.headers is None:
                self._started.wait()
                with contextlib.suppress(OSError, ValueError):
                    self._write(arrival.data)
                    if arrival.over:
                        self._end_input()
            elif arrival.name == "resize" and arrival.data:
                self._started.wait()
                self._resize(arrival.data)
        self._ready.set()
        self._started.wait()
        self._hang_up()
        worker.join(_JOIN)
        self._wire.end()

    def _work(self) -> None:
        self._ready.wait(30)
        for name in self._order.streams - {"stdin", "resize"}:
            self._wire.send(name, b"")
        try:
            code = self._command() if self._order.command else self._attach()
        except OSError as error:
            code = refusal(f"failed to start exec: {error}")
        finally:
            self._started.set()
        for name in ("stdout", "stderr"):
            if name in self._order.streams:
                self._wire.send(name, b"", over=True)
        self._wire.send("error", code, over=True)
        self._wire.close()

    def _command(self) -> bytes:
        problem = self._inside.problem(self._order.command[0])
        if problem:
            self._started.set()
            return refusal(problem)
        if self._order.tty:
            return self._with_terminal()
        process = self._inside.start(self._order, terminal=None)
        self._hang_up = lambda: _kill(process)
        if process.stdin is not None:
            sink = process.stdin
            self._write = lambda data: (sink.write(data), sink.flush(), None)[-1]
            self._end_input = sink.close
        self._started.set()
        pumps = [
            self._pump(process.stdout.fileno() if process.stdout else -1, "stdout"),
            self._pump(process.stderr.fileno() if process.stderr else -1, "stderr"),
        ]
        code = process.wait()
        for pump in pumps:
            pump.join(_JOIN)
        for stream in (process.stdout, process.stderr, process.stdin):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        return status(code if code >= 0 else 128 - code)

    def _with_terminal(self) -> bytes:
        ours, theirs = pty.openpty()
        process = self._inside.start(self._order, terminal=theirs)
        os.close(theirs)
        self._hang_up = lambda: _kill(process)
        self._write = lambda data: (os.write(ours, data), None)[-1]
        self._resize = lambda data: _set_size(ours, data)
        self._started.set()
        pump = self._pump(ours, "stdout")
        code = process.wait()
        pump.join(_JOIN)
        os.close(ours)
        return status(code if code >= 0 else 128 - code)

    def _attach(self) -> bytes:
        gone = threading.Event()
        self._hang_up = gone.set
        if self._inside.stdin is not None:
            self._write = self._inside.stdin
        self._started.set()
        for line in self._inside.log.read(Wish(follow=True, tail=0), stopped=gone.is_set):
            self._wire.send("stdout", line)
        return status(0)

    def _pump(self, source: int, name: str) -> threading.Thread:
        def copy() -> None:
            with contextlib.suppress(OSError):  # EIO: the terminal's last user has ended
                while data := os.read(source, _PIECE):
                    self._wire.send(name, data) if name in self._order.streams else None

        thread = threading.Thread(target=copy, name=f"rig-exec-{name}", daemon=True)
        thread.start()
        return thread


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            inner = first_process(process.pid)
            if inner is not None:
                os.kill(inner, signal.SIGKILL)
            os.killpg(process.pid, signal.SIGKILL)


def _set_size(terminal: int, data: bytes) -> None:
    with contextlib.suppress(ValueError, OSError, struct.error):
        wish = json.loads(data)
        size = struct.pack("HHHH", int(wish["Height"]), int(wish["Width"]), 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
