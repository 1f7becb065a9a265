"""A Kubernetes client that is thin on purpose: objects are dicts as the server sends them, kinds are `Resource` values.

It knows HTTP, not schemas, so a kind that appeared yesterday works today. Reads that can be large have a raw form
(bytes and a header). Nothing is opened before the first call, every call has a limit, every failure is a `kube.errors`.
Where a namespace is "" for one object of a namespaced kind, the context's own namespace is meant; for lists, all.
Watching is `kube.watch`; streams to and from pods are `kube.{proxy,logs,exec,portforward}`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Self

import aiohttp
import msgspec

from sealane.kube import discovery, logs, portforward, proxy, resources, reviews, wire
from sealane.kube import exec as execution
from sealane.kube.config import Context
from sealane.kube.errors import UNREADABLE, Disconnected, Target
from sealane.kube.exec import Terminal
from sealane.kube.http import Body, Call, Http, Limits, read
from sealane.kube.portforward import Tunnel
from sealane.kube.proxy import ProxyResponse
from sealane.kube.resources import Resource
from sealane.kube.websocket import Socket
from sealane.kube.wire import RawEvent, RawPage
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import UsageError

PatchType = Literal["merge", "json", "strategic"]
Resources = list[Resource]  # inside the class `list` is the call
Events = list[RawEvent]
MANAGER = "sealane"


class Listing(msgspec.Struct, frozen=True):
    """A whole list, all pages. `resource_version` is where a watch goes on from."""

    items: list[dict[str, Any]]
    resource_version: str


class Allowed(msgspec.Struct, frozen=True):
    """The server's answer to "may I?". `reason` may be empty, also when it is no."""

    allowed: bool
    reason: str = ""


