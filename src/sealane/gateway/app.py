"""The gateway as an ASGI application: paths, keys, and the tasks that live as long as it does.

Raw ASGI and no framework on the way: a router and middlewares would cost a third of the CPU that a request may take.
Every task has a name and one owner, `running()`; a task that fails is logged and begun again, because a gateway
without its sweep or its meter must not go on unnoticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.types import Receive, Scope, Send

from sealane.gateway import answers, endpoints, errors
from sealane.gateway.balancer import Balancer
from sealane.gateway.errors import Api, ForeignHost, KeyMissing, KeyRevoked, KeyUnknown, NoReplica, UnknownEndpoint
from sealane.gateway.flights import Flights
from sealane.gateway.keys import Key, KeyStore
from sealane.gateway.listing import Listing
from sealane.gateway.metering import UsageStore
from sealane.gateway.metrics import Metrics
from sealane.gateway.relay import Relay
from sealane.gateway.routes import ReplicaSource
from sealane.gateway.settings import Settings
from sealane.lib import text
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import NextStep, SealaneError
from sealane.state.errors import StateError

__all__ = ["Gateway", "Settings", "build"]

log = logging.getLogger(__name__)

_RESTART = 1.0
_MODEL_PREFIX = "/v1/models/"
_KEY_STEP = (NextStep(title="Make a key in the console", command="sealane up"),)


def build(
    *,
    replicas: ReplicaSource,
    keys: KeyStore,
    usage: UsageStore,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
) -> Gateway:
    """The application. Its tasks run while the server's lifespan lasts, or inside `async with gateway.running()`."""
    return Gateway(replicas=replicas, keys=keys, usage=usage, settings=settings or Settings(), clock=clock)


