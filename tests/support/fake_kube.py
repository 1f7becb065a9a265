"""A Kubernetes API server that lives in memory: enough of `kube.client.Client` for the layers above it.

`FakeKube` holds the objects; `FakeClient` is what the fleet gets. Watching goes through the real `kube.watch.reflect`,
which reads `list_raw` and `watch_raw` here. `StepClock` is a clock whose sleepers wake only when a test moves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from sealane.kube import errors, resources, wire
from sealane.kube.client import Allowed, Listing
from sealane.kube.config import Context
from sealane.kube.resources import Resource
from sealane.kube.reviews import Rule, Rules
from sealane.kube.wire import RawEvent, RawPage

SUBRESOURCES = ("exec", "log", "proxy", "scale")
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class StepClock:
    """Time that moves only by `advance`; whoever sleeps wakes in order."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1_000.0 + self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on, waking every sleeper at its own moment and letting it work before time goes on."""
        end = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._elapsed, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._elapsed = end
        await settle()


async def settle(turns: int = 60) -> None:
    """Let every task run until it waits for something."""
    for _ in range(turns):
        await asyncio.sleep(0)


def context(name: str = "harbor-eu", *, namespace: str = "default") -> Context:
    return Context(name=name, server=f"https://{name}.test", cluster=name, user="dana", namespace=namespace)


def forbidden(message: str = "not you") -> errors.Forbidden:
    return errors.Forbidden(403, "Forbidden", message)


def not_found(what: str) -> errors.NotFound:
    return errors.NotFound(404, "NotFound", f"{what} not found")


def refused(name: str = "harbor-eu") -> errors.Refused:
    return errors.Refused(
        "the connection is refused", target=errors.Target(context=name, server=f"https://{name}.test")
    )


class FakeResponse:
    """A pod's answer: a status and chunks."""

    def __init__(self, chunks: list[bytes] | AsyncIterator[bytes], *, status: int = 200) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        if isinstance(self._chunks, list):
            for chunk in self._chunks:
                yield chunk
            return
        async for chunk in self._chunks:
            yield chunk

    async def read(self, *, limit: int = 1 << 26) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])


def answer(body: Any, *, status: int = 200) -> FakeResponse:
    return FakeResponse([msgspec.json.encode(body)], status=status)


PodHandler = Callable[[str, str, dict[str, Any]], Awaitable[FakeResponse]]


