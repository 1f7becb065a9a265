"""Ten thousand pods listed and held, and a watch drained: our client beside lightkube and the official one.

`python -m bench.kube_list [--pods 10000] [--rounds 2]`. Each client runs in a process of its own against the same
server process; the best of the rounds counts, because a shared machine only ever makes things slower. Memory is the
growth of the resident set during the call (peak) and after it with the result still held (held). Ends with one JSON
line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._kube_server import EVENTS, PAGE

Measure = Callable[[int], dict[str, Any]]


class Memory:
    """The resident set's growth since the start, in MB; Linux resets the high-water mark on request."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._start = self._read("VmRSS")

    def held(self) -> float:
        return (self._read("VmRSS") - self._start) / 1024

    def peak(self) -> float:
        return (self._read("VmHWM") - self._start) / 1024

    @staticmethod
    def _read(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field))


def ours_paged(port: int) -> dict[str, Any]:
    """`Client.list_raw` into a cache of headers and bytes, then one watch connection's events as headers and bytes."""
    import uvloop

    from sealane.kube import wire
    from sealane.kube.client import Client
    from sealane.kube.config import Context
    from sealane.kube.resources import PODS

    async def run() -> dict[str, Any]:
        async with Client(Context(name="bench", server=f"http://127.0.0.1:{port}")) as client:
            memory, started = Memory(), time.perf_counter()
            cache = {item.meta.key: item async for page in client.list_raw(PODS, limit=PAGE) for item in page.objects}
            taken, held, peak = time.perf_counter() - started, memory.held(), memory.peak()
            seen, started = 0, time.perf_counter()
            async with client.watch_raw(PODS, resource_version="1") as batches:
                async for batch in batches:
                    for event in batch:
                        item = wire.raw_object(event.object)
                        cache[item.meta.key] = item
                        seen += 1
                    if seen >= EVENTS:
                        break
            return _figures(len(cache), taken, peak, held, seen / (time.perf_counter() - started))

    return uvloop.run(run())


def ours_reflected(port: int) -> dict[str, Any]:
    """`reflect`: everything by WatchList, then changes, as the fleet's cache takes them."""
    import uvloop

    from sealane.kube.client import Client
    from sealane.kube.config import Context
    from sealane.kube.resources import PODS
    from sealane.kube.watch import Synced, Upsert, reflect

    async def run() -> dict[str, Any]:
        async with Client(Context(name="bench", server=f"http://127.0.0.1:{port}")) as client:
            memory, started = Memory(), time.perf_counter()
            cache: dict[tuple[str, str], Any] = {}
            taken = held = peak = 0.0
            seen = 0
            async with contextlib.aclosing(reflect(client, PODS)) as changes:
                async for change in changes:
                    if isinstance(change, Synced):
                        cache = {item.meta.key: item for item in change.objects}
                        taken, held, peak = time.perf_counter() - started, memory.held(), memory.peak()
                        started = time.perf_counter()
                    elif isinstance(change, Upsert):
                        cache[change.meta.key] = change
                        seen += 1
                        if seen >= EVENTS:
                            break
            return _figures(len(cache), taken, peak, held, seen / (time.perf_counter() - started))

    return uvloop.run(run())


def lightkube(port: int) -> dict[str, Any]:
    """lightkube's typed models, in pages."""
    from lightkube import Client, KubeConfig
    from lightkube.config.kubeconfig import Cluster, User
    from lightkube.resources.core_v1 import Pod

    config = KubeConfig.from_one(
        cluster=Cluster(server=f"http://127.0.0.1:{port}"), user=User(token="bench"), context_name="bench"
    )
    client = Client(config=config)
    memory, started = Memory(), time.perf_counter()
    cache = {
        (pod.metadata.namespace, pod.metadata.name): pod for pod in client.list(Pod, namespace="*", chunk_size=PAGE)
    }
    taken, held, peak = time.perf_counter() - started, memory.held(), memory.peak()
    seen, started = 0, time.perf_counter()
    for _kind, pod in client.watch(Pod, namespace="*", resource_version="1"):
        cache[(pod.metadata.namespace, pod.metadata.name)] = pod
        seen += 1
        if seen >= EVENTS:
            break
    return _figures(len(cache), taken, peak, held, seen / (time.perf_counter() - started))