class Gateway:
    """One gateway process. `metrics` and `balancer` are open to the console, which shows them."""

    def __init__(
        self, *, replicas: ReplicaSource, keys: KeyStore, usage: UsageStore, settings: Settings, clock: Clock
    ) -> None:
        self.metrics = Metrics()
        self.settings = settings
        self.balancer = Balancer(replicas, settings=settings, clock=clock)
        self.flights = Flights(settings=settings, clock=clock)
        self._source = replicas
        self._keys = keys
        self._usage = usage
        self._clock = clock
        self._runs = False
        self._listing = Listing(self.balancer)
        self._relay = Relay(
            balancer=self.balancer,
            flights=self.flights,
            usage=usage,
            metrics=self.metrics,
            settings=settings,
            clock=clock,
        )
        self._open: dict[str, Callable[[Send], Awaitable[None]]] = {
            "/": self._root,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_page,
        }
        self._lists: dict[str, Callable[[Send], Awaitable[None]]] = {
            "/v1/models": self._listing.openai_models,
            "/api/tags": self._listing.tags,
            "/api/ps": self._listing.ps,
            "/api/version": self._listing.version,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = endpoints.ENDPOINTS.get(path)
        try:
            if endpoint is not None and scope["method"] == "POST":
                key = self._key_of(scope)
                await self._relay.serve(endpoint, key_id=key.id if key else "", scope=scope, receive=receive, send=send)
            else:
                await self._other(scope, path, send)
        except SealaneError as error:
            self.metrics.requests.add((path if endpoint else "", "", str(error.http_status)))
            await answers.error(send, _api(scope, path), error)

    async def _other(self, scope: Scope, path: str, send: Send) -> None:
        """Everything that needs no replica's work."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise _no_such(scope["method"], path)
        page = self._open.get(path)
        if page is not None:
            self._check_host(scope)
            await page(send)
            return
        self._key_of(scope)
        page = self._lists.get(path)
        if page is not None:
            await page(send)
        elif path.startswith(_MODEL_PREFIX):
            await self._listing.openai_model(send, path.removeprefix(_MODEL_PREFIX))
        else:
            raise _no_such(scope["method"], path)

    def _check_host(self, scope: Scope) -> None:
        """Without a key the host's name is all that stands against DNS rebinding. Raises ForeignHost."""
        asked = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        name = asked[: asked.find("]") + 1] if asked.startswith("[") else asked.partition(":")[0]
        if self.settings.hosts and name.lower() not in self.settings.hosts:
            raise ForeignHost(
                f"This address answers to {text.listing(sorted(self.settings.hosts), word='or')}, not to {name[:80]}."
            )

    def _key_of(self, scope: Scope) -> Key | None:
        """The key of a request. Raises KeyMissing, KeyUnknown, KeyRevoked. Its secret goes nowhere else."""
        secret = ""
        for name, value in scope["headers"]:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                secret = value[7:].decode("latin-1").strip()
                break
            if name == b"x-api-key":
                secret = value.decode("latin-1").strip()
        if not secret:
            if not self.settings.require_key:
                return None
            raise KeyMissing(
                "This gateway needs a key: send `Authorization: Bearer sk-sealane-…`.", next_steps=_KEY_STEP
            )
        key = self._keys.look(secret)
        if key is None:
            raise KeyUnknown("The gateway does not know this key.", next_steps=_KEY_STEP)
        if key.revoked_at is not None:
            when = f"{key.revoked_at:%Y-%m-%d %H:%M} UTC"
            raise KeyRevoked(f"The key `{key.name}` (…{key.hint}) was revoked on {when}.", next_steps=_KEY_STEP)
        return key

    async def _root(self, send: Send) -> None:
        await answers.plain(send, b"Sealane gateway is running")

    async def _healthz(self, send: Send) -> None:
        await answers.json(send, {"ok": True})

    async def _readyz(self, send: Send) -> None:
        if not self._source.ready:
            raise NoReplica("The gateway has not seen its clusters yet.", retry_after=1)
        await answers.json(send, {"ok": True, "models": len(self._source.routes.models)})

    async def _metrics_page(self, send: Send) -> None:
        metrics, slots = self.metrics, list(self.balancer.slots())
        ready: dict[tuple[str, ...], float] = {}
        for slot in slots:
            ready[(slot.replica.model,)] = ready.get((slot.replica.model,), 0) + 1
        metrics.replicas.set(ready)
        metrics.in_flight.set({(s.replica.cluster, s.replica.namespace, s.replica.pod): s.in_flight for s in slots})
        metrics.queued.set({(model,): number for model, number in self.balancer.queued().items()})
        metrics.ejected.set({(): self.balancer.ejected()})
        metrics.usage_failures.set({(): self._usage.write_failures})
        await answers.plain(send, metrics.text(), kind=b"text/plain; version=0.0.4; charset=utf-8")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the gateway's tasks; on the way out they end and pending usage is written. A second time does nothing."""
        if self._runs:
            yield
            return
        self._runs = True
        jobs: dict[str, Callable[[], Awaitable[None]]] = {
            "replicas": self._source.run,
            "sweep": self._sweep,
            "usage": lambda: self._usage.run(every=self.settings.flush),
            "keys": self._refresh_keys,
            "loaded": self._poll,
        }
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._keep(job), name=f"gateway: {name}") for name, job in jobs.items()]
            try:
                yield
            finally:
                self._runs = False
                for task in tasks:
                    task.cancel()
        try:
            await self._usage.flush()
        except StateError as error:
            log.error("The last usage could not be written. %s", error.sentence)

    async def _keep(self, job: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await job()
            except Exception:
                log.exception("A task of the gateway failed and begins again.")
            else:
                return
            await self._clock.sleep(_RESTART)

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(self.settings.sweep)
            self.flights.sweep()
            self.balancer.tick()

    async def _refresh_keys(self) -> None:
        while True:
            await self._clock.sleep(self.settings.refresh)
            try:
                await asyncio.to_thread(self._keys.refresh)
            except StateError as error:
                log.warning("The keys could not be read again. %s", error.sentence)

    async def _poll(self) -> None:
        while True:
            await self._listing.poll()
            await self._clock.sleep(self.settings.poll)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _no_such(method: str, path: str) -> UnknownEndpoint:
    known = [*endpoints.ENDPOINTS, "/v1/models", "/api/tags", "/api/ps", "/api/version"]
    if path in known:
        return UnknownEndpoint(f"{path} does not take {method}.")
    near = text.nearest(path, known, limit=2)
    hint = f"; did you mean {text.listing(near, word='or')}?" if near else "."
    return UnknownEndpoint(f"The gateway has no {path[:80]}{hint}")


def _api(scope: Scope, path: str) -> Api:
    if any(name == b"anthropic-version" for name, _ in scope["headers"]):
        return errors.Api.ANTHROPIC
    return endpoints.api_of(path)
