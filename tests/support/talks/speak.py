"""Says the lines of a scene to one cluster through the real kubectl, and hears code, output and errors."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from talks import normal
from talks.script import Line, Scene

_LIMIT = 60.0  # seconds that one command may take, and that a wait may last


@dataclass(frozen=True, kw_only=True)
class Said:
    """What kubectl answered, made comparable: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One cluster. `home` keeps kubectl's caches and scratch files; `nodes` are the names that are its own."""

    kubectl: str
    kubeconfig: str
    context: str
    home: Path
    nodes: tuple[str, ...]

    def run(self, *words: str, stdin: str = "") -> Said:
        """One kubectl command, its output as it came."""
        environment = {
            **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
            "KUBECONFIG": self.kubeconfig,
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "KUBECTL_EXTERNAL_DIFF": "diff -u",
            "TZ": "UTC",
        }
        done = subprocess.run(
            [self.kubectl, "--context", self.context, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            env=environment,
            check=False,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def kubectl_path() -> str:
    """kubectl of the environment that runs the tests (its version is pinned), else the machine's; "" for none."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl") or ""


def node_names(listener: Listener) -> tuple[str, ...]:
    """The names of the cluster's nodes."""
    return tuple(listener.run("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").out.split())


def hold(scene: Scene, listener: Listener) -> dict[str, Said]:
    """The whole scene in a namespace of its own: what was said to each compared line, normalised."""
    with _stage(scene, listener):
        return {line.id: said for line in scene.lines if (said := _say(line, scene, listener)) and line.compared}


def _say(line: Line, scene: Scene, listener: Listener) -> Said:
    words = shlex.split(line.command.replace("{ns}", scene.name))
    user = ("--as", line.user) if line.user else ()
    stdin = line.stdin.replace("{ns}", scene.name)
    end = time.monotonic() + _LIMIT
    while True:
        said = listener.run("--namespace", scene.name, *user, *words, stdin=stdin)
        if not line.until or re.search(line.until, said.out + said.err) or time.monotonic() > end:
            break
        time.sleep(0.3)
    if not line.compared and said.code and not line.until:
        raise AssertionError(f"{scene.name}: `kubectl {line.command}` prepares a scene and failed: {said.err}")
    if line.command.startswith("explain "):
        said = Said(code=said.code, out=normal.outline(said.out), err=said.err)
    return normal.of(said.code, said.out, said.err, nodes=listener.nodes, sort=line.sort, make=Said)


@contextmanager
def _stage(scene: Scene, listener: Listener) -> Iterator[None]:
    _clear(scene, listener)
    listener.run("create", "namespace", scene.name)
    if scene.labels:
        listener.run("label", "namespace", scene.name, *scene.labels)
    end = time.monotonic() + _LIMIT
    while listener.run("--namespace", scene.name, "get", "serviceaccount", "default").code and time.monotonic() < end:
        time.sleep(0.2)
    try:
        yield
    finally:
        _clear(scene, listener)


def _clear(scene: Scene, listener: Listener) -> None:
    gone = ("--ignore-not-found", "--timeout=50s")
    listener.run("delete", "namespace", scene.name, *gone)
    for each in scene.leaves:
        listener.run("delete", each, *gone)