def official(port: int) -> dict[str, Any]:
    """The official client's typed models, in pages."""
    from kubernetes import client as official_client
    from kubernetes import watch

    settings = official_client.Configuration()
    settings.host = f"http://127.0.0.1:{port}"
    api = official_client.CoreV1Api(official_client.ApiClient(settings))
    memory, started = Memory(), time.perf_counter()
    cache, token = {}, None
    while True:
        more = {"_continue": token} if token else {}
        page = api.list_pod_for_all_namespaces(limit=PAGE, **more)
        cache.update({(pod.metadata.namespace, pod.metadata.name): pod for pod in page.items})
        token = page.metadata._continue
        if not token:
            break
    taken, held, peak = time.perf_counter() - started, memory.held(), memory.peak()
    seen, wanted, started = 0, EVENTS // 10, time.perf_counter()
    for change in watch.Watch().stream(api.list_pod_for_all_namespaces, resource_version="1"):
        pod = change["object"]
        cache[(pod.metadata.namespace, pod.metadata.name)] = pod
        seen += 1
        if seen >= wanted:
            break
    return _figures(len(cache), taken, peak, held, seen / (time.perf_counter() - started))


CLIENTS: dict[str, Measure] = {
    "sealane list_raw": ours_paged,
    "sealane reflect (WatchList)": ours_reflected,
    "lightkube": lightkube,
    "kubernetes (official)": official,
}


def _figures(objects: int, seconds: float, peak: float, held: float, rate: float) -> dict[str, Any]:
    return {
        "objects": objects,
        "seconds": round(seconds, 3),
        "peak_mb": round(max(peak, held), 1),
        "held_mb": round(held, 1),
        "events_per_second": round(rate),
    }


def best_of(name: str, port: int, rounds: int) -> dict[str, Any]:
    """The best figures of `rounds` fresh processes."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "bench.kube_list", "--client", name, "--port", str(port)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    best = {key: min(run[key] for run in runs) for key in runs[0]}
    return best | {"events_per_second": max(run["events_per_second"] for run in runs)}


def main() -> None:
    """Measure, print the table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--client", choices=list(CLIENTS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.client:
        print(json.dumps(CLIENTS[chosen.client](chosen.port)))
        return
    command = [sys.executable, "-m", "bench._kube_server", str(chosen.pods)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        print(f"{chosen.pods:,} pods of {ready['pod_bytes']:,} bytes, pages of {PAGE}, best of {chosen.rounds}")
        try:
            figures = {name: best_of(name, ready["port"], chosen.rounds) for name in CLIENTS}
        finally:
            server.terminate()
    _report(figures, chosen.pods, ready["pod_bytes"])


def _report(figures: dict[str, dict[str, Any]], pods: int, pod_bytes: int) -> None:
    print(f"{'client':30}{'list s':>10}{'peak MB':>10}{'held MB':>10}{'events/s':>12}")
    for name, one in figures.items():
        rate = f"{one['events_per_second']:,}"
        print(f"{name:30}{one['seconds']:>10.3f}{one['peak_mb']:>10.1f}{one['held_mb']:>10.1f}{rate:>12}")
    mine = figures["sealane list_raw"]
    peers = [one for name, one in figures.items() if not name.startswith("sealane")]
    reflected = figures["sealane reflect (WatchList)"]
    ratios = {
        "time_to_best_peer": round(mine["seconds"] / min(one["seconds"] for one in peers), 3),
        "held_to_best_peer": round(mine["held_mb"] / min(one["held_mb"] for one in peers), 3),
        "peak_to_best_peer": round(mine["peak_mb"] / min(one["peak_mb"] for one in peers), 3),
        "events_to_best_peer": round(
            reflected["events_per_second"] / max(one["events_per_second"] for one in peers), 2
        ),
    }
    print(
        json.dumps({"bench": "kube_list", "pods": pods, "pod_bytes": pod_bytes, "clients": figures, "ratios": ratios})
    )


if __name__ == "__main__":
    main()
