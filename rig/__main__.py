"""`python -m rig build`, `up` and `run -- COMMAND`: the rig for people and for test runs.

`up` and `run` step into the rig's own network first; when they end, however they end, nothing of it is left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml

from rig import build, doors, namespace
from rig.cluster import Rig, merged
from sealane.lib.errors import SealaneError


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked; a failure is one sentence and its next step on stderr, and exit code 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(arguments)
    try:
        if options.what == "build":
            build.build_all()
            return 0
        build.require_built()
        if not namespace.is_entering():
            if options.what == "up":
                doors.open_outside(options.clusters)
            namespace.enter(arguments)
        namespace.set_up()
        try:
            return _run(options.command) if options.what == "run" else _up(options)
        finally:
            namespace.sweep()
    except SealaneError as error:
        print(f"rig: {error.sentence}", file=sys.stderr)
        for step in error.next_steps:
            print(f"rig: {step.title}: {step.command}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rig", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("build", help="build what the rig runs (minutes once, then milliseconds)")
    up = what.add_parser("up", help="bring clusters up and keep them until Ctrl-C")
    up.add_argument("--clusters", type=int, default=1)
    up.add_argument("--without-kai", type=int, action="append", default=[], metavar="INDEX")
    up.add_argument("--seconds", type=float, default=None, help="end by itself after so long")
    run = what.add_parser("run", help="run a command inside the rig's network, for tests that bring clusters up")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _run(command: Sequence[str]) -> int:
    argv = [part for i, part in enumerate(command) if i or part != "--"]
    if not argv:
        print("rig: run needs a command: python -m rig run -- COMMAND", file=sys.stderr)
        return 2
    process = subprocess.Popen(argv)
    # A terminal's Ctrl-C goes to the command as well as to us; passing it on too would interrupt its clean-up.
    with _signals(lambda received: process.send_signal(received) if received == signal.SIGTERM else None):
        return process.wait()


def _up(options: argparse.Namespace) -> int:
    stop: list[int] = []
    began = time.monotonic()
    rig = Rig(clusters=options.clusters, without_kai=options.without_kai)
    with _signals(stop.append), contextlib.ExitStack() as stack:
        stack.callback(rig.stop)
        rig.start()
        _introduce(rig, seconds=time.monotonic() - began)
        end = None if options.seconds is None else time.monotonic() + options.seconds
        while not stop and (end is None or time.monotonic() < end):
            for cluster in rig.clusters:
                cluster.plane.processes.require_alive()
            time.sleep(0.2)
    return 0


@contextlib.contextmanager
def _signals(hear: Callable[[int], None]) -> Iterator[None]:
    """Hear SIGTERM and SIGINT instead of dying of them; things are as before afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda received, _frame: hear(received)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _introduce(rig: Rig, *, seconds: float) -> None:
    outside = doors.open_inside([cluster.plane.api_port for cluster in rig.clusters])
    print(f"Up in {seconds:.1f} s.")
    for user in ("admin", "alice", "bob"):
        pairs = zip(rig.clusters, outside, strict=True)
        configs = [c.plane.kubeconfig_of(user, server=f"https://127.0.0.1:{port}") for c, port in pairs]
        path = rig.home / f"{user}.kubeconfig"
        path.write_text(yaml.safe_dump(merged(configs)))
        print(f"kubeconfig of {user}: {path}")
    inside = f"nsenter --target {os.getpid()} --user --net --mount --preserve-credentials --"
    print(f"try: kubectl --kubeconfig {rig.home / 'admin.kubeconfig'} get nodes")
    print("Pods and the registry are in a network of their own; step in with:")
    print(f"  {inside} env SSL_CERT_FILE={os.environ['SSL_CERT_FILE']} COMMAND")
    print(f"  kubeconfig in there: {rig.kubeconfig}")
    print(f"  registry in there: http://{rig.registry.address} and https://registry.ollama.ai (tiny-chat, …)")
    print("Ctrl-C ends it and removes everything.", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main())
