"""Exec, attach and port-forward through WebSockets, without a socket: channels, statuses, refusals, rights."""

from __future__ import annotations

import asyncio
import json
import struct
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sealane.sandbox.streams import spdy
from sealane.sandbox.streams.channels import TUNNEL, V4, V5
from sealane.sandbox.streams.session import Session
from sealane.sandbox.streams.spdy import Data, RstStream

PODS = "/api/v1/namespaces/team/pods"
Frames = list[tuple[int, bytes]]


class Client:
    """The other end of a WebSocket. `subprotocol` is set once it is accepted, `status` and `body` when it is not."""

    def __init__(self) -> None:
        self.to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.subprotocol: str | None = None
        self.accepted = False
        self.status = 0
        self.body = b""
        self.task: asyncio.Task[None] | None = None

    async def send(self, message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                self.accepted, self.subprotocol = True, message["subprotocol"]
            case "websocket.send":
                self.messages.put_nowait(message.get("bytes", message.get("text")))
            case "websocket.close":
                self.messages.put_nowait(None)
            case "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.http.response.body":
                self.body += message["body"]
                self.messages.put_nowait(None)

    def say(self, channel: int, data: bytes) -> None:
        self.to_server.put_nowait({"type": "websocket.receive", "bytes": bytes((channel,)) + data})

    def leave(self) -> None:
        self.to_server.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def next(self) -> Any:
        async with asyncio.timeout(5):
            return await self.messages.get()

    async def frames(self) -> Frames:
        """All channel messages to the end."""
        found: Frames = []
        while (message := await self.next()) is not None:
            found.append((message[0], message[1:]))
        return found

    @property
    def said(self) -> str:
        return str(json.loads(self.body)["message"])


@pytest.fixture
async def connect(api: Any) -> AsyncIterator[Callable[..., Client]]:
    """Open a WebSocket to a path; all are ended."""
    tasks: list[asyncio.Task[None]] = []

    def begin(path: str, *subprotocols: str, user: str = "admin") -> Client:
        client = Client()
        client.to_server.put_nowait({"type": "websocket.connect"})
        place, _, query = path.partition("?")
        scope = {
            "type": "websocket", "path": urllib.parse.unquote(place), "query_string": query.encode(),
            "headers": [(b"authorization", f"Bearer {user}".encode())], "subprotocols": list(subprotocols),
            "extensions": {"websocket.http.response": {}},
        }  # fmt: skip
        client.task = asyncio.create_task(api.app(scope, client.to_server.get, client.send))
        tasks.append(client.task)
        return client

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
async def pod(api: Any) -> None:
    containers = [{"name": "web", "image": "i"}, {"name": "ended", "image": "i"}]
    for name, spec in (
        ("p", {"nodeName": "n1", "containers": containers}),
        ("one", {"nodeName": "n1", "containers": containers[:1]}),
        ("unbound", {"containers": containers[:1]}),
    ):
        await api.call("POST", PODS, {"metadata": {"name": name}, "spec": spec})


def status_in(frames: Frames) -> Any:
    return json.loads(next(data for channel, data in frames if channel == 3))


def output(frames: Frames, channel: int = 1) -> bytes:
    return b"".join(data for number, data in frames if number == channel)


async def test_a_command_writes_and_its_success_is_a_status(connect: Any) -> None:
    client = connect(f"{PODS}/p/exec?container=web&command=say&command=it&stdout=true&stderr=true", V5, V4)
    frames = await client.frames()
    assert client.subprotocol == V5
    assert frames[0] == (1, b"")
    assert output(frames) == b"web say it False None"
    assert status_in(frames) == {"metadata": {}, "status": "Success"}


@pytest.mark.parametrize(
    ("subprotocol", "said"),
    [
        (V5, "command terminated with non-zero exit code: command terminated with exit code 7"),
        (V4, "command terminated with non-zero exit code: error executing command [fail 7], exit code 7"),
    ],
)
async def test_an_exit_code_is_a_cause_of_the_status(connect: Any, subprotocol: str, said: str) -> None:
    frames = await connect(f"{PODS}/one/exec?command=fail&command=7&stdout=1&stderr=1", subprotocol).frames()
    assert output(frames, 2) == b"failing"
    assert status_in(frames) == {
        "metadata": {}, "status": "Failure", "message": said, "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
    }  # fmt: skip


async def test_a_program_that_cannot_start_is_an_internal_error_wrapped_as_often_as_on_the_way(connect: Any) -> None:
    why = "error executing command in container: no such program"
    doubled = f"Internal error occurred: Internal error occurred: {why}"
    for subprotocol, said in ((V5, doubled), (V4, f"Internal error occurred: {why}")):
        frames = await connect(f"{PODS}/one/exec?command=missing&stdout=1", subprotocol).frames()
        status = status_in(frames)
        assert (status["message"], status["reason"], status["code"]) == (said, "InternalError", 500)


async def test_input_comes_back_and_version_5_can_end_it(connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=cat&stdin=1&stdout=1", V5)
    client.say(0, b"hello ")
    client.say(0, b"there")
    client.say(255, b"\0")
    frames = await client.frames()
    assert output(frames) == b"hello there"
    assert status_in(frames)["status"] == "Success"


async def test_version_4_cannot_end_the_input(connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=cat&stdin=1&stdout=1", V4)
    client.say(255, b"\0")
    client.say(0, b"still open")
    assert await client.next() == b"\1"
    assert await client.next() == b"\1still open"


async def test_old_browsers_get_base64(connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=x&stdout=1", "v4.base64.channel.k8s.io")
    assert await client.next() == "1"
    assert str(await client.next()).startswith("1d2ViIHgg")


async def test_a_terminal_has_a_size_and_one_output(connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=fail&command=1&stdin=1&stdout=1&tty=1", V5)
    client.say(4, b'{"Width":100,"Height":30}')
    frames = await client.frames()
    assert (output(frames, 1), output(frames, 2)) == (b"failing", b"")


async def test_who_goes_away_ends_the_process(api: Any, connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=hang&stdin=1&stdout=1", V5)
    assert await client.next() == b"\1"
    client.leave()
    assert client.task is not None
    async with asyncio.timeout(5):
        await client.task
    assert client.messages.empty()


async def test_attach_shows_the_process_of_the_container(connect: Any) -> None:
    frames = await connect(f"{PODS}/one/attach?stdout=1&stderr=1", V5).frames()
    assert output(frames) == b"web attached False None"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("p/exec?command=x&stdout=1", 400, "a container name must be specified for pod p, choose one of: [web ended]"),
        ("p/exec?command=x&stdout=1&container=no", 400, "container no is not valid for pod p"),
        ("one/exec?stdout=1", 400, "you must specify at least 1 command for the container"),
        ("one/exec?command=x", 400, "you must specify at least one of stdin, stdout, stderr"),
        ("one/exec?command=x&stdout=1&stderr=1&tty=1", 400, "tty and stderr cannot both be true"),
        ("unbound/exec?command=x&stdout=1", 400, "pod unbound does not have a host assigned"),
        ("nobody/exec?command=x&stdout=1", 404, 'pods "nobody" not found'),
        ("unbound/portforward?ports=80", 400, "pod unbound does not have a host assigned"),
        ("one/portforward", 400, 'query parameter "port" is required'),
        ("one/portforward?ports=80,x", 400, 'unable to parse "x" as a port: strconv.ParseUint: invalid port'),
        ("p", 200, ""),
    ],
)
async def test_refusals_come_before_the_upgrade(connect: Any, path: str, status: int, said: str) -> None:
    client = connect(f"{PODS}/{path}", V4)
    await client.next()
    assert (client.accepted, client.status) == (False, status)
    assert not said or client.said == said


async def test_a_container_that_does_not_run_is_told_of_after_the_upgrade_and_before_it_by_version_4(
    connect: Any,
) -> None:
    path = f"{PODS}/p/exec?container=ended&command=x&stdout=1"
    status = status_in(await connect(path, V5).frames())
    assert status["message"] == 'Internal error occurred: unable to upgrade connection: container not found ("ended")'
    older = connect(path, V4)
    await older.next()
    assert (older.accepted, older.status) == (False, 500)


async def test_a_subprotocol_that_nobody_speaks_is_refused(connect: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=x&stdout=1", "v9.channel.k8s.io")
    await client.next()
    assert client.status == 400
    assert "unable to negotiate protocol" in client.said


async def test_a_request_that_upgrades_nothing_is_told_to(api: Any) -> None:
    for method in ("GET", "POST"):
        answer = await api.call(method, f"{PODS}/one/exec?command=x&stdout=1")
        assert (answer.status, answer.json["message"]) == (400, "Upgrade request required")


async def test_a_websocket_is_a_get_for_the_rights_as_on_a_server_of_1_34(connect: Any, api: Any) -> None:
    client = connect(f"{PODS}/one/exec?command=x&stdout=1", V5, user="dana")
    await client.next()
    assert client.status == 403
    assert 'User "dana" cannot get resource "pods/exec"' in client.said
    answer = await api.call("POST", f"{PODS}/one/exec?command=x&stdout=1", user="dana")
    assert 'cannot create resource "pods/exec"' in answer.json["message"]


async def test_a_watch_is_not_served_as_a_websocket(connect: Any) -> None:
    client = connect(f"{PODS}?watch=1")
    await client.next()
    assert client.status == 400


async def test_a_port_is_forwarded_on_two_channels_that_begin_with_its_number(connect: Any) -> None:
    client = connect(f"{PODS}/one/portforward?ports=80,81", V4)
    opening = [await client.next() for _ in range(5)]
    number = struct.pack("<H", 80)
    assert opening[:2] == [b"\0" + number, b"\1" + number]
    assert opening[4].startswith(b"\3error forwarding port 81 to pod ")
    assert opening[4].endswith(b"no suitable address found")
    client.say(0, b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
    answer = b""
    while b"GET /x one " not in answer:
        answer += (await client.next())[1:]
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_kubectl_tunnels_spdy_through_a_websocket_with_a_pair_of_streams_a_connection(connect: Any) -> None:
    client = connect(f"{PODS}/one/portforward", TUNNEL)
    session = Session(server=False)

    def send() -> None:
        client.to_server.put_nowait({"type": "websocket.receive", "bytes": session.outgoing()})

    def pair(port: int, number: int) -> tuple[int, int]:
        head = (("port", str(port)), ("requestid", str(number)))
        error = session.open((("streamtype", "error"), *head), fin=True)
        return error, session.open((("streamtype", "data"), *head))

    error, data = pair(80, 0)
    refused, unused = pair(81, 1)
    session.send(data, b"GET /y HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    send()
    got: dict[int, bytes] = {}
    resets: set[int] = set()
    ended: set[int] = set()
    while not ({error, data} <= ended and {refused, unused} <= resets):
        for event in session.receive(await client.next()):
            if isinstance(event, Data):
                got[event.stream] = got.get(event.stream, b"") + event.data
                ended |= {event.stream} if event.fin else set()
            elif isinstance(event, RstStream):
                resets.add(event.stream)
    assert client.subprotocol == TUNNEL
    assert b"GET /y one " in got[data]
    assert b"connect: connection refused" in got[refused]
    assert got.get(error, b"") == b""


async def test_a_stream_without_a_port_or_a_type_is_refused_alone(connect: Any) -> None:
    client = connect(f"{PODS}/one/portforward", TUNNEL)
    session = Session(server=False)
    wrong = [session.open((("streamtype", "data"), ("port", port))) for port in ("0", "x", "70000")]
    client.to_server.put_nowait({"type": "websocket.receive", "bytes": session.outgoing()})
    events = session.receive(await client.next())
    assert events == [RstStream(number, spdy.Status.REFUSED_STREAM) for number in wrong]


async def test_what_is_no_spdy_ends_the_tunnel(connect: Any) -> None:
    client = connect(f"{PODS}/one/portforward", TUNNEL)
    client.to_server.put_nowait({"type": "websocket.receive", "bytes": b"\x80\x02\0\6\0\0\0\4\0\0\0\1"})
    assert spdy.Framer().feed(await client.next()) == [spdy.GoAway(0, 1)]
    assert await client.next() is None


async def test_a_pod_s_own_websocket_is_reached_through_the_proxy(api: Any, connect: Any) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None})
        message = await receive()
        await send({"type": "websocket.send", "bytes": scope["path"].encode() + message["bytes"]})
        await send({"type": "websocket.close"})

    api.app.backend.proxy = lambda _pod, _port: echo
    client = connect(f"{PODS}/one:80/proxy/ws")
    client.say(1, b"!")
    assert await client.next() == b"/ws\1!"
