"""What the API server asks a kubelet for: logs, exec, attach and port-forward. Port 10250 of every node's address.

Logs are sent as they are read, so that `kubectl logs -f` ends when the container does. The others are upgraded
connections (see `wires`); a refusal is said before the upgrade wherever it can be, as plain text with a status.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.server
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Protocol

from rig.certificates import Pair
from rig.kubelet.container import Container
from rig.kubelet.executing import Inside, Order, Run
from rig.kubelet.forwarding import Forward
from rig.kubelet.logs import Log, Wish
from rig.kubelet.unwrap import plain
from rig.kubelet.wires import CHANNELS, V4, Channels, Spdy, Wire

PORT = 10250
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SPDY_PROTOCOLS = (V4, "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io", "portforward.k8s.io")


class Pod(Protocol):
    """What is asked of a running pod."""

    def container(self, name: str) -> Container | None: ...
    def inside(self, name: str) -> Inside | None: ...
    @property
    def network(self) -> int | None:
        """A process in the pod's network."""


Find = Callable[[str, str], Pod | None]


class KubeletApi:
    """Serves the pods that `find` knows by namespace and name, on all of `addresses`."""

    def __init__(self, addresses: Iterable[str], *, pair: Pair, find: Find) -> None:
        self._stopped = threading.Event()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pair.certificate, pair.key)
        handler = _handler(find, self._stopped)
        self._servers = [_Server((address, PORT), handler, tls) for address in addresses]

    def start(self) -> None:
        """Begin to listen."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, name="rig-kubelet-api", daemon=True).start()

    def stop(self) -> None:
        """End, and end those who follow."""
        self._stopped.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler], tls: ssl.SSLContext
    ) -> None:
        super().__init__(address, handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no news."""


class _Refused(Exception):
    """The answer is no: a status and a kubelet's words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def _handler(find: Find, stopped: threading.Event) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        def pod(self, space: str, name: str) -> Pod:
            found = find(space, name)
            if found is None:
                raise _Refused(404, f'pod "{name}" not found in namespace "{space}"')
            return found

        def stopped(self) -> bool:
            return stopped.is_set()

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pod(self, space: str, name: str) -> Pod:
        raise NotImplementedError

    def stopped(self) -> bool:
        raise NotImplementedError

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        try:
            match url.path.strip("/").split("/"):
                case ["containerLogs", space, name, container]:
                    self._logs(space, name, container, query)
                case [("exec" | "attach") as what, space, name, container]:
                    self._run(what, space, name, container, query)
                case ["portForward", space, name]:
                    self._forward(space, name, query)
                case _:
                    raise _Refused(404, "404 page not found")
        except _Refused as refused:
            self._refuse(refused)

    do_POST = do_GET  # noqa: N815 - SPDY clients ask with POST

    def _logs(self, space: str, name: str, container: str, query: dict[str, list[str]]) -> None:
        flat = {key: values[-1] for key, values in query.items()}
        found = self.pod(space, name).container(container)
        previous = flat.get("previous") == "true"
        log = _chosen(found, previous=previous)
        if log is None:
            raise _Refused(400, _no_log(name, container, found, previous=previous))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = int(flat.get("limitBytes", "0")) or None
        for line in log.read(wish_of(flat), stopped=self.stopped):
            part = line if left is None else line[:left]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if left is not None and (left := left - len(part)) <= 0:
                break
        self.wfile.write(b"0\r\n\r\n")

    def _run(self, what: str, space: str, name: str, container: str, query: dict[str, list[str]]) -> None:
        inside = self.pod(space, name).inside(container)
        if inside is None:
            raise _Refused(404, f'unable to upgrade connection: container not found ("{container}")')
        order = order_of(query, command=query.get("command", []) if what == "exec" else [])
        Run(inside, order, self._upgraded()).serve()

    def _forward(self, space: str, name: str, query: dict[str, list[str]]) -> None:
        network = self.pod(space, name).network
        if network is None:
            raise _Refused(404, f'pod "{name}" does not run')
        ports = [int(port) for value in query.get("port", query.get("ports", [])) for port in value.split(",")]
        websocket = self.headers.get("Upgrade", "").lower() == "websocket"
        if websocket and not ports:
            raise _Refused(400, 'query parameter "port" is required')
        wire = self._upgraded(names=("data", "error") * max(1, len(ports)))
        Forward(network, wire, pod=name, ports=ports if websocket else ()).serve()

    def _upgraded(self, *, names: tuple[str, ...] | None = None) -> Wire:
        """Answer 101 and give the wire; names are a WebSocket's channels."""
        self.close_connection = True
        kind = self.headers.get("Upgrade", "").lower()
        if kind == "spdy/3.1":
            offered = [
                part.strip()
                for value in self.headers.get_all("X-Stream-Protocol-Version", [])
                for part in value.split(",")
            ]
            chosen = next((each for each in _SPDY_PROTOCOLS if each in offered), "")
            if offered and not chosen:
                raise _Refused(403, f"none of the protocols {offered} is supported")
            self._switch({"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": chosen})
            return Spdy(plain(self.connection))
        if kind == "websocket":
            offered = [part.strip() for part in self.headers.get("Sec-WebSocket-Protocol", "").split(",")]
            if V4 not in offered:
                raise _Refused(400, f"none of the subprotocols {offered} is supported")
            key = self.headers.get("Sec-WebSocket-Key", "") + _GUID
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self._switch({"Upgrade": "websocket", "Sec-WebSocket-Accept": accept, "Sec-WebSocket-Protocol": V4})
            return Channels(plain(self.connection), names=names or CHANNELS)
        raise _Refused(400, "unable to upgrade: missing upgrade headers in request")

    def _switch(self, headers: dict[str, str]) -> None:
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _refuse(self, refused: _Refused) -> None:
        text = f"{refused.words}\n".encode()
        self.send_response(refused.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Requests are not news."""


def order_of(query: dict[str, list[str]], *, command: list[str]) -> Order:
    """What exec or attach is to do, from a kubelet's query string."""

    def asked(name: str) -> bool:
        return query.get(name, [""])[-1] in ("1", "true")

    return Order(command=command, stdin=asked("input"), stdout=asked("output"), stderr=asked("error"), tty=asked("tty"))


def wish_of(query: dict[str, str]) -> Wish:
    """The reader's wish from a kubelet's query string."""
    since = None
    if "sinceSeconds" in query:
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(query["sinceSeconds"]))
    elif "sinceTime" in query:
        since = datetime.datetime.fromisoformat(query["sinceTime"])
    return Wish(
        follow=query.get("follow") == "true",
        timestamps=query.get("timestamps") == "true",
        tail=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
    )


def _chosen(container: Container | None, *, previous: bool) -> Log | None:
    if container is None:
        return None
    logs = container.logs[-2:-1] if previous else container.logs[-1:]
    return logs[0] if logs else None


def _no_log(pod: str, name: str, container: Container | None, *, previous: bool) -> str:
    if container is None:
        return f'container "{name}" in pod "{pod}" is not available'
    if previous:
        return f'previous terminated container "{name}" in pod "{pod}" not found'
    reason = container.state.get("waiting", {}).get("reason", "")
    if reason:
        return f'container "{name}" in pod "{pod}" is waiting to start: {reason}'
    return f'container "{name}" in pod "{pod}" has no log: nothing runs in it here'
