"""One whole sandbox in a process of its own for all tests of these folders, and kubectl to talk to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Process:
    """A sandbox in a process of its own, and kubectl to talk to it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "sealane.sandbox", "--dir", str(folder), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.kubeconfig = self.ready["kubeconfig"]

    def kubectl(self, *arguments: str, stdin: str = "", fails: bool = False, user: str = "") -> str:
        """What kubectl prints; asserts that it ends well, or not."""
        config = f"{self.kubeconfig}-{user}" if user else self.kubeconfig
        environment = os.environ | {"KUBECONFIG": config, "KUBECTL_EXTERNAL_DIFF": "diff -u", "HOME": str(self.folder)}
        done = subprocess.run(
            [kubectl_path(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env=environment,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, said
        return said

    def start_kubectl(self, *arguments: str) -> subprocess.Popen[str]:
        """A kubectl that goes on running; end it yourself."""
        environment = os.environ | {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)}
        return subprocess.Popen([kubectl_path(), *arguments], stdout=subprocess.PIPE, text=True, env=environment)

    def stop(self) -> int:
        """Ask it to end, and wait."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def kubectl_path() -> str:
    """kubectl of the environment that runs the tests, else the machine's."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if not found:
        pytest.skip("kubectl is not installed")
    return found


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The whole sandbox, fast, shared by all tests of a session: use names of your own."""
    running = Process(tmp_path_factory.mktemp("sandbox"), "--speed", "200")
    yield running
    running.stop()


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start sandboxes in one folder, one after another; all are ended."""
    started: list[Process] = []

    def start(*options: str) -> Process:
        started.append(Process(tmp_path / "sandbox", *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()
