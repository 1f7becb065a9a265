"""Owning processes: started under a name, logged, ended together, and missed when they die by themselves."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.errors import StartFailed
from rig.processes import Processes, require_free, wait_until


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    owner = Processes(tmp_path)
    yield owner
    owner.stop_all()


def test_what_is_started_runs_logs_and_is_gone_after_stop(processes: Processes) -> None:
    processes.start("talker", ["sh", "-c", "echo hello $WHO; exec sleep 60"], env={"WHO": "you"})
    wait_until("the log", lambda: processes.log("talker").read_bytes() == b"hello you\n", limit=10)
    assert list(processes.running()) == ["talker"]
    processes.stop("talker")
    assert processes.running() == {}


def test_a_name_is_used_once_at_a_time_and_again_after_a_kill(processes: Processes) -> None:
    first = processes.start("one", ["sleep", "60"])
    with pytest.raises(StartFailed, match=f"one already runs as process {first}"):
        processes.start("one", ["sleep", "60"])
    processes.stop("one", how=signal.SIGKILL)
    assert processes.start("one", ["sleep", "60"]) != first


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(processes: Processes) -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    processes.start("deaf", [sys.executable, "-c", program])
    wait_until("it to be deaf", lambda: processes.log("deaf").read_bytes(), limit=10)
    processes.stop("deaf", grace=0.1)
    assert processes.running() == {}


def test_a_program_that_died_is_reported_with_its_last_words(processes: Processes) -> None:
    processes.start("victim", ["sh", "-c", "echo no such flag; exit 7"])

    def has_died() -> bool:
        return not processes.running()

    wait_until("its end", has_died, limit=10)
    with pytest.raises(StartFailed, match="victim ended by itself with 7:\nno such flag"):
        processes.require_alive()


def test_stopping_what_was_never_started_is_no_error(processes: Processes) -> None:
    processes.stop("nobody")


def test_waiting_says_what_for_how_long_and_why_not() -> None:
    def never() -> bool:
        raise OSError("refused")

    with pytest.raises(StartFailed, match=r"the moon: not within 0 s \(last: refused\)"):
        wait_until("the moon", never, limit=0.01, every=0.001)


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"Port {port} on 127.0.0.1 is taken"):
            require_free([port])
    require_free([port])
