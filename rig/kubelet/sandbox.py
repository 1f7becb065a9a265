"""A pod's sandbox: its own network and, for each container, its own root folder and process tree.

With a network of its own a pod may listen on 0.0.0.0 and talk to itself on localhost like anywhere else, so manifests
run here unchanged. With a root folder of its own a container sees `/models` where its manifest mounts it. Both come
from util-linux alone. Addresses are never used twice in a run: a stale neighbour entry would eat the first packets.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import namespace
from rig.errors import StartFailed

PROGRAMS = "/opt/rig/bin"
AUTHORITY = "/opt/rig/ca.crt"
SEARCH_PATH = f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_ENTRY = Path(__file__).with_name("enter.sh")


class AddressPool:
    """The pod addresses of cluster `index`: 10.(200+index).1.1 onwards."""

    def __init__(self, index: int) -> None:
        self.gateway = f"10.{200 + index}.0.1"
        self._index = index
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def take(self) -> tuple[int, str]:
        """A number for naming devices, and an address that nobody had before."""
        with self._lock:
            number = next(self._numbers)
        if number >= 250 * 250:
            raise StartFailed(f"Cluster {self._index} has used up its {250 * 250} pod addresses.")
        return number, f"10.{200 + self._index}.{1 + number // 250}.{1 + number % 250}"


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of this machine, and where the container sees it."""

    source: Path
    target: str
    read_only: bool = False


class Sandbox:
    """One pod's network. Containers are run in it with `run`; `close` ends whatever is left."""

    def __init__(self, pool: AddressPool, *, index: int) -> None:
        number, self.address = pool.take()
        self._pause = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "echo; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._pause.stdout is not None
        self._pause.stdout.readline()  # the namespace is there once it has spoken
        self._connect(f"v{index}-{number}", pool.gateway)

    def run(
        self,
        argv: Sequence[str],
        *,
        root: Path,
        mounts: Sequence[Mount],
        env: Mapping[str, str],
        folder: str = "/",
        stdin: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a container; its output comes through `stdout`. `root` is an empty folder of its own."""
        root.mkdir(parents=True, exist_ok=True)
        binds = [f"{'ro' if m.read_only else 'rw'}:{m.source}:{m.target}" for m in mounts]
        inner = ["sh", str(_ENTRY), str(root), folder, str(len(binds)), *binds, *argv]
        return subprocess.Popen(
            [
                *("nsenter", f"--net=/proc/{self._pause.pid}/ns/net", "--"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--", *inner),
            ],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
        )

    @property
    def network(self) -> int:
        """A process in the pod's network."""
        return self._pause.pid

    def close(self) -> None:
        """Take the network away."""
        self._pause.kill()
        self._pause.wait()
        if self._pause.stdout is not None:
            self._pause.stdout.close()

    def _connect(self, device: str, gateway: str) -> None:
        """A cable from the rig's bridge to the pod's eth0."""
        pid = str(self._pause.pid)
        inside = (
            f"ip link set lo up && ip addr add {self.address}/16 dev eth0 && ip link set eth0 up"
            f" && ip route add default via {gateway}"
        )
        cable = f"ip link add {device} type veth peer name eth0 netns {pid}"
        plug = f"ip link set {device} master {namespace.BRIDGE} up"
        script = f"{cable} && {plug} && exec nsenter --net=/proc/{pid}/ns/net sh -c '{inside}'"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        if done.returncode:
            self.close()
            raise StartFailed(f"No network for the pod at {self.address}: {done.stderr.strip()}.")


def end(process: subprocess.Popen[bytes], *, grace: float, how: signal.Signals = signal.SIGTERM) -> None:
    """SIGTERM (or `how`) to the container's first process, SIGKILL to its whole tree after `grace` seconds, and wait.

    As in any container, a first process that installs no handler does not notice SIGTERM.
    """
    child = first_process(process.pid)
    if child is not None and process.poll() is None:
        try:
            os.kill(child, how)
            process.wait(grace)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
    if process.poll() is None:
        process.kill()  # --kill-child takes the tree along
    process.wait()


def first_process(launcher: int) -> int | None:
    """The process that the launcher forked, which is number 1 in there; a launcher still starting gets a moment."""
    for _ in range(20):
        try:
            children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
        except OSError:
            return None
        if children:
            return int(children[0])
        time.sleep(0.01)
    return None


def execute(process: subprocess.Popen[bytes], argv: Sequence[str], *, env: Mapping[str, str], limit: float) -> bool:
    """Run a command inside a container and say whether it ended with 0; raises TimeoutExpired."""
    child = first_process(process.pid)
    if child is None:
        return False
    inside = ["nsenter", f"--target={child}", "--mount", "--net", "--root", "--", *argv]
    done = subprocess.run(inside, env=dict(env), timeout=limit, capture_output=True, check=False)
    return done.returncode == 0
