"""Brings the sandbox up in a process of its own, and says how kubectl reaches a cluster."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from talks import speak
from talks.speak import Listener

SPEED = "50"
CLUSTER = "harbor-eu"


def listener(kubeconfig: str, context: str, home: Path) -> Listener:
    """kubectl for one context, its caches under `home`."""
    home.mkdir(parents=True, exist_ok=True)
    bare = Listener(kubectl=speak.kubectl_path(), kubeconfig=kubeconfig, context=context, home=home, nodes=())
    return Listener(
        kubectl=bare.kubectl, kubeconfig=kubeconfig, context=context, home=home, nodes=speak.node_names(bare)
    )


@contextmanager
def sandbox(folder: Path) -> Iterator[Listener]:
    """A fresh sandbox, and kubectl for the one of its clusters that has KAI."""
    command = [sys.executable, "-m", "sealane.sandbox", "--dir", str(folder / "sandbox"), "--speed", SPEED, "--fresh"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        yield listener(ready["kubeconfig"], CLUSTER, folder / "home")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        process.stdout.close()


def kubectl_version(kubectl: str) -> str:
    """The version of the client ("v1.37.1")."""
    done = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, text=True, check=True)
    version: str = json.loads(done.stdout)["clientVersion"]["gitVersion"]
    return version
