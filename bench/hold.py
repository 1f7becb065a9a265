"""A hundred thousand pods held by a live fleet: memory, how long anybody else waits, and what reading costs.

`python -m bench.hold [--pods 100000] [--peers 20000]`. The fleet's own client lists and watches a server in another
process, 50 changes a second included, packed and (for comparison) plain; a heartbeat of 5 ms in the same loop measures
the worst hold-up from the first byte on. Beside it, at a size that fits, plain dicts as any JSON decoder makes
them and lightkube's typed objects, their memory scaled to the same number of pods and said so. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench._process import Heartbeat, Pauses, memory

PER_SECOND = 50.0


def ours(port: int, *, packed: bool) -> dict[str, Any]:
    """A fleet of one cluster, as `sealane up` has it."""
    import uvloop

    from sealane.fleet import Fleet, cache
    from sealane.fleet.packing import NEVER, Packing
    from sealane.gpus import inventory
    from sealane.kube.config import Context
    from sealane.kube.resources import PODS
    from sealane.lib import collector

    if not packed:
        cache.Packing = lambda: Packing(above=NEVER)  # type: ignore[assignment,misc]

    async def run() -> dict[str, Any]:
        collector.settle()
        start, pauses = memory(), Pauses()
        contexts = [Context(name="bench", server=f"http://127.0.0.1:{port}")]
        async with Heartbeat() as heart, Fleet(contexts) as fleet:
            cluster, began = fleet.cluster("bench"), time.perf_counter()
            await cluster.synced(PODS, timeout=300)
            seconds = time.perf_counter() - began
            loading = heart.take() | pauses.take()
            await asyncio.sleep(3)  # changes come in
            held, following = memory() - start, heart.take() | pauses.take()
            found = reading(cluster, PODS)
            heart.take()
            began = time.perf_counter()
            facts = inventory.build("bench", inventory.Objects(pods=cluster.views(PODS, inventory.PODS_VIEW)))
            found["facts_ms"] = round((time.perf_counter() - began) * 1e3, 1)
            assert facts.name == "bench"
            began = time.perf_counter()
            gc.collect()
            found["full_gc_ms"] = round((time.perf_counter() - began) * 1e3, 1)
            return {
                "objects": len(cluster.headers(PODS)),
                "seconds": round(seconds, 2),
                "start_mb": round(start, 1),
                "held_mb": round(held, 1),
                "process_mb": round(memory(), 1),
                "peak_mb": round(memory("VmHWM"), 1),
                "loading": loading,
                "following": following,
                "reading": found,
            }

    return uvloop.run(run())


def reading(cluster: Any, kind: Any) -> dict[str, float]:
    """What looks cost: µs an object decoded, ms for all headers, for a label's scan and for an index."""
    headers = cluster.headers(kind)
    some = headers[:: max(1, len(headers) // 2_000)]
    result = {"get_us": _timed(lambda: [cluster.get(kind, one.namespace, one.name) for one in some]) / len(some) * 1e6}
    one = some[len(some) // 2]
    hashes = {"pod-template-hash": one.labels["pod-template-hash"]}
    result |= {
        "headers_ms": _timed(lambda: cluster.headers(kind)) * 1e3,
        "scan_ms": _timed(lambda: cluster.headers(kind, labels=hashes)) * 1e3,
        "namespace_ms": _timed(lambda: cluster.headers(kind, namespace=one.namespace)) * 1e3,
        "linked_us": _timed(lambda: cluster.linked(kind, one.links[0])) * 1e6,
    }
    return {name: round(value, 1) for name, value in result.items()}


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def dicts(port: int) -> dict[str, Any]:
    """Every page decoded, every object kept as it is decoded."""
    import urllib.request

    start, began = memory(), time.perf_counter()
    held: dict[tuple[str, str], Any] = {}
    token = ""
    while True:
        url = f"http://127.0.0.1:{port}/api/v1/pods?limit=500" + (f"&continue={token}" if token else "")
        with urllib.request.urlopen(url) as answer:
            page = json.load(answer)
        held.update({(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in page["items"]})
        token = page["metadata"].get("continue", "")
        if not token:
            return _naive(start, began, held)


def lightkube(port: int) -> dict[str, Any]:
    """lightkube's typed models, in pages."""
    from lightkube import Client, KubeConfig
    from lightkube.config.kubeconfig import Cluster, User
    from lightkube.resources.core_v1 import Pod

    config = KubeConfig.from_one(
        cluster=Cluster(server=f"http://127.0.0.1:{port}"), user=User(token="bench"), context_name="bench"
    )
    start, began = memory(), time.perf_counter()
    pods = Client(config=config).list(Pod, namespace="*", chunk_size=500)
    return _naive(start, began, {(pod.metadata.namespace, pod.metadata.name): pod for pod in pods})


def _naive(start: float, began: float, held: dict[tuple[str, str], Any]) -> dict[str, Any]:
    seconds, grown = time.perf_counter() - began, memory() - start
    return {
        "objects": len(held),
        "seconds": round(seconds, 2),
        "held_mb": round(grown, 1),
        "full_gc_ms": round(_timed(gc.collect) * 1e3, 1),
    }


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "sealane, packed": lambda port: ours(port, packed=True),
    "sealane, plain": lambda port: ours(port, packed=False),
    "dicts": dicts,
    "lightkube": lightkube,
}


def measured(name: str, server: list[str]) -> dict[str, Any]:
    """One holder's figures, in a process of its own against a server in another."""
    command = [sys.executable, "-m", "bench._kube_server", *server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            asked = [sys.executable, "-m", "bench.hold", "--holder", name, "--port", str(ready["port"])]
            done = subprocess.run(asked, check=True, stdout=subprocess.PIPE, timeout=240)
        finally:
            process.terminate()
    return dict(json.loads(done.stdout.splitlines()[-1])) | {"pod_bytes": ready["pod_bytes"]}


def main() -> None:
    """Measure, print the table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=100_000)
    parser.add_argument("--peers", type=int, default=20_000)
    parser.add_argument("--holder", choices=list(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.holder:
        print(json.dumps(KINDS[chosen.holder](chosen.port)))
        return
    watching = [str(chosen.pods), "--watch-only", "--per-second", str(PER_SECOND)]
    figures = {name: measured(name, watching if name.startswith("sealane") else [str(chosen.peers)]) for name in KINDS}
    _report(figures, chosen.pods)


def _report(figures: dict[str, dict[str, Any]], pods: int) -> None:
    print(f"{pods:,} pods of {figures['dicts']['pod_bytes']:,} bytes; peers hold fewer, and are scaled to as many")
    print(f"{'':20}{'objects':>9}{'s':>8}{'held MB':>10}{'peak MB':>10}{'hold-up ms':>12}{'full GC ms':>12}")
    for name, one in figures.items():
        scale = pods / one["objects"]
        one["held_mb_scaled"] = round(one["held_mb"] * scale, 1)
        worst = max(one["loading"]["gap_ms"], one["following"]["gap_ms"]) if "loading" in one else one["seconds"] * 1e3
        collected = one.get("full_gc_ms", one.get("reading", {}).get("full_gc_ms", 0.0)) * scale
        print(
            f"{name:20}{one['objects']:>9,}{one['seconds'] * scale:>8.1f}{one['held_mb_scaled']:>10.1f}"
            f"{one.get('peak_mb', 0.0):>10.1f}{worst * scale:>12.1f}{collected:>12.1f}"
        )
    mine = figures["sealane, packed"]
    print(json.dumps(mine["reading"]))
    peers = [figures[name]["held_mb_scaled"] for name in ("dicts", "lightkube")]
    ratios = {"held_to_best_peer": round(mine["held_mb"] / min(peers), 3)}
    print(json.dumps({"bench": "hold", "pods": pods, "holders": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
