"""One API server without a socket: `api`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sealane.sandbox import access
from sealane.sandbox.api import crds, kinds, prepare
from sealane.sandbox.api.app import ApiServer
from sealane.sandbox.api.backends import NoLogs, NotListening
from sealane.sandbox.api.faults import Faults
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import Users
from sealane.sandbox.api.wire import User
from sealane.sandbox.streams.outcome import CannotStart, NoContainer

TOKENS = {
    "admin": User("admin", ("system:masters", "system:authenticated")),
    "dana": User("dana", ("system:authenticated",)),
}


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.headers = {name.decode().lower(): value.decode() for name, value in headers}
        self.warnings = [value.decode() for name, value in headers if name == b"warning"]
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeBackend:
    """Every pod logs two lines and answers on port 80 with its name and the path; nothing else listens."""

    async def logs(self, pod: dict[str, Any], **options: Any) -> AsyncIterator[bytes]:
        if options["previous"]:
            raise NoLogs("previous terminated container not found")
        yield b"one\n"
        yield f"{options['container']} {options['tail_lines']}\n".encode()

    def proxy(self, pod: dict[str, Any], port: int) -> Any:
        if port != 80:
            raise NotListening(f"dial tcp 10.0.0.1:{port}: connect: connection refused")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = (await receive()).get("body", b"")
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-pod", b"yes")]})
            text = f"{scope['method']} {scope['path']} {pod['metadata']['name']} ".encode() + body
            await send({"type": "http.response.body", "body": text})

        return app

    def exec(self, pod: dict[str, Any], *, container: str, command: Any) -> Any:
        """`fail N` ends with N, `missing` cannot start, `cat` gives its input back, `hang` never ends."""
        if container == "ended":
            raise NoContainer(f'container not found ("{container}")')

        async def process(console: Any) -> int:
            match tuple(command):
                case ("fail", code):
                    await console.err(b"failing")
                    return int(code)
                case ("missing",):
                    raise CannotStart("no such program")
                case ("cat",):
                    while data := await console.read():
                        await console.out(data)
                case ("hang",):
                    await asyncio.Event().wait()
                case _:
                    await console.out(f"{container} {' '.join(command)} {console.tty} {console.size}".encode())
            return 0

        return process

    def attach(self, pod: dict[str, Any], *, container: str) -> Any:
        """Says its container's name."""
        return self.exec(pod, container=container, command=("attached",))


class Api:
    """An API server that is called without a socket."""

    def __init__(self) -> None:
        self.store = Store()
        crds.Shapes(self.store)
        prepare.install(self.store)
        for name in ("default", "team"):
            self.store.create(kinds.NAMESPACES, {"metadata": {"name": name}}, manager="test")
        access.seed_roles(self.store)
        self.faults = Faults(self.store)
        self.users = Users(TOKENS)
        self.app = ApiServer(
            "bench",
            self.store,
            users=self.users,
            backend=FakeBackend(),
            admit=lambda _verb, _plural, obj: obj,
            faults=self.faults,
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "admin",
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request and its whole answer."""
        sent: list[dict[str, Any]] = []
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        messages = [{"type": "http.request", "body": data, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        given = {"content-type": content_type} | (headers or {})
        if user:
            given["authorization"] = f"Bearer {user}"
        async with asyncio.timeout(5):
            await self.app(scope_of(method, path, given), receive, send)
        start = sent[0]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(start["status"], list(start["headers"]), content)

    @contextlib.asynccontextmanager
    async def watch(self, path: str, *, user: str = "admin", headers: dict[str, str] | None = None) -> Any:
        """An open watch: a function that gives the next event, or None at the end."""
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            for line in message.get("body", b"").splitlines():
                lines.put_nowait(line)

        async def run() -> None:
            try:
                given = {"authorization": f"Bearer {user}"} | (headers or {})
                await self.app(scope_of("GET", path, given), receive, send)
            finally:
                lines.put_nowait(None)

        async def following() -> Any:
            async with asyncio.timeout(5):
                line = await lines.get()
            return None if line is None else json.loads(line)

        task = asyncio.create_task(run())
        try:
            yield following
        finally:
            gone.set()
            await asyncio.gather(task, return_exceptions=True)


def scope_of(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """An ASGI scope."""
    place, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": urllib.parse.unquote(place),
        "query_string": urllib.parse.quote(query, safe="=&,:%+-!()").encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


@pytest.fixture
def api() -> Api:
    """A bare API server with namespaces `default` and `team`, and the users admin and dana (without rights)."""
    return Api()
