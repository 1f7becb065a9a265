"""How soon the product is there: from the command to the URL block, what `--version` costs, what the first page weighs.

`python -m bench.start [--runs 5] [--without-peers]`. Seconds from the start of the process to the ready line, on a
fresh data directory and on a used one, and of the whole `make run` with make's own checks; medians, and the load
average beside them, because wall time depends on what else the machine does. CPU (user + system, from wait4) does not.
Peers where they are installed: `kubectl version --client` and `litellm --version`, and LiteLLM's proxy until it
answers. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import _browser, _up
from bench import _gateway_litellm as litellm
from bench.gateway import KEY, _free_port, _until_it_answers

TARGETS = {"ready_s": 5.0, "version_cpu_ms": 150.0, "page_kb": 300.0}


def main() -> None:
    """Measure, print the table, end with one JSON line; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {"bench": "start", "load_average": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory(prefix="sealane-bench-") as folder:
        figures |= starts(Path(folder), runs=options.runs)
    figures |= page_weight()
    figures |= versions(runs=options.runs * 2, peers=not options.without_peers)
    if not options.without_peers:
        figures |= proxy_start()
    _print(figures)
    print(json.dumps(figures | _judged(figures)))
    sys.exit(0 if _judged(figures)["met"] else 1)


def starts(folder: Path, *, runs: int) -> dict[str, Any]:
    """Medians of seconds to the ready line, and the slowest clean end; the first run fills caches and counts not."""
    seconds: dict[str, list[float]] = {"fresh": [], "used": []}
    ends = []
    for run in range(runs + 1):
        for kind, data in (("fresh", folder / f"fresh-{run}"), ("used", folder / "used")):
            with _up.running([*_up.sealane(), "up", *_up.arguments(data)]) as up:
                if run:
                    seconds[kind].append(up.seconds)
                ends.append(_up.end(up.process))
    found: dict[str, Any] = {f"ready_{kind}_s": _median(times) for kind, times in seconds.items()}
    return found | {"slowest_end_s": round(max(ends), 2), "make_run_s": make_run(folder, runs=runs)}


def make_run(folder: Path, *, runs: int) -> float | None:
    """Of `make run`, make's own checks included; None where something would first have to be installed."""
    if subprocess.run(["make", "-q", ".venv/.product"], cwd=_up.ROOT, capture_output=True, check=False).returncode:
        print("SKIPPED: `make run` would install something first; call it once, then measure.", file=sys.stderr)
        return None
    times = []
    for _ in range(runs):
        with _up.running(["make", "run", f"ARGS={' '.join(_up.arguments(folder / 'used'))}"]) as up:
            times.append(up.seconds)
    return _median(times)


def page_weight() -> dict[str, Any]:
    """Kilobytes (1000 bytes) of Home's first load by kind, the model running that the sandbox starts with."""
    if not _browser.chromium():
        print("SKIPPED: there is no Chromium on PATH; the first page is not weighed.", file=sys.stderr)
        return {"page_kb": None}
    with tempfile.TemporaryDirectory(prefix="sealane-bench-") as folder:
        command = [*_up.sealane(), "up", *_up.arguments(Path(folder))]
        with _up.running(command) as up, _browser.browser() as chromium:
            weight = _browser.weigh(_browser.sign_in(chromium, str(up.ready["console"])), up.url + "/")
    return {
        "page_kb": round(sum(weight.values()) / 1000, 1),
        "page_kinds_kb": {kind: round(size / 1000, 1) for kind, size in sorted(weight.items())},
    }


def versions(*, runs: int, peers: bool) -> dict[str, Any]:
    """CPU-ms of asking each program for its version, and of a Python that does nothing: the floor of ours."""
    commands: dict[str, list[str]] = {
        "sealane": [*_up.sealane(), "--version"],
        "python": [sys.executable, "-c", "pass"],
    }
    kubectl, proxy = _up.tool("kubectl"), litellm.HOME / "bin" / "litellm"
    if peers and kubectl:
        commands["kubectl"] = [kubectl, "--kubeconfig", os.devnull, "version", "--client"]
    if peers and proxy.exists():
        commands["litellm"] = [str(proxy), "--version"]
    often = {"litellm": 2}  # it takes many seconds of CPU each
    cpu = {
        name: _median([_cpu_ms(command) for _ in range(often.get(name, runs))], digits=1)
        for name, command in commands.items()
    }
    ratio = {name: round(each / cpu["sealane"], 2) for name, each in cpu.items() if name not in {"sealane", "python"}}
    return {"version_cpu_ms": cpu, "version_cpu_ratio": ratio}


def proxy_start() -> dict[str, Any]:
    """Seconds until LiteLLM's proxy answers: no clusters, no console, no models; only the gateway's peer."""
    if not (litellm.HOME / "bin" / "litellm").exists():
        print("SKIPPED: LiteLLM is not installed (python -m bench.gateway installs it); no ratio.", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory(prefix="sealane-bench-") as folder:
        port, started = _free_port(), time.perf_counter()
        process = litellm.start(port, "http://127.0.0.1:9", KEY, Path(folder))
        try:
            _until_it_answers(process, port, "/health/liveliness")
            return {"litellm_ready_s": round(time.perf_counter() - started, 2)}
        finally:
            process.terminate()
            process.wait(20)


def _cpu_ms(command: Sequence[str]) -> float:
    """User + system of one child and its children, from wait4."""
    null = os.open(os.devnull, os.O_RDWR)
    redirect = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
    pid = os.posix_spawn(command[0], command, _up.environment(), file_actions=redirect)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{list(command)!r} failed with {os.waitstatus_to_exitcode(status)}.")
    return (usage.ru_utime + usage.ru_stime) * 1000


def _median(values: Sequence[float], *, digits: int = 2) -> float:
    return round(statistics.median(values), digits)


def _judged(figures: dict[str, Any]) -> dict[str, Any]:
    slowest = max(value for name in ("ready_fresh_s", "ready_used_s", "make_run_s") if (value := figures[name]))
    met = {
        "ready_s": slowest < TARGETS["ready_s"],
        "version_cpu_ms": figures["version_cpu_ms"]["sealane"] < TARGETS["version_cpu_ms"],
        "page_kb": None if figures["page_kb"] is None else figures["page_kb"] <= TARGETS["page_kb"],
    }
    ratio = (
        {"litellm_ready": round(figures["litellm_ready_s"] / figures["ready_fresh_s"], 2)}
        if "litellm_ready_s" in figures
        else {}
    )
    return {"targets": TARGETS, "each_met": met, "met": False not in met.values(), "ratio": ratio}


def _print(figures: dict[str, Any]) -> None:
    rows = [
        ("sealane up, fresh data directory", figures["ready_fresh_s"], "s", "< 5"),
        ("sealane up, used data directory", figures["ready_used_s"], "s", "< 5"),
        ("make run, used data directory", figures["make_run_s"], "s", "< 5"),
        ("slowest end after SIGTERM", figures["slowest_end_s"], "s", "< 5"),
        ("LiteLLM's proxy alone", figures.get("litellm_ready_s"), "s", ""),
        ("Home, first load", figures["page_kb"], "kB", "≤ 300"),
        *((f"{name}: version, CPU", value, "ms", "< 150" if name == "sealane" else "")
          for name, value in figures["version_cpu_ms"].items()),
    ]  # fmt: skip
    print(f"load average {figures['load_average']}, {os.cpu_count()} processors")
    for what, value, unit, target in rows:
        print(f"{what:<36}{'–' if value is None else f'{value:g}':>9} {unit:<3}{target}")


if __name__ == "__main__":
    main()
