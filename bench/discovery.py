"""Which kinds a cluster with 348 CRDs has: by discovery, as the fleet asks, and by listing the CRDs, as others do.

`python -m bench.discovery [--crds 348]`. Both answers come from the same server; bytes are those of the answers,
times include decoding. Peer measurements of a real cluster gave 24 MB for the CRDs. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from bench._process import memory

CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def measured(port: int) -> dict[str, dict[str, Any]]:
    """Discovery by the client, then the list of the CRDs decoded into names."""
    import uvloop

    from sealane.kube.client import Client
    from sealane.kube.config import Context

    async def run() -> dict[str, dict[str, Any]]:
        async with Client(Context(name="bench", server=f"http://127.0.0.1:{port}")) as client:
            await client.version()  # the connection is there
            sizes = [len(await client.http.request("GET", path)) for path in ("/api", "/apis", CRDS_PATH)]
            start, began = memory("VmHWM"), time.perf_counter()
            kinds = await client.discover()
            first = time.perf_counter() - began
            discovery = _figures(len(kinds), sizes[0] + sizes[1], first, memory("VmHWM") - start)
            began = time.perf_counter()
            listed = json.loads(await client.http.request("GET", CRDS_PATH))
            names = {(crd["spec"]["group"], crd["spec"]["names"]["plural"]) for crd in listed["items"]}
            second = time.perf_counter() - began
            return {
                "discovery": discovery,
                "crds": _figures(len(names), sizes[2], second, memory("VmHWM") - start),
            }

    return uvloop.run(run())


def _figures(kinds: int, size: int, seconds: float, grown: float) -> dict[str, Any]:
    return {"kinds": kinds, "bytes": size, "ms": round(seconds * 1e3, 1), "grown_mb": round(grown, 1)}


def main() -> None:
    """Measure, print the table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crds", type=int, default=348)
    chosen = parser.parse_args()
    command = [sys.executable, "-m", "bench._kube_server", "1", "--crds", str(chosen.crds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            figures = measured(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
    print(f"{'':12}{'kinds':>8}{'bytes':>14}{'ms':>10}")
    for name, one in figures.items():
        print(f"{name:12}{one['kinds']:>8,}{one['bytes']:>14,}{one['ms']:>10.1f}")
    ratios = {key: round(figures["discovery"][key] / figures["crds"][key], 4) for key in ("bytes", "ms")}
    print(json.dumps({"bench": "discovery", "crds": chosen.crds, "ways": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