class FakeKube:
    """One cluster's objects. Set `down` to an error to take it away, `denied` to take rights away."""

    def __init__(self, *, kai: bool = True) -> None:
        self.objects: dict[Resource, dict[tuple[str, str], dict[str, Any]]] = {}
        self.served = [resource for resource in resources.KNOWN if kai or "run.ai" not in resource.group]
        self.down: Exception | None = None
        self.denied: set[tuple[str, str]] = set()  # (plural, namespace or "")
        self.calls: list[tuple[str, str, str]] = []  # (verb, plural, name)
        self.pods: dict[tuple[str, str], PodHandler] = {}
        self.refuse: Callable[[str, dict[str, Any], bool], Exception | None] = lambda _verb, _obj, _dry: None
        self.version = "v1.34.1"
        self._revision = 0
        self._log: list[tuple[int, Resource, str, dict[str, Any]]] = []
        self._watchers: set[asyncio.Queue[tuple[Resource, str, dict[str, Any]] | None]] = set()

    def put(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Create or replace an object, as the API server stores it, and tell the watchers."""
        self._revision += 1
        stored = copy.deepcopy(obj)
        meta = stored.setdefault("metadata", {})
        meta["resourceVersion"] = str(self._revision)
        key = (meta.get("namespace", ""), meta["name"])
        held = self.objects.setdefault(resource, {})
        meta.setdefault("uid", held[key]["metadata"]["uid"] if key in held else f"uid-{self._revision}")
        event = "MODIFIED" if key in held else "ADDED"
        held[key] = stored
        self._tell(resource, event, stored)
        return stored

    def drop(self, resource: Resource, namespace: str, name: str) -> None:
        self._revision += 1
        gone = self.objects.get(resource, {}).pop((namespace, name), None)
        if gone is not None:
            gone["metadata"]["resourceVersion"] = str(self._revision)
            self._tell(resource, "DELETED", gone)

    def cut(self) -> None:
        """End every watch connection."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def client(self, of: Context) -> FakeClient:
        return FakeClient(self, of)

    def _tell(self, resource: Resource, event: str, obj: dict[str, Any]) -> None:
        self._log.append((self._revision, resource, event, copy.deepcopy(obj)))
        for queue in self._watchers:
            queue.put_nowait((resource, event, copy.deepcopy(obj)))

    def check(self, verb: str, resource: Resource, namespace: str, name: str = "") -> None:
        """What every call goes through: the network, then rights."""
        self.calls.append((verb, resource.plural, name))
        if self.down is not None:
            raise self.down
        if not self.allowed(resource, namespace):
            word = "patch" if "-" in verb else verb
            raise forbidden(f'{resource.plural} is forbidden: User "dana" cannot {word} resource "{resource.plural}"')
        if resource not in self.served:
            raise not_found(resource.plural)

    def allowed(self, resource: Resource, namespace: str) -> bool:
        """Whether rights to the kind are left, there or everywhere."""
        return (resource.plural, "") not in self.denied or bool(
            namespace and (resource.plural, namespace) not in self.denied and ("allow", namespace) in self.denied
        )

    def held(self, resource: Resource, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        found = [obj for key, obj in sorted(self.objects.get(resource, {}).items()) if namespace in {"", key[0]}]
        return [obj for obj in found if wanted.items() <= (obj["metadata"].get("labels") or {}).items()]


def _all_of(kind: Resource, *verbs: str) -> Rule:
    """All verbs; other words for the same make a role of a namespace another rule than one of the cluster."""
    return Rule(verbs, (kind.group,), (kind.plural, *(f"{kind.plural}/{part}" for part in SUBRESOURCES)), None)


class FakeClient:
    """`kube.client.Client` on a `FakeKube`."""

    def __init__(self, kube: FakeKube, of: Context) -> None:
        self.kube = kube
        self.context = of
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    def adopt(self, of: Context) -> None:
        self.context = of

    async def version(self, *, patient: bool = True) -> str:
        del patient
        await asyncio.sleep(0)
        if self.kube.down is not None:
            raise self.kube.down
        return self.kube.version

    async def discover(self) -> list[Resource]:
        return list(self.kube.served)

    async def can_i(self, verb: str, resource: Resource, *, namespace: str = "", **_: str) -> Allowed:
        await asyncio.sleep(0)
        if self.kube.down is not None:
            raise self.kube.down
        return Allowed(allowed=self.kube.allowed(resource, namespace))

    async def rules(self, namespace: str) -> Rules:
        await asyncio.sleep(0)
        if self.kube.down is not None:
            raise self.kube.down
        everywhere = [_all_of(kind, "*") for kind in resources.KNOWN if self.kube.allowed(kind, "")]
        here = [_all_of(kind, "get", "*") for kind in resources.KNOWN if ("allow", namespace) in self.kube.denied]
        return Rules((*everywhere, *(rule for rule in here if (rule.resources or ("",))[0] in self._here(namespace))))

    def _here(self, namespace: str) -> set[str]:
        return {kind.plural for kind in resources.KNOWN if self.kube.allowed(kind, namespace)}

    async def get(self, resource: Resource, name: str, *, namespace: str = "", subresource: str = "") -> dict[str, Any]:
        await asyncio.sleep(0)
        self.kube.check("get", resource, namespace, name)
        found = self.kube.objects.get(resource, {}).get((namespace if resource.namespaced else "", name))
        if found is None:
            raise not_found(f'{resource.plural} "{name}"')
        return copy.deepcopy(found)

    async def list(self, resource: Resource, *, namespace: str = "", label_selector: str = "", **_: Any) -> Listing:
        await asyncio.sleep(0)
        self.kube.check("list", resource, namespace)
        return Listing(copy.deepcopy(self.kube.held(resource, namespace, label_selector)), "1")

    async def list_raw(
        self, resource: Resource, *, namespace: str = "", label_selector: str = "", **_: Any
    ) -> AsyncIterator[RawPage]:
        await asyncio.sleep(0)
        self.kube.check("list", resource, namespace)
        found = self.kube.held(resource, namespace, label_selector)
        yield RawPage([wire.raw_object(msgspec.json.encode(obj)) for obj in found], str(self.kube._revision))

    @contextlib.asynccontextmanager
    async def watch_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        resource_version: str = "",
        initial_events: bool = False,
        **_: Any,
    ) -> AsyncIterator[AsyncIterator[list[RawEvent]]]:
        await asyncio.sleep(0)
        self.kube.check("watch", resource, namespace)
        if initial_events:
            raise errors.Invalid(400, "BadRequest", "sendInitialEvents is forbidden")
        queue: asyncio.Queue[tuple[Resource, str, dict[str, Any]] | None] = asyncio.Queue()
        for revision, kind, event, obj in self.kube._log:
            if revision > int(resource_version or 0):
                queue.put_nowait((kind, event, obj))
        self.kube._watchers.add(queue)
        try:
            yield self._events(queue, resource, namespace)
        finally:
            self.kube._watchers.discard(queue)

    @staticmethod
    async def _events(queue: Any, resource: Resource, namespace: str) -> AsyncIterator[list[RawEvent]]:
        while True:
            item = await queue.get()
            if item is None:
                return
            kind, event, obj = item
            if kind == resource and namespace in {"", obj["metadata"].get("namespace", "")}:
                yield [RawEvent(event, msgspec.Raw(msgspec.json.encode(obj)))]

    async def create(self, obj: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        return self._write("create", obj, dry_run)

    async def apply(
        self, obj: dict[str, Any], *, dry_run: bool = False, force: bool = False, manager: str = "sealane"
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        return self._write("apply-force" if force else "apply", obj, dry_run)

    def _write(self, verb: str, obj: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        resource, meta = resources.of(obj), obj["metadata"]
        self.kube.check("dry-run" if dry_run else verb, resource, meta.get("namespace", ""), meta["name"])
        failure = self.kube.refuse(verb, obj, dry_run)
        if failure is not None:
            raise failure
        namespaces = self.kube.objects.get(resources.NAMESPACES)
        if resource.namespaced and namespaces is not None and ("", meta["namespace"]) not in namespaces:
            raise not_found(f'namespaces "{meta["namespace"]}"')
        if dry_run:
            return copy.deepcopy(obj)
        before = self.kube.objects.get(resource, {}).get((meta.get("namespace", ""), meta["name"]), {})
        return self.kube.put(resource, _merged(before, obj))

    async def patch(
        self, resource: Resource, name: str, patch: dict[str, Any], *, namespace: str = "", **_: Any
    ) -> dict[str, Any]:
        before = await self.get(resource, name, namespace=namespace)
        self.kube.calls.append(("patch", resource.plural, name))
        return self.kube.put(resource, _merged(before, patch))

    async def logs(self, pod: str, *, namespace: str, **_: Any) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        self.kube.check("log", resources.PODS, namespace, pod)
        yield f"one line of {namespace}/{pod}\n".encode()

    async def scale(self, resource: Resource, name: str, replicas: int, *, namespace: str) -> dict[str, Any]:
        return await self.patch(resource, name, {"spec": {"replicas": replicas}}, namespace=namespace)

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = "", **_: Any
    ) -> dict[str, Any]:
        found = await self.get(resource, name, namespace=namespace)
        if uid and found["metadata"]["uid"] != uid:
            raise errors.Conflict(409, "Conflict", "the UID in the precondition does not match")
        self.kube.calls.append(("delete", resource.plural, name))
        self.kube.drop(resource, namespace, name)
        return found

    @contextlib.asynccontextmanager
    async def proxy(
        self, pod: str, *, namespace: str, port: int, method: str, path: str, body: bytes | None = None, **_: Any
    ) -> AsyncIterator[FakeResponse]:
        await asyncio.sleep(0)
        self.kube.check("proxy", resources.PODS, namespace, f"{pod}:{port}{path}")
        handler = self.kube.pods.get((namespace, pod))
        if handler is None:
            raise errors.PodUnreachable(503, "ServiceUnavailable", "error trying to reach service: connection refused")
        yield await handler(method, path, msgspec.json.decode(body) if body else {})


def _merged(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(before)
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
