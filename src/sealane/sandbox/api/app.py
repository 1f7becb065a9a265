"""The API server of one simulated cluster as an ASGI application: who asks, may they, and who answers.

The order is a real server's: faults that a test switched on, authentication, impersonation, authorisation, then the
request itself. Nothing leaves here but a `Status` when something fails.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

import msgspec

from sealane.sandbox.api import (
    actions,
    discovery,
    errors,
    evictions,
    metrics,
    notices,
    openapi,
    options,
    pods,
    podstreams,
    rbac,
    reading,
    reviews,
    routes,
    scaling,
    tables,
)
from sealane.sandbox.api.backends import PodBackend
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.faults import Faults
from sealane.sandbox.api.rbac import Ask
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import Users, service_account
from sealane.sandbox.api.wire import (
    ANONYMOUS,
    Answer,
    Handover,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    User,
    answer,
    as_json,
)
from sealane.sandbox.api.writing import Admit, Warn, Writer

log = logging.getLogger(__name__)
_ACCOUNT: Final = "system:serviceaccount:"

VERSION: Final = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.1+sealane-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "sealane/sandbox",
}
_OPEN: Final = frozenset({"/healthz", "/livez", "/readyz", "/version"})
_DISCOVERY: Final = ("/api", "/apis", "/openapi")
FAULTS_PATH: Final = "/sealane-sandbox/faults"
SCENARIOS_PATH: Final = "/sealane-sandbox/scenarios"


class Controlled(Protocol):
    """What plays scenarios in this cluster and the others."""

    async def control(self, request: Request) -> Reply:
        """Answer a request about scenarios. Raises StatusError."""


class ApiServer:
    """See the module. `admit` is the cluster's admission, `backend` what stands behind its pods."""

    def __init__(
        self,
        name: str,
        store: Store,
        *,
        users: Users,
        backend: PodBackend,
        admit: Admit,
        faults: Faults,
        warn: Warn = lambda _plural, _obj: [],
        measure: metrics.Measure | None = None,
    ) -> None:
        self.name = name
        self.store = store
        self.backend = backend
        self.faults = faults
        self.scenarios: Controlled | None = None
        self._users = users
        self._measure = measure or metrics.Nothing()
        self._writer = Writer(store, admit=admit, warn=warn)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] not in {"http", "websocket"}:
            return
        request = Request(scope, receive)
        try:
            reply = await self._answer(request)
        except StatusError as error:
            headers = (("retry-after", str(error.retry_after)),) if error.retry_after is not None else ()
            reply = msgspec.structs.replace(as_json(error.status(), error.code), headers=headers)
        except errors.UnknownPath:
            reply = Reply(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")
        except Exception as error:
            log.exception("%s: %s %s failed", self.name, request.method, request.path)
            failure = StatusError(500, "InternalError", f"Internal error occurred: {type(error).__name__}")
            reply = as_json(failure.status(), 500)
        if request.is_websocket and not isinstance(reply, Reply | Handover):
            reply = as_json(errors.bad_request("this resource is not served as a WebSocket").status(), 400)
        await answer(reply, request, send)

    async def _answer(self, request: Request) -> Answer:
        path = request.path.rstrip("/") or "/"
        is_faults = path == FAULTS_PATH or path.startswith(FAULTS_PATH + "/")
        is_scenarios = path == SCENARIOS_PATH and self.scenarios is not None
        if not (is_faults or is_scenarios):
            await self.faults.meet(request.path)
        request.user = self._impersonated(request, self._users.authenticate(request))
        if path in _OPEN or path.startswith(("/healthz/", "/livez/", "/readyz/")):
            return (
                as_json(VERSION) if path == "/version" else Reply(200, b"ok", content_type="text/plain; charset=utf-8")
            )
        if self.scenarios is not None and is_scenarios:
            self._allow(request.user, Ask(verb=request.method.lower(), path=path))
            return await self.scenarios.control(request)
        if is_faults:
            self._allow(request.user, Ask(verb=request.method.lower(), path=path))
            return await self.faults.control(request, path.removeprefix(FAULTS_PATH).strip("/"))
        if path == "/" or any(path == head or path.startswith(head + "/") for head in _DISCOVERY):
            found = self._discover(path, request)
            if found is not None:
                return found
        else:
            self._allow(request.user, Ask(verb=request.method.lower(), path=path))
            raise errors.UnknownPath
        return await self._resource(routes.target(request.path, self.store.kinds), request)

    def _discover(self, path: str, request: Request) -> Reply | None:
        parts = path.strip("/").split("/")
        registry = self.store.kinds
        if parts[0] != "openapi" and len(parts) > (2 if parts[0] == "api" else 3):
            return None
        if request.user is ANONYMOUS:
            self._allow(request.user, Ask(verb="get", path=path))
        if parts[0] == "openapi":
            return openapi.document(registry, self.store.shape_of, parts[1:], request)
        if path == "/":
            heads = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
            return as_json({"paths": heads + [f"/apis/{name}" for name in sorted({k.group for k in registry} - {""})]})
        if path == "/api":
            return discovery.core_versions(registry, request)
        if path == "/apis":
            return discovery.groups(registry, request)
        if parts[0] == "apis" and len(parts) == 2:
            found = discovery.group(registry, parts[1])
        else:
            found = discovery.resources(registry, parts[1] if parts[0] == "apis" else "", parts[-1])
        if found is None:
            raise errors.UnknownPath
        return found

    async def _resource(self, target: Target, request: Request) -> Answer:
        if target.subresource != "proxy":
            request.check_accept()
        watch = request.flag("watch") and not target.name
        verb = target.verb(request.method, watch=watch)
        self._allow(
            request.user,
            Ask(
                verb=verb, group=target.kind.group, resource=target.kind.plural, subresource=target.subresource,
                namespace=target.namespace or (target.name if target.kind.plural == "namespaces" else ""),
                name=target.name,
            ),
        )  # fmt: skip
        if target.subresource not in {"", "status", "ephemeralcontainers"}:
            found = await self._subresource(target, request)
            if found is not None:
                return found
        elif "create" in target.kind.verbs and target.kind.group in {"authorization.k8s.io", "authentication.k8s.io"}:
            if verb == "create":
                return await reviews.answer(self.store, target.kind, request, namespace=target.namespace)
        elif target.kind.group == "metrics.k8s.io":
            if verb not in {"get", "list"}:
                raise errors.method_not_allowed()
            return metrics.answer(self.store, self._measure, target, request)
        elif verb in {"get", "list", "watch"}:
            request.warnings += notices.of_kind(target.kind)
            if verb == "watch":
                return reading.watch(self.store, target, request, is_cut=self.faults.cutter())
            return (
                reading.get(self.store, target, request) if target.name else reading.page(self.store, target, request)
            )
        else:
            return await self._write(verb, target, request)
        raise errors.method_not_allowed()

    async def _write(self, verb: str, target: Target, request: Request) -> Reply:
        writer = self._writer
        options.of_write(verb, request)
        request.warnings += notices.of_kind(target.kind)
        if verb == "create" and not target.name:
            return await writer.create(target, request)
        if verb == "update" and target.name:
            return await writer.replace(target, request)
        if verb == "patch" and target.name:
            return await writer.patch(target, request)
        if verb == "delete" and not target.subresource:
            return await writer.delete(target, request)
        if verb == "deletecollection":
            return await writer.delete_collection(target, request)
        raise errors.method_not_allowed()

    async def _subresource(self, target: Target, request: Request) -> Answer | None:
        sub, method = target.subresource, request.method
        if sub == "proxy":
            if target.kind.plural == "services":
                return pods.service_proxy(self.store, self.backend, target)
            if target.kind.plural == "pods":
                return pods.proxy(self.store, self.backend, target)
        if sub == "scale" and method in {"GET", "PUT", "PATCH"}:
            if method == "GET":
                scale = scaling.get(self.store, target)
                return as_json(tables.of_scale(scale, request, self.store.now()) if request.wants_table else scale)
            return await (self._writer.replace if method == "PUT" else self._writer.patch)(target, request)
        if sub == "log" and method == "GET":
            return await pods.log(self.store, self.backend, target, request)
        if sub in podstreams.STREAMS and method in {"GET", "POST"}:
            return podstreams.answer(self.store, self.backend, target, request)
        if sub == "eviction" and method == "POST":
            return await evictions.evict(self.store, target, request)
        if sub == "binding" and method == "POST":
            return await actions.bind(self.store, target, request)
        if sub == "token" and method == "POST":
            return await actions.token(self.store, self._users, target, request)
        if sub == "finalize" and method == "PUT":
            return await self._writer.finalize(target, request)
        return None

    def _allow(self, user: User, ask: Ask) -> None:
        decision = rbac.decide(self.store, user, ask)
        if decision.allowed:
            return
        details = {"group": ask.group, "kind": ask.resource, "name": ask.name}
        what = errors.qualified(ask.group, ask.resource)
        if ask.path:
            raise StatusError(403, "Forbidden", f"forbidden: {rbac.refusal(user, ask)}", details={})
        named = f'{what} "{ask.name}" is forbidden' if ask.name else f"{what} is forbidden"
        kept = {key: value for key, value in details.items() if value}
        raise StatusError(403, "Forbidden", f"{named}: {rbac.refusal(user, ask)}", details=kept)

    def _impersonated(self, request: Request, user: User) -> User:
        name = request.headers.get("impersonate-user", "")
        if not name:
            return user
        self._allow(user, Ask(verb="impersonate", resource="users", name=name))
        given = [value.decode("latin-1") for key, value in request.scope["headers"] if key == b"impersonate-group"]
        if name.startswith(_ACCOUNT) and not given:
            return service_account(*name.removeprefix(_ACCOUNT).split(":", 1))
        return User(name, (*given, "system:authenticated"))
