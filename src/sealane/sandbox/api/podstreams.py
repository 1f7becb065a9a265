"""Exec, attach and port-forward of a pod: what is asked for, what is refused before anything is upgraded, and the way.

Two ways lead in: a WebSocket (kubectl since 1.31, the official clients) and a plain upgrade to SPDY (older ones, and
kubectl after a refusal). The refusals are the API server's, the words of what fails later are those of the kubelet and
of containerd.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from sealane.sandbox.api import errors
from sealane.sandbox.api.backends import NotListening, PodBackend
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.kinds import PODS
from sealane.sandbox.api.pods import PARTS
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Handover, Receive, Request, Scope, Send
from sealane.sandbox.streams import channels, forward_channels, remote, upgrade
from sealane.sandbox.streams.console import Process, Wanted
from sealane.sandbox.streams.forward import Forwarder, Refused
from sealane.sandbox.streams.loopback import Loopback
from sealane.sandbox.streams.outcome import NoContainer
from sealane.sandbox.streams.remote_spdy import VERSION, Remote
from sealane.sandbox.streams.websocket import WebSocket

STREAMS = frozenset({"exec", "attach", "portforward"})
_PORTFORWARD = "portforward.k8s.io"


def answer(store: Store, backend: PodBackend, target: Target, request: Request) -> Handover:
    """Whichever of the three is asked for. Raises StatusError (400, 404, 500)."""
    return (port_forward if target.subresource == "portforward" else command)(store, backend, target, request)


def command(store: Store, backend: PodBackend, target: Target, request: Request) -> Handover:
    """`exec` and `attach`. Raises StatusError (400, 404, 500)."""
    pod = _pod(store, target)
    name = _container(pod, request.query.get("container", ""))
    wanted = Wanted(
        stdin=request.flag("stdin"), stdout=request.flag("stdout"), stderr=request.flag("stderr"),
        tty=request.flag("tty"), command=tuple(request.values("command")) if target.subresource == "exec" else (),
    )  # fmt: skip
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise errors.bad_request("you must specify at least one of stdin, stdout, stderr")
    if wanted.tty and wanted.stderr:
        raise errors.bad_request("tty and stderr cannot both be true")
    if target.subresource == "exec" and not wanted.command:
        raise errors.bad_request("you must specify at least 1 command for the container")
    _on_a_node(pod)

    def process() -> Process:
        if target.subresource == "exec":
            return backend.exec(pod, container=name, command=wanted.command)
        return backend.attach(pod, container=name)

    return _over_websocket(request, process, wanted) if request.is_websocket else _over_spdy(request, process, wanted)


def port_forward(store: Store, backend: PodBackend, target: Target, request: Request) -> Handover:
    """`portforward`. Raises StatusError (400, 404)."""
    pod = _pod(store, target)
    _on_a_node(pod)

    def dial(port: int) -> Loopback:
        try:
            return Loopback(backend.proxy(pod, port))
        except NotListening as error:
            raise Refused(_refused(pod, port)) from error

    if not request.is_websocket:
        return _upgraded(request, lambda duplex: Forwarder(duplex, dial).serve(), version=_PORTFORWARD)
    offered = request.scope.get("subprotocols") or ()
    if channels.TUNNEL in offered:

        async def tunnel(scope: Scope, receive: Receive, send: Send) -> None:
            socket = WebSocket(scope, receive, send)
            await socket.accept(channels.TUNNEL)
            await Forwarder(socket, dial).serve()

        return Handover(tunnel, request.path)
    framing = channels.choose(offered, channels.FORWARD)
    ports = _ports(request)
    if framing is None:
        raise _no_protocol(offered)

    async def channel(scope: Scope, receive: Receive, send: Send) -> None:
        await forward_channels.serve(WebSocket(scope, receive, send), framing, ports, dial)

    return Handover(channel, request.path)


def _over_websocket(request: Request, process: Callable[[], Process], wanted: Wanted) -> Handover:
    offered = request.scope.get("subprotocols") or ()
    framing = channels.choose(offered, channels.REMOTE)
    if framing is None:
        raise _no_protocol(offered)
    try:
        what: Process | NoContainer = process()
    except NoContainer as error:
        if not framing.closes:
            raise StatusError(500, "InternalError", f"Internal error occurred: {error}") from error
        what = error

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await remote.serve(WebSocket(scope, receive, send), framing, what, wanted)

    return Handover(serve, request.path)


def _over_spdy(request: Request, process: Callable[[], Process], wanted: Wanted) -> Handover:
    _upgrade_of(request)
    try:
        what = process()
    except NoContainer as error:
        raise StatusError(500, "InternalError", str(error)) from error
    return _upgraded(request, lambda duplex: Remote(duplex, what, wanted).serve(), version=VERSION)


def _upgraded(request: Request, serve: Callable[[upgrade.Upgraded], Any], *, version: str) -> Handover:
    begin = _upgrade_of(request)
    offered = [part.strip() for part in request.headers.get("x-stream-protocol-version", "").split(",")]
    offered += [value.decode("latin-1") for key, value in request.scope["headers"] if key.lower() == _VERSION_HEADER]
    if version not in offered:
        raise StatusError(
            403, "Forbidden", f"unable to upgrade: unable to negotiate protocol: client supports {offered}, "
            f"server supports [{version}]",
        )  # fmt: skip

    async def run(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await serve(begin(version))

    return Handover(run, request.path)


_VERSION_HEADER = b"x-stream-protocol-version"


def _upgrade_of(request: Request) -> Callable[[str], upgrade.Upgraded]:
    found: Callable[[str], upgrade.Upgraded] | None = (request.scope.get("extensions") or {}).get(upgrade.EXTENSION)
    if found is None:
        raise errors.bad_request("Upgrade request required")
    return found


def _ports(request: Request) -> list[int]:
    found = [part for value in request.values("ports") for part in value.split(",")]
    if not found:
        raise errors.bad_request('query parameter "port" is required')
    for text in found:
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65_536):
            raise errors.bad_request(f'unable to parse "{text}" as a port: strconv.ParseUint: invalid port')
    return [int(text) for text in found]


def _pod(store: Store, target: Target) -> Obj:
    pod = store.get(PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    return pod


def _container(pod: Obj, wanted: str) -> str:
    """The container meant. Raises StatusError (400)."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [item["name"] for key in PARTS for item in spec.get(key) or ()]
    if not wanted and len(spec["containers"]) > 1:
        said = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        raise errors.bad_request(said)
    if wanted and wanted not in names:
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    return str(wanted or spec["containers"][0]["name"])


def _on_a_node(pod: Obj) -> None:
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")


def _no_protocol(offered: Any) -> StatusError:
    return StatusError(400, "BadRequest", f"unable to upgrade: unable to negotiate protocol of {list(offered)}")


def _refused(pod: Obj, port: int) -> str:
    """What containerd says of a port where nothing listens."""
    sandbox = hashlib.sha256(str(pod["metadata"].get("uid", "")).encode()).hexdigest()
    inside = f'inside namespace "{sandbox}", IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused'
    return (
        f"error forwarding port {port} to pod {sandbox}, uid : failed to execute portforward in network namespace "
        f'"/var/run/netns/cni-{sandbox[:8]}-{sandbox[8:12]}": failed to connect to localhost:{port} {inside} '
        "IPv6 dial tcp6: address localhost: no suitable address found"
    )
