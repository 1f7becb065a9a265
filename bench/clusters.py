"""Twenty clusters in one process: what it costs to be live in all of them.

`python -m bench.clusters [--clusters 20] [--pods 1000] [--per-second 20] [--seconds 20]`. One fleet follows them all,
each at its own server (all in another process), with a reader that looks at what changed as a page does. Beside it the
official client as people use it for this: a thread and a dict of objects for each cluster, at the same servers, for the
same time. Memory is the whole process's, processor time is of one core. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench._process import Heartbeat, memory


def ours(ports: list[int], pods: int, seconds: float) -> dict[str, Any]:
    """A fleet, as `sealane up` has it."""
    import uvloop

    from sealane.fleet import Fleet
    from sealane.kube.config import Context
    from sealane.kube.resources import PODS
    from sealane.lib import collector

    async def run() -> dict[str, Any]:
        collector.settle()
        contexts = [Context(name=f"c{port}", server=f"http://127.0.0.1:{port}") for port in ports]
        began, seen = time.perf_counter(), 0
        async with Heartbeat() as heart, Fleet(contexts) as fleet:
            subscription = fleet.subscribe(kinds=[PODS])
            for cluster in fleet.clusters.values():
                await cluster.synced(PODS, timeout=120)
            ready, revisions = time.perf_counter() - began, 0
            heart.take()
            cpu, began = time.process_time(), time.perf_counter()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for batch in subscription:
                        for name, _ in batch:
                            seen += 1
                            revisions += len(fleet.cluster(name).headers(PODS, namespace="team-3"))
            used = (time.process_time() - cpu) / (time.perf_counter() - began)
            held = sum(len(cluster.headers(PODS)) for cluster in fleet.clusters.values())
            fresh = all(cluster.freshness(PODS).state == "live" for cluster in fleet.clusters.values())
            assert held == pods * len(ports)
            assert fresh
            return _figures(held, ready, used) | {"batches": seen, **heart.take()}

    return uvloop.run(run())


def official(ports: list[int], pods: int, seconds: float) -> dict[str, Any]:
    """The official client: in each cluster's thread a list, then a watch into a dict."""
    from kubernetes import client, watch

    held: dict[int, dict[str, Any]] = {port: {} for port in ports}
    began = time.perf_counter()

    def follow(port: int) -> None:
        settings = client.Configuration()
        settings.host = f"http://127.0.0.1:{port}"
        api = client.CoreV1Api(client.ApiClient(settings))
        listed = api.list_pod_for_all_namespaces(limit=500)
        while True:
            held[port].update({pod.metadata.uid: pod for pod in listed.items})
            token = listed.metadata._continue
            if not token:
                break
            listed = api.list_pod_for_all_namespaces(limit=500, _continue=token)
        for change in watch.Watch().stream(api.list_pod_for_all_namespaces, resource_version="1000000"):
            held[port][change["object"].metadata.uid] = change["object"]

    for port in ports:
        threading.Thread(target=follow, args=(port,), daemon=True).start()
    while sum(map(len, held.values())) < pods * len(ports):
        time.sleep(0.1)
    ready = time.perf_counter() - began
    cpu, began = time.process_time(), time.perf_counter()
    time.sleep(seconds)
    used = (time.process_time() - cpu) / (time.perf_counter() - began)
    return _figures(sum(map(len, held.values())), ready, used)


def _figures(held: int, ready: float, used: float) -> dict[str, Any]:
    return {
        "objects": held,
        "ready_s": round(ready, 2),
        "process_mb": round(memory(), 1),
        "peak_mb": round(memory("VmHWM"), 1),
        "core_percent": round(used * 100, 1),
    }


FOLLOWERS: dict[str, Callable[[list[int], int, float], dict[str, Any]]] = {"sealane": ours, "official": official}


@contextlib.contextmanager
def servers(count: int, pods: int, per_second: float) -> Iterator[list[int]]:
    """Ports of as many servers, all in one other process."""
    command = [sys.executable, "-m", "bench._kube_server", str(pods)]
    command += ["--per-second", str(per_second), "--ports", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["ports"]
        finally:
            process.terminate()


def main() -> None:
    """Measure, print the table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--pods", type=int, default=1_000)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--follower", choices=list(FOLLOWERS), help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.follower:
        print(json.dumps(FOLLOWERS[chosen.follower](chosen.ports, chosen.pods, chosen.seconds)), flush=True)
        return
    figures = {name: _measured(name, chosen) for name in FOLLOWERS}
    print(f"{chosen.clusters} clusters of {chosen.pods:,} pods, {chosen.per_second:g} changes a second in each")
    print(f"{'':12}{'objects':>9}{'ready s':>10}{'process MB':>12}{'of a core':>11}")
    for name, one in figures.items():
        core = f"{one['core_percent']}%"
        print(f"{name:12}{one['objects']:>9,}{one['ready_s']:>10.2f}{one['process_mb']:>12.1f}{core:>11}")
    mine, peer = figures["sealane"], figures["official"]
    ratios = {key: round(mine[key] / peer[key], 3) for key in ("process_mb", "core_percent", "ready_s")}
    asked = {"clusters": chosen.clusters, "pods": chosen.pods, "per_second": chosen.per_second}
    print(json.dumps({"bench": "clusters", **asked, "followers": figures, "ratios": ratios}))


def _measured(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    with servers(chosen.clusters, chosen.pods, chosen.per_second) as ports:
        command = [sys.executable, "-m", "bench.clusters", "--follower", name, "--ports", json.dumps(ports)]
        command += ["--pods", str(chosen.pods), "--seconds", str(chosen.seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=240)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