class Client:
    """Calls to one context's API server. Use and close it within one event loop."""

    def __init__(self, context: Context, *, clock: Clock = SYSTEM, limits: Limits | None = None) -> None:
        self.context = context
        self.clock = clock
        self.http = Http(context, clock=clock, limits=limits or Limits())
        self._discovered: list[Resource] | None = None

    async def close(self) -> None:
        """Close every connection; calls and streams under way end with `Disconnected`."""
        await self.http.close()

    def adopt(self, context: Context) -> None:
        """Go on as `context`, which is the same person with renewed credentials (`config.same_person`)."""
        self.context = context
        self.http.adopt(context)

    async def hang_up(self) -> None:
        """Drop every connection and go on with new ones; watches are back within a second. For after a sleep."""
        await self.http.hang_up()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(self, resource: Resource, name: str, *, namespace: str = "", subresource: str = "") -> dict[str, Any]:
        """One object, or one of its subresources."""
        return await self._ask("GET", self._path(resource, name, namespace, subresource))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> Listing:
        """All objects as dicts, read in pages of `limit`. For thousands of objects use `list_raw`."""
        items: list[dict[str, Any]] = []
        version = ""
        pages = self.list_raw(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector, limit=limit
        )
        async for page in pages:
            items += [item.decode() for item in page.objects]
            version = page.resource_version
        return Listing(items, version)

    async def list_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[RawPage]:
        """The pages of a list as they come: header and bytes per object. All pages are of one resource version.

        `Expired` when the server forgot the list's version between pages: start again.
        """
        path = resource.path(namespace=namespace)
        selectors = _selectors(label_selector, field_selector)
        token = ""
        while True:
            query = [*selectors, ("limit", str(limit))]
            if token:
                query.append(("continue", token))
            body = await self.http.request("GET", path, query=query)
            page = wire.page(body, target=self.http.target("GET", path))
            yield page
            token = page.continue_token
            if not token:
                return

    @contextlib.asynccontextmanager
    async def watch_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        resource_version: str = "",
        initial_events: bool = False,
        seconds: int = 300,
        silence: float = 90.0,
    ) -> AsyncIterator[AsyncIterator[Events]]:
        """One watch connection, entered when the server has accepted it; gives the events in batches as they arrive.

        `initial_events` asks for a WatchList: everything that exists first, then a bookmark, then changes. ERROR events
        are given as they are. The server ends it after `seconds`; `TimedOut` after `silence` seconds without a byte;
        `ApiError`, `Unreachable`. `kube.watch` is what most callers want.
        """
        path = resource.path(namespace=namespace)
        query = [*_selectors(label_selector, ""), ("watch", "1"), ("allowWatchBookmarks", "true")]
        query.append(("timeoutSeconds", str(seconds)))
        if initial_events:
            query += [("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]
        if resource_version:
            query.append(("resourceVersion", resource_version))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.http.limits.connect, sock_read=silence)
        call = Call(method="GET", path=path, query=query, timeout=timeout, patient=False)
        async with (
            self.http.open(call) as response,
            contextlib.aclosing(wire.events(response.content, target=self.http.target("GET", path))) as batches,
        ):
            yield batches

    async def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object; `AlreadyExists` when the name is taken, `Invalid` also for a field that does not exist."""
        resource, _, namespace = await self._locate(obj)
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), *_dry(dry_run)]
        path = resource.path(namespace=namespace)
        return await self._ask("POST", path, query=query, **_json(obj))

    async def apply(
        self, obj: Mapping[str, Any], *, dry_run: bool = False, force: bool = False, manager: str = MANAGER
    ) -> dict[str, Any]:
        """Server-side apply: create, or become the owner of exactly these fields. `Conflict` names other owners."""
        resource, name, namespace = await self._locate(obj)
        query = [("fieldManager", manager), ("force", "true" if force else "false"), *_dry(dry_run)]
        path = self._path(resource, name, namespace, "")
        sent = _json(obj, "application/apply-patch+yaml")
        return await self._ask("PATCH", path, query=query, **sent)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        namespace: str = "",
        type: PatchType = "merge",  # noqa: A002 - kubectl's word for it
        subresource: str = "",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Change an object: a merge or strategic patch is an object, a json patch a list of operations."""
        media = {"merge": "merge-patch", "json": "json-patch", "strategic": "strategic-merge-patch"}[type]
        path = self._path(resource, name, namespace, subresource)
        query = [("fieldManager", MANAGER), *_dry(dry_run)]
        return await self._ask("PATCH", path, query=query, **_json(patch, f"application/{media}+json"))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        propagation: str = "Background",
        uid: str = "",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Delete an object, only the one with this `uid` where given (`Conflict` when another has its name now)."""
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        path = self._path(resource, name, namespace, "")
        return await self._ask("DELETE", path, **_json(options))

    async def scale(self, resource: Resource, name: str, replicas: int, *, namespace: str) -> dict[str, Any]:
        """Set the number of replicas through the scale subresource, which needs no right to change the object."""
        return await self.patch(
            resource, name, {"spec": {"replicas": replicas}}, namespace=namespace, subresource="scale"
        )

    def logs(
        self,
        pod: str,
        *,
        namespace: str,
        container: str = "",
        follow: bool = False,
        tail_lines: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """A container's log as it is, line by line with the line ends. To follow through interruptions, or several at
        once, see `kube.tailing` and `kube.merging`."""
        options = logs.Options(container=container, follow=follow, tail_lines=tail_lines, previous=previous)
        return logs.stream(self.http, resources.PODS.path(pod, namespace=namespace, subresource="log"), options)

    def proxy(
        self,
        pod: str,
        *,
        namespace: str,
        port: int,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        timeout: float = proxy.PATIENCE,
    ) -> AbstractAsyncContextManager[ProxyResponse]:
        """A request to a pod's port through the API server; see `kube.proxy`. `timeout` is seconds of silence."""
        address = proxy.pod_path(pod, namespace=namespace, port=port, path=path)
        return proxy.open_response(self.http, method, address, headers=headers or {}, body=body, silence=timeout)

    def proxy_websocket(
        self, pod: str, *, namespace: str, port: int, path: str, protocols: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[Socket]:
        """A WebSocket to a pod's port through the API server; for a service and headers see `kube.proxy`."""
        address = proxy.pod_path(pod, namespace=namespace, port=port, path=path)
        return proxy.open_websocket(self.http, address, headers={}, protocols=protocols)

    def exec(
        self,
        pod: str,
        *,
        namespace: str,
        container: str = "",
        command: Sequence[str],
        stdin: bool = False,
        tty: bool = False,
    ) -> AbstractAsyncContextManager[Terminal]:
        """A command in a running container; see `kube.exec`."""
        where = {"namespace": namespace, "container": container}
        return execution.run(self.http, pod, **where, command=command, stdin=stdin, tty=tty)

    def attach(
        self, pod: str, *, namespace: str, container: str = "", stdin: bool = False, tty: bool = False
    ) -> AbstractAsyncContextManager[Terminal]:
        """The process that the container runs already; see `kube.exec`."""
        return execution.attach(self.http, pod, namespace=namespace, container=container, stdin=stdin, tty=tty)

    def port_forward(self, pod: str, *, namespace: str, port: int) -> AbstractAsyncContextManager[Tunnel]:
        """One connection to a pod's port; `kube.portforward.listening` makes a local port of it."""
        return portforward.open_tunnel(self.http, pod, namespace=namespace, port=port)

    async def version(self, *, patient: bool = True) -> str:
        """The server's version as it calls itself, such as `v1.34.2`. Without patience a server that is busy (429) is
        not waited for, so that it can be called so."""
        limits, target = self.http.limits, self.http.target("GET", "/version")
        timeout = aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect, sock_read=limits.request)
        async with self.http.open(Call(method="GET", path="/version", timeout=timeout, patient=patient)) as response:
            body = await read(response, target=target, limit=limits.answer, seconds=limits.request)
        return str(self._one_object(body, target).get("gitVersion", ""))

    async def discover(self) -> Resources:
        """Every kind that the server serves, at every version, each group's preferred version first; remembered."""
        self._discovered = await discovery.discover(self.http)
        return self._discovered

    async def can_i(
        self, verb: str, resource: Resource, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Allowed:
        """Ask the server whether this identity may (SelfSubjectAccessReview); everybody may ask."""
        attributes = {
            "verb": verb,
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
            "namespace": namespace,
            "name": name,
            "subresource": subresource,
        }
        review = {
            "apiVersion": resources.ACCESS_REVIEWS.api_version,
            "kind": resources.ACCESS_REVIEWS.kind,
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        path = resources.ACCESS_REVIEWS.path()
        status = (await self._ask("POST", path, **_json(review))).get("status", {})
        return Allowed(bool(status.get("allowed")), str(status.get("reason", "") or status.get("evaluationError", "")))

    async def rules(self, namespace: str) -> reviews.Rules:
        """All that this identity may do in a namespace (SelfSubjectRulesReview); everybody may ask."""
        path = resources.RULES_REVIEWS.path()
        body = await self.http.request("POST", path, **_json(reviews.question(namespace)))
        try:
            return reviews.answer(body)
        except UNREADABLE as error:
            target = self.http.target("POST", path)
            raise Disconnected(f"{target.server} does not answer like an API server", target=target) from error

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """An exchange whose answer is one JSON object. `Disconnected` when it is something else (a login page)."""
        return self._one_object(await self.http.request(method, path, **more), self.http.target(method, path))

    def _one_object(self, body: bytes, target: Target) -> dict[str, Any]:
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except UNREADABLE as error:
            raise Disconnected(f"{target.server} does not answer like an API server", target=target) from error

    def _path(self, resource: Resource, name: str, namespace: str, subresource: str) -> str:
        where = (namespace or self.context.namespace) if resource.namespaced else ""
        return resource.path(name, namespace=where, subresource=subresource)

    async def _locate(self, obj: Mapping[str, Any]) -> tuple[Resource, str, str]:
        """Resource, name and namespace of a manifest; kinds that are not constants are looked up once by discovery."""
        metadata = obj.get("metadata") or {}
        try:
            resource = resources.of(obj)
        except UsageError:
            known = self._discovered or await self.discover()
            wanted = (obj.get("apiVersion"), obj.get("kind"))
            found = next((item for item in known if (item.api_version, item.kind) == wanted), None)
            if found is None:
                raise
            resource = found
        namespace = str(metadata.get("namespace") or self.context.namespace) if resource.namespaced else ""
        return resource, str(metadata.get("name", "")), namespace


def _json(value: Any, media: str = "application/json") -> dict[str, Any]:
    return {"body": msgspec.json.encode(value), "headers": {"Content-Type": media}}


def _dry(dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []


def _selectors(label: str, field: str) -> list[tuple[str, str]]:
    pairs = (("labelSelector", label), ("fieldSelector", field))
    return [(key, value) for key, value in pairs if value]
