"""A small simulated cluster on a clock that stands still, and what drives it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sealane.sandbox.api.store import Store
from sealane.sandbox.world import seeds
from sealane.sandbox.world.clock import SteppedClock
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.world import ClusterWorld

Obj = dict[str, Any]

PLAN: Obj = {
    "region": "here",
    "zone": "here",
    "city": "a test",
    "kai": True,
    "system": False,
    "address": "10.9",
    "nodes": [
        {"name": "gpu-a", "cpu": "32", "memory": "256Gi", "gpus": 2, "product": "NVIDIA-L40S", "gpu_mib": 46068},
        {"name": "gpu-b", "cpu": "32", "memory": "256Gi", "gpus": 4, "product": "NVIDIA-L40S", "gpu_mib": 46068},
        {"name": "plain", "cpu": "8", "memory": "32Gi"},
    ],
    "namespaces": [{"name": "team-a"}, {"name": "team-b"}, {"name": "locked", "enforce": "restricted"}],
    "queues": [
        {"name": "root", "quota": 6, "limit": 6, "weight": 1},
        {"name": "a", "parent": "root", "quota": 2, "limit": 4, "weight": 1},
        {"name": "b", "parent": "root", "quota": 2, "limit": 3, "weight": 1},
    ],
    "models": [],
    "jobs": [],
    "deployments": [],
}


class Sim:
    """A cluster that acts, and shorthands to watch it do so."""

    def __init__(self, world: ClusterWorld, clock: SteppedClock) -> None:
        self.world = world
        self.clock = clock
        self.cluster: Cluster = world.cluster

    async def run(self, seconds: float) -> None:
        """Let simulated time pass."""
        await self.clock.advance(seconds)

    async def until(self, true: Callable[[], object], *, within: float, step: float = 0.25) -> float:
        """Let time pass until something holds; how long it took. Fails when it never does."""
        begun = self.clock.monotonic()
        while self.clock.monotonic() - begun <= within:
            if true():
                return self.clock.monotonic() - begun
            await self.clock.advance(step)
        raise AssertionError(f"not within {within} s")

    def pods(self, namespace: str = "team-a") -> list[Obj]:
        """Pods of a namespace."""
        return self.cluster.list("pods", namespace)

    def pod(self, namespace: str = "team-a") -> Obj:
        """The only pod of a namespace."""
        (only,) = self.pods(namespace)
        return only

    def reasons(self, name: str, namespace: str = "team-a") -> list[str]:
        """Reasons of the events about an object, in order."""
        events = self.cluster.list("events", namespace)
        mine = [event for event in events if event["involvedObject"]["name"] == name]
        return [event["reason"] for event in sorted(mine, key=lambda event: event["metadata"]["name"].rsplit(".")[-1])]

    def begin(self, app: Any, method: str, path: str, body: Any = None) -> asyncio.Task[tuple[int, bytes]]:
        """A request that is under way."""
        return asyncio.create_task(request(app, method, path, body))

    async def ask(self, app: Any, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """A whole request to an ASGI app while time passes."""
        task = asyncio.create_task(request(app, method, path, body))
        for _ in range(4_000):
            if task.done():
                break
            await self.clock.advance(0.05)
        return task.result()


async def request(app: Any, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """`(status, body)` of a request to an ASGI app."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    messages = [{"type": "http.request", "body": raw, "more_body": False}]
    status = 0
    pieces: list[bytes] = []

    async def receive() -> Obj:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Obj) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            pieces.append(message.get("body", b""))

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [],
        "server": ("pod", 11434), "client": ("test", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    return status, b"".join(pieces)


@pytest.fixture
def ask() -> Callable[..., Awaitable[tuple[int, bytes]]]:
    """Requests to an app that needs no simulated time."""
    return request


@pytest.fixture
def clock() -> SteppedClock:
    """A clock that moves only when told."""
    return SteppedClock()


@pytest.fixture
def plan() -> Obj:
    """What the test's cluster is seeded with; a test may change its own copy."""
    copied: Obj = json.loads(json.dumps(PLAN))
    return copied


@pytest.fixture
def still(plan: Obj, clock: SteppedClock) -> ClusterWorld:
    """A seeded cluster in which nothing acts."""
    store = Store(now=clock.now)
    cluster = Cluster("test", store=store, find=store.kinds.find, clock=clock)
    world = ClusterWorld(cluster, plan=plan, root_ca="a certificate")
    world.fresh = seeds.plant(cluster, plan)
    return world


@pytest.fixture
async def sim(still: ClusterWorld, clock: SteppedClock) -> AsyncIterator[Sim]:
    """The same cluster, acting, past its warm-up."""
    task = asyncio.create_task(still.run())
    sim = Sim(still, clock)
    await clock.advance(6)
    assert still.warmed_up.is_set()
    yield sim
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _pod_spec(**fields: Any) -> Obj:
    container: Obj = {"name": "main", "image": fields.pop("image", "nginx:1.27")}
    for field in ("command", "env", "ports", "readinessProbe"):
        if field in fields:
            container[field] = fields.pop(field)
    resources: Obj = {"requests": {"cpu": fields.pop("cpu", "100m"), "memory": fields.pop("memory", "128Mi")}}
    if "gpus" in fields:
        resources["limits"] = {"nvidia.com/gpu": str(fields.pop("gpus"))}
    return {"containers": [container | {"resources": resources}], **fields}


@pytest.fixture
def a_pod() -> Callable[..., Obj]:
    """`a_pod("x", gpus=1, queue="a", notes={…}, **spec)`: a pod, handed to KAI when it names a queue."""

    def make(name: str, **fields: Any) -> Obj:
        labels = dict(fields.pop("labels", {}))
        queue = fields.pop("queue", "")
        if queue:
            labels["kai.scheduler/queue"] = queue
            fields.setdefault("schedulerName", "kai-scheduler")
        meta = {"name": name, "namespace": fields.pop("namespace", "team-a"), "labels": labels}
        meta["annotations"] = dict(fields.pop("notes", {}))
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": _pod_spec(**fields)}

    return make


@pytest.fixture
def a_deployment(a_pod: Callable[..., Obj]) -> Callable[..., Obj]:
    """`a_deployment("web", replicas=2, …)`: as `a_pod`, replicated."""

    def make(name: str, *, replicas: int = 1, strategy: Obj | None = None, **fields: Any) -> Obj:
        pod = a_pod(name, **fields)
        labels = {"app": name} | pod["metadata"]["labels"]
        template = {
            "metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]},
            "spec": pod["spec"],
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        if strategy:
            spec["strategy"] = strategy
        meta = {"name": name, "namespace": pod["metadata"]["namespace"], "labels": labels}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}

    return make
