"""A running `sealane up` as a user starts it: its ready line, its command line, and a clean end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SEALANE = [sys.executable, "-m", "sealane"]
SPEED = 20


class Product:
    """A running `up`: its ready line, and the command line on its data directory."""

    def __init__(self, process: subprocess.Popen[str], ready: dict, data_dir: Path, env: dict[str, str]) -> None:
        self.env = env
        self.process = process
        self.ready = ready
        self.data_dir = data_dir

    @property
    def console(self) -> str:
        return self.ready["console"].partition("/?")[0]

    @property
    def token(self) -> str:
        return self.ready["console"].partition("token=")[2]

    def run(self, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """One command on this product's data directory."""
        command = [*SEALANE, args[0], *args[1:], "--data-dir", str(self.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=self.env)

    def json(self, *args: str, code: int = 0, timeout: float = 60):
        """The last JSON value that a command printed; its exit code must be `code`."""
        outcome = self.run(*args, "--json", timeout=timeout)
        assert outcome.returncode == code, outcome.stdout + outcome.stderr
        return json.loads(outcome.stdout.strip().splitlines()[-1])


def environment(**extra: str) -> dict[str, str]:
    """This process's variables without Sealane's own, and without a kubeconfig unless one is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALANE_")}
    return {**kept, "KUBECONFIG": "/nonexistent/config", **extra}


@contextlib.contextmanager
def product(data_dir: Path, *extra: str, **variables: str) -> Iterator[Product]:
    """`sealane up` until the block ends; then SIGTERM, exit 0 within 5 s, nothing left."""
    command = [*SEALANE, "up", "--json", "--port", "0", "--gateway-port", "0", "--speed", str(SPEED)]
    command += ["--data-dir", str(data_dir), *extra]
    pipe, env = subprocess.PIPE, environment(**variables)
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, process.stderr.read() if process.stderr else "no stderr"
            yield Product(process, json.loads(line), data_dir, env)
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0, process.stderr.read() if process.stderr else ""
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(5)
