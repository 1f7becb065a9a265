"""What the API server asks a kubelet for: logs. It listens on port 10250 of every node's address.

Logs are sent as they are read, so that `kubectl logs -f` ends when the container does. exec, attach and port-forward
are not here.
"""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterable

from rig.certificates import Pair
from rig.kubelet.container import Container
from rig.kubelet.logs import Log, Wish

PORT = 10250
Find = Callable[[str, str, str], Container | None]


class LogServer:
    """Serves the logs of the containers that `find` knows, on all of `addresses`."""

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


def _handler(find: Find, stopped: threading.Event) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            parts = url.path.strip("/").split("/")
            query = dict(urllib.parse.parse_qsl(url.query))
            container = find(parts[1], parts[2], parts[3]) if len(parts) == 4 and parts[0] == "containerLogs" else None
            log = _chosen(container, previous=query.get("previous") == "true")
            if log is None:
                self._refuse(parts[-1])
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in log.read(wish_of(query), stopped=stopped.is_set):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")

        def _refuse(self, name: str) -> None:
            text = f'container "{name}" has no log\n'.encode()
            self.send_response(400)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Requests are not news."""

    return Handler


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
