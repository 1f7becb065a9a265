"""WebSockets through the API server: its identity, its refusals, and what pods serve."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from kube_server import Answer, ApiServer, status
from kube_streams import Channels

from sealane.kube import errors, proxy, websocket
from sealane.kube.client import Client
from sealane.kube.config import Credentials
from sealane.kube.websocket import Message, NoWebSocket

POD = "/api/v1/namespaces/team-a/pods/lab-1:8888/proxy/api/kernels"
SERVICE = "/api/v1/namespaces/team-a/services/lab:http/proxy/ws"
WHERE = {"namespace": "team-a", "port": 8888, "path": "/api/kernels"}


async def echo(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)


async def test_text_and_bytes_pass_as_what_they_are(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, Channels(echo, protocols=("b", "a")))
    async with asyncio.timeout(5), client.proxy_websocket("lab-1", **WHERE, protocols=("a",)) as socket:  # type: ignore[arg-type]
        assert socket.protocol == "a"
        await socket.send_text("grüße")
        await socket.send(b"\x00\xff")
        assert await socket.receive() == Message("grüße".encode(), text=True)
        assert await socket.receive() == Message(b"\x00\xff")


async def test_a_service_is_reached_by_its_ports_name_and_headers_pass(server: ApiServer, client: Client) -> None:
    server.on("GET", SERVICE, Channels(echo))
    path = proxy.service_path("lab", namespace="team-a", port="http", path="/ws?token=a%2Fb")
    given = {"Cookie": "x=1", "Authorization": "Bearer caller", "Sec-WebSocket-Key": "theirs"}
    async with proxy.open_websocket(client.http, path, headers=given) as socket:
        assert socket.protocol == ""
    seen = server.requests[0]
    assert seen.query == {"token": "a/b"}
    assert seen.headers["Cookie"] == "x=1"
    assert "Authorization" not in seen.headers
    assert seen.headers.get("Sec-WebSocket-Key") != "theirs"


async def test_the_servers_close_is_an_end_and_its_code_is_known(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, Channels(lambda socket: socket.close(code=1001)))
    async with asyncio.timeout(5), client.proxy_websocket("lab-1", **WHERE) as socket:  # type: ignore[arg-type]
        assert await socket.receive() is None
        assert socket.close_code == 1001
        with pytest.raises(errors.Disconnected):
            await socket.send(b"late")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(403, "Forbidden", 'User "bob" cannot get resource "pods/proxy"'), errors.Forbidden),
        (status(404, "NotFound", 'pods "lab-1" not found'), errors.NotFound),
        (status(503, "ServiceUnavailable", "error trying to reach service: connection refused"), errors.PodUnreachable),
        (
            Answer(b"error dialing backend: dial tcp 10.0.0.7:8888: connection refused", status=500),
            errors.PodUnreachable,
        ),
        (status(400, "BadRequest", "Upgrade request required"), NoWebSocket),
        (Answer(b"<html>hello</html>"), errors.ApiError),
        (Answer(b"teapot", status=418), errors.ApiError),
    ],
    ids=["forbidden", "no-pod", "refused", "refused-in-text", "upgrade-dropped", "a-page", "teapot"],
)
async def test_a_refused_handshake_says_why(
    server: ApiServer, client: Client, answer: Answer, kind: type[Exception]
) -> None:
    server.on("GET", POD, answer)
    with pytest.raises(kind):
        async with client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
            pass


async def test_a_handshake_that_lies_is_refused(server: ApiServer, client: Client) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "wrong"}
    server.on("GET", POD, Answer(b"", status=101, headers=headers))
    with pytest.raises(NoWebSocket, match="does not speak WebSocket"):
        async with client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
            pass


async def test_a_token_that_ended_is_renewed_once(server: ApiServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    server.on("GET", POD, Channels(echo), status(401, "Unauthorized", "Unauthorized"), Channels(echo))
    async with Client(server.context(credentials=Credentials(token_file=str(token)))) as client:
        async with client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
            token.write_text("two")
        async with client.proxy_websocket("lab-1", **WHERE) as socket:  # type: ignore[arg-type]
            await socket.send(b"x")
            assert await socket.receive() == Message(b"x")
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer one", "Bearer one", "Bearer two"]


async def test_nobody_there_is_said_as_for_every_call() -> None:
    async with ApiServer() as gone:
        context = gone.context()
    async with Client(context) as client:
        with pytest.raises(errors.Refused):
            async with client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
                pass


async def test_hanging_up_ends_open_sockets(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, Channels(echo))
    async with asyncio.timeout(5), client.proxy_websocket("lab-1", **WHERE) as socket:  # type: ignore[arg-type]
        await client.hang_up()
        with contextlib.suppress(errors.Disconnected):
            assert await socket.receive() is None
        with pytest.raises(errors.Disconnected):
            await socket.send(b"late")


async def test_a_quiet_socket_is_pinged(server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY", 0.01)
    pinged = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        while (message := await socket.receive()).type in (WSMsgType.PING, WSMsgType.BINARY):
            if message.type is WSMsgType.PING:
                pinged.set()
        return socket

    server.on("GET", POD, answer)
    async with asyncio.timeout(5), client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
        await pinged.wait()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_nobody_is_followed_elsewhere(server: ApiServer, client: Client, code: int) -> None:
    """aiohttp would ask there too: with our certificate, for whom we act, and on networks that only we reach."""
    server.on("GET", POD, Answer(b"", status=code, headers={"Location": "/elsewhere"}))
    server.on("GET", "/elsewhere", Channels(echo))
    async with asyncio.timeout(5):
        with pytest.raises(NoWebSocket, match=f"answers {code} and leads elsewhere"):
            async with client.proxy_websocket("lab-1", **WHERE):  # type: ignore[arg-type]
                pass
    assert [request.path for request in server.requests] == [POD]
