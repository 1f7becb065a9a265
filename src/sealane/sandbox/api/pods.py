"""What a kubelet answers for a pod: its log, and whatever listens on its ports.

The world behind the cluster does the work (`PodBackend`); here are the query parameters, the path under which a proxied
server sees its requests, and the refusals.
"""

from __future__ import annotations

import datetime
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

from sealane.sandbox.api import errors
from sealane.sandbox.api.backends import NoLogs, NotListening, PodBackend
from sealane.sandbox.api.errors import Cause, StatusError
from sealane.sandbox.api.kinds import PODS, SERVICES
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Handover, Reply, Request, Stream

PARTS = ("containers", "initContainers", "ephemeralContainers")
"""Where the containers of a pod stand."""


async def log(store: Store, backend: PodBackend, target: Target, request: Request) -> Stream | Reply:
    """The log of one container; nothing (204) of a pod that no node runs. Raises StatusError (400, 404)."""
    pod = _pod(store, target)
    name, _ = target.name, target.rest
    containers = [item["name"] for key in PARTS for item in pod["spec"].get(key) or ()]
    container = request.query.get("container", "")
    if not container:
        if len(pod["spec"]["containers"]) > 1:
            raise errors.bad_request(
                f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
            )
        container = pod["spec"]["containers"][0]["name"]
    if container not in containers:
        raise errors.bad_request(f"container {container} is not valid for pod {name}")
    since, limit = _since(store, name, request), request.number("limitBytes")
    tail = request.number("tailLines")
    if tail is not None and tail < 0:
        raise _bad_option(name, "tailLines", tail, "must be greater than or equal to 0")
    if limit is not None and limit < 1:
        raise _bad_option(name, "limitBytes", limit)
    if not pod["spec"].get("nodeName"):
        return Reply(204, b"", content_type="text/plain")
    chunks = backend.logs(
        pod,
        container=container,
        follow=request.flag("follow"),
        tail_lines=tail,
        previous=request.flag("previous"),
        timestamps=request.flag("timestamps"),
        since_seconds=since,
    )
    return Stream(_limited(await _started(chunks), limit), content_type="text/plain")


def proxy(store: Store, backend: PodBackend, target: Target) -> Handover:
    """What answers on a port of a pod (`NAME`, `NAME:PORT`, `http:NAME:PORT`). Raises StatusError (404, 503)."""
    name, port = _name_and_port(target.name)
    pod = store.get(PODS, target.namespace, name)
    if pod is None:
        raise errors.not_found("", "pods", name)
    return _hand_over(backend, pod, _port_of(pod, port), target.rest)


def service_proxy(store: Store, backend: PodBackend, target: Target) -> Handover:
    """What answers behind a service: one of its ready pods. Raises StatusError (404, 503)."""
    name, port = _name_and_port(target.name)
    service = store.get(SERVICES, target.namespace, name)
    if service is None:
        raise errors.not_found("", "services", name)
    ports = service["spec"].get("ports") or []
    chosen = next((item for item in ports if port in {"", str(item["port"]), item.get("name")}), None)
    selector = service["spec"].get("selector")
    pods = store.list(PODS, target.namespace, labels=selector) if selector else []
    ready = [pod for pod in pods if _ready(pod)]
    if chosen is None or not ready:
        shown = target.name if chosen is None else name
        raise StatusError(503, "ServiceUnavailable", f'no endpoints available for service "{shown}"')
    wanted = str(chosen.get("targetPort", chosen["port"]))
    return _hand_over(backend, ready[0], _port_of(ready[0], wanted), target.rest)


def _since(store: Store, name: str, request: Request) -> float | None:
    """How many seconds back the log is wanted; negative for a time to come. Raises StatusError (400, 422)."""
    seconds, moment = request.number("sinceSeconds"), request.query.get("sinceTime", "")
    if seconds is not None and moment:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        cause = Cause("FieldValueForbidden", why, "[]")
        raise errors.invalid("", "PodLogOptions", name, [cause])
    if seconds is not None and seconds < 1:
        raise _bad_option(name, "sinceSeconds", seconds)
    if not moment:
        return seconds
    try:
        return (store.now() - datetime.datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError) as error:
        raise errors.bad_request(f'parsing time "{moment}" as RFC 3339: {error}') from error


def _bad_option(name: str, field: str, value: int, why: str = "must be greater than 0") -> StatusError:
    cause = Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", field)
    return errors.invalid("", "PodLogOptions", name, [cause])


async def _limited(chunks: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    """The first `limit` bytes."""
    left = limit
    async for chunk in chunks:
        yield chunk if left is None else chunk[:left]
        if left is not None:
            left -= len(chunk)
            if left <= 0:
                return


async def _started(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Read the first piece now, so that a log that is not there is an answer and not a broken stream."""
    try:
        first = await anext(chunks, None)
    except NoLogs as error:
        raise errors.bad_request(str(error)) from error

    async def rest() -> AsyncIterator[bytes]:
        if first is not None:
            yield first
            async for chunk in chunks:
                yield chunk

    return rest()


def _hand_over(backend: PodBackend, pod: Obj, port: int, rest: str) -> Handover:
    try:
        app: Any = backend.proxy(pod, port)
    except NotListening as error:
        raise StatusError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from error
    return Handover(app, "/" + rest)


def _name_and_port(text: str) -> tuple[str, str]:
    parts = urllib.parse.unquote(text).split(":")
    if len(parts) == 3:
        return parts[1], parts[2]
    return (parts[0], parts[1]) if len(parts) == 2 else (parts[0], "")


def _port_of(pod: Obj, wanted: str) -> int:
    if wanted.isdigit():
        return int(wanted)
    ports = [port for item in pod["spec"].get("containers") or () for port in item.get("ports") or ()]
    for port in ports:
        if not wanted or port.get("name") == wanted:
            return int(port["containerPort"])
    return 80


def _pod(store: Store, target: Target) -> Obj:
    pod = store.get(PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    return pod


def _ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
