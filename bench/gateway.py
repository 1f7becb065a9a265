"""What a request and a streamed chunk cost in our gateway, beside LiteLLM's proxy: same machine, same mock engine,
one run.

`python -m bench.gateway [--requests N] [--without-peer]`. CPU time (user + system of the server's whole process tree)
is the figure: unlike requests a second it hardly depends on what else the machine does. Both check a key, route and
count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import _gateway_litellm as litellm
from bench import _gateway_load as load
from bench import _gateway_mock as mock

KEY = "sk-sealane-" + "0123456789abcdef" * 3
TARGETS = {"request_cpu_ms": 0.6, "request_cpu_ms_final": 0.35, "chunk_cpu_ms_final": 0.02, "rss_mb": 80.0}
MESSAGES = [{"role": "user", "content": "Write a function that adds two numbers. " * 20}]
CLIENTS = 10


class Figures(NamedTuple):
    """Of one gateway. Milliseconds and megabytes."""

    name: str
    request_cpu_ms: float
    requests_per_s: float
    p50_ms: float
    stream_cpu_ms: float
    chunk_cpu_ms: float
    rss_mb: float
    failures: int


def main() -> None:
    """Measure, print the table, end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--without-peer", action="store_true")
    options = parser.parse_args()
    version = "" if options.without_peer else litellm.install()
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as folder, _mock() as upstream:
        with _ours(upstream, Path(folder)) as (port, process):
            found.append(_measure("Sealane", port, process, requests=options.requests, streams=200))
        if version:
            with _peer(upstream, Path(folder)) as (port, process):
                found.append(
                    _measure(f"LiteLLM {version}", port, process, requests=max(options.requests // 10, 100), streams=40)
                )
    _table(found)
    print(json.dumps(_summary(found, version)))
    sys.exit(1 if any(each.failures for each in found[:1]) else 0)


def _measure(name: str, port: int, process: subprocess.Popen[bytes], *, requests: int, streams: int) -> Figures:
    plain = load.request(port, KEY, json.dumps({"model": "bench", "messages": MESSAGES}).encode())
    streamed = load.request(port, KEY, json.dumps({"model": "bench", "messages": MESSAGES, "stream": True}).encode())
    asyncio.run(load.load(port, plain, requests=requests // 5, clients=CLIENTS))  # caches, pools, compiled code
    before = load.cost(process.pid)
    whole = asyncio.run(load.load(port, plain, requests=requests, clients=CLIENTS))
    between = load.cost(process.pid)
    chunked = asyncio.run(load.load(port, streamed, requests=streams, clients=CLIENTS))
    after = load.cost(process.pid)
    request_ms = (between.cpu - before.cpu) * 1000 / requests
    stream_ms = (after.cpu - between.cpu) * 1000 / streams
    latencies = sorted(whole.latencies)
    return Figures(
        name=name,
        request_cpu_ms=request_ms,
        requests_per_s=whole.requests / whole.seconds,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        stream_cpu_ms=stream_ms,
        chunk_cpu_ms=max(stream_ms - request_ms, 0) / mock.CHUNKS,
        rss_mb=after.rss / 1e6,
        failures=whole.failures + chunked.failures,
    )


def _table(found: list[Figures]) -> None:
    print(f"{CLIENTS} clients; a stream has {mock.CHUNKS} chunks, {mock.PACE * 1000:g} ms apart")
    head = ("gateway", "CPU-ms/request", "requests/s", "p50 ms", "CPU-ms/stream", "CPU-ms/chunk", "RSS MB", "failures")
    rows = [
        (
            each.name,
            f"{each.request_cpu_ms:.3f}",
            f"{each.requests_per_s:.0f}",
            f"{each.p50_ms:.2f}",
            f"{each.stream_cpu_ms:.2f}",
            f"{each.chunk_cpu_ms:.4f}",
            f"{each.rss_mb:.0f}",
            str(each.failures),
        )
        for each in found
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def _summary(found: list[Figures], version: str) -> dict[str, object]:
    ours = found[0]
    summary: dict[str, object] = {
        "bench": "gateway",
        "sealane": {key: round(value, 4) for key, value in ours._asdict().items() if key != "name"},
        "targets": TARGETS,
        "met": ours.request_cpu_ms <= TARGETS["request_cpu_ms"] and ours.rss_mb <= TARGETS["rss_mb"],
        "peer": None,
        "ratio": None,
    }
    if len(found) > 1:
        peer = found[1]
        summary["peer"] = {"name": "litellm", "version": version} | {
            key: round(value, 4) for key, value in peer._asdict().items() if key != "name"
        }
        summary["ratio"] = {
            "request_cpu": round(peer.request_cpu_ms / ours.request_cpu_ms, 1),
            "stream_cpu": round(peer.stream_cpu_ms / ours.stream_cpu_ms, 1),
            "rss": round(peer.rss_mb / ours.rss_mb, 1),
        }
    return summary


@contextlib.contextmanager
def _mock() -> Iterator[str]:
    port = _free_port()
    with _running([sys.executable, "-m", "bench._gateway_mock", str(port)], port, path="/v1/models"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _ours(upstream: str, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = _free_port()
    command = [sys.executable, "-m", "bench._gateway_sealane", str(port), upstream, KEY, str(folder / "data")]
    with _running(command, port, path="/readyz") as process:
        yield port, process


@contextlib.contextmanager
def _peer(upstream: str, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = _free_port()
    with _waiting(litellm.start(port, upstream, KEY, folder), port, path="/health/liveliness") as process:
        yield port, process


@contextlib.contextmanager
def _running(command: list[str], port: int, *, path: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
    with _waiting(started, port, path=path) as process:
        yield process


@contextlib.contextmanager
def _waiting(process: subprocess.Popen[bytes], port: int, *, path: str) -> Iterator[subprocess.Popen[bytes]]:
    try:
        _until_it_answers(process, port, path)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_it_answers(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode} before it answered.")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            if b" 200 " in probe.recv(200):
                return
        time.sleep(0.2)
    raise SystemExit(f"{process.args!r} did not answer within two minutes.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
