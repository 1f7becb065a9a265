"""The rig's own network: entered before anything starts, gone when the last process of the rig is gone.

Pod addresses, the model registry on port 443 and control planes on fixed ports live in a network namespace of their
own, under a user namespace, so that no root is needed and nothing outside can be reached or disturbed. The mount
namespace beside it lets `registry.ollama.ai` mean the rig's own registry. Whatever shares this user namespace belongs
to the rig: that is how leftovers are told from the rest of the machine, without pid files that go stale.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rig.certificates import Authority
from rig.errors import NotInside, StartFailed, ToolMissing
from sealane.lib.errors import NextStep

BRIDGE = "rig0"
GATEWAY = "10.200.0.1"
STORAGE = "10.200.0.2"  # where the registry's redirects lead: another host, as at the public registry
INTERNET_NAMES = ("registry.ollama.ai",)
_MARK = "SEALANE_RIG_NAMESPACE"
_HOME = "SEALANE_RIG_HOME"
_TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2"}


def is_inside(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in a network that `enter` made (a copied environment alone does not count)."""
    return environment.get(_MARK) == os.readlink("/proc/self/ns/net")


def require() -> Path:
    """The rig's folder; raises NotInside with the command that leads in."""
    if not is_inside():
        raise NotInside(
            "This needs the rig's own network namespace, and this process is outside of one.",
            next_steps=(NextStep(title="Run it inside", command="python -m rig run -- COMMAND"),),
        )
    return Path(os.environ[_HOME])


def command(argv: Iterable[str]) -> list[str]:
    """What to execute so that `argv` runs in fresh user, network and mount namespaces."""
    return ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", *argv]


def enter(arguments: Iterable[str]) -> None:
    """Replace this process by `python -m rig ARGUMENTS` inside; raises ToolMissing or NotInside."""
    missing = {package for tool, package in _TOOLS.items() if shutil.which(tool, path=_path()) is None}
    if missing:
        names = " ".join(sorted(missing))
        step = NextStep(title="Install what is missing", command=f"apt-get install {names}")
        raise ToolMissing(f"The rig's network needs {names}, which this machine lacks.", next_steps=(step,))
    probe = subprocess.run(command(["true"]), capture_output=True, text=True, check=False)
    if probe.returncode:
        raise NotInside(f"This machine refuses namespaces to ordinary users: {probe.stderr.strip()}.")
    inner = command([sys.executable, "-m", "rig", *arguments])
    os.execvpe(inner[0], inner, {**os.environ, _MARK: "entering", "PATH": _path()})


def is_entering() -> bool:
    """Whether `enter` has just put us here and `set_up` is due."""
    return os.environ.get(_MARK) == "entering"


def set_up() -> Path:
    """Give the fresh namespaces their devices and names, and this process a folder; returns the folder."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{GATEWAY}/16", "dev", BRIDGE)
    _run("ip", "addr", "add", f"{STORAGE}/32", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    home = Path(tempfile.mkdtemp(prefix="sealane-rig-"))
    hosts = home / "hosts"
    hosts.write_text(hosts_file(Path("/etc/hosts").read_text()))
    _run("mount", "--bind", str(hosts), "/etc/hosts")
    os.environ[_MARK] = os.readlink("/proc/self/ns/net")
    os.environ[_HOME] = str(home)
    os.environ["SSL_CERT_FILE"] = str(internet(home).certificate)
    _start_watchdog(home)
    return home


def hosts_file(existing: str) -> str:
    """The hosts file of the rig: the machine's own, with the public registry's name leading to ours."""
    return f"{GATEWAY} {' '.join(INTERNET_NAMES)}\n{existing}"


def internet(home: Path) -> Authority:
    """The authority that signs for public names in here; everything that starts in the rig's network trusts it."""
    return Authority(home / "internet", name="rig-internet-ca")


def add_address(address: str) -> None:
    """Add `address` ("10.201.0.1/16") to the rig's bridge; adding it twice is no error."""
    done = subprocess.run(["ip", "addr", "add", address, "dev", BRIDGE], capture_output=True, text=True, check=False)
    if done.returncode and "exists" not in done.stderr and "assigned" not in done.stderr:
        raise StartFailed(f"Address {address} was refused: {done.stderr.strip()}.")


def members() -> list[int]:
    """Process ids of everything in this user namespace but this process and its watchdog's ancestors."""
    mine = os.readlink("/proc/self/ns/user")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.readlink(entry / "ns" / "user") == mine:
                    found.append(int(entry.name))
            except OSError:
                continue  # gone meanwhile, or not ours to look at
    return found


def sweep() -> int:
    """Kill whatever of the rig still runs, then remove its folder; returns how many processes it took."""
    killed = 0
    for _ in range(20):
        left = members()
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    shutil.rmtree(os.environ[_HOME], ignore_errors=True)
    return killed


def _start_watchdog(home: Path) -> None:
    """A child that holds one end of a pipe: when we are killed without a chance to clean up, it does it for us."""
    read, _write = os.pipe()  # our end stays open for as long as we live
    os.set_inheritable(_write, False)
    subprocess.Popen(
        [sys.executable, "-c", "import os, sys; os.read(0, 1); from rig import namespace; namespace.sweep()"],
        stdin=read,
        start_new_session=True,
        env={**os.environ, _HOME: str(home), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    os.close(read)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"`{' '.join(argv)}` failed: {done.stderr.strip()}.")


def _path() -> str:
    """The PATH with the folders where `ip` lives for root alone on some systems."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
