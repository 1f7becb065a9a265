"""A pod's port on loopback: several connections at once, their ends, and one sentence when the pod is not there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web
from kube_server import ApiServer, status
from kube_streams import Channels

from sealane.kube import errors, portforward
from sealane.kube.client import Client
from sealane.kube.portforward import Listener, PortRefused, PortTaken

PATH = "/api/v1/namespaces/team-a/pods/web/portforward"
V4 = ("v4.channel.k8s.io",)
PORT = b"\xa8\x2c"  # 11432, little end first


async def greet(socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(b"\x00" + PORT)
    await socket.send_bytes(b"\x01" + PORT)


async def upper(socket: web.WebSocketResponse) -> None:
    """A pod that shouts back what it hears."""
    await greet(socket)
    while (message := await socket.receive()).type is WSMsgType.BINARY:
        assert message.data[:1] == b"\x00"
        await socket.send_bytes(b"\x00" + message.data[1:].upper())


@pytest.fixture
async def listener(client: Client) -> AsyncIterator[Listener]:
    def opener() -> contextlib.AbstractAsyncContextManager[portforward.Tunnel]:
        return client.port_forward("web", namespace="team-a", port=11432)

    async with asyncio.timeout(10), portforward.listening(opener) as running:
        yield running


async def test_a_tunnel_carries_bytes_without_the_greeting(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Channels(upper, protocols=V4))
    async with asyncio.timeout(5), client.port_forward("web", namespace="team-a", port=11432) as tunnel:
        await tunnel.write(b"hello")
        assert await tunnel.read() == b"HELLO"
    assert server.requests[0].query == {"ports": "11432"}


async def test_what_only_looks_like_a_greeting_later_is_data(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_bytes(b"\x00" + PORT)

    server.on("GET", PATH, Channels(play, protocols=V4))
    async with asyncio.timeout(5), client.port_forward("web", namespace="team-a", port=11432) as tunnel:
        assert await tunnel.read() == PORT
        assert await tunnel.read() == b""


async def test_a_closed_port_is_said_with_the_kubelets_words(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_bytes(b"\x01error forwarding port 11432 to pod web: connection refused")

    server.on("GET", PATH, Channels(play, protocols=V4))
    async with asyncio.timeout(5), client.port_forward("web", namespace="team-a", port=11432) as tunnel:
        with pytest.raises(PortRefused, match=r"^test: port 11432 of the pod cannot be reached: .*connection refused"):
            await tunnel.read()


async def test_large_input_goes_in_pieces(server: ApiServer, client: Client) -> None:
    sizes: list[int] = []

    async def play(socket: web.WebSocketResponse) -> None:
        while sum(sizes) < 100_000:
            sizes.append(len(await socket.receive_bytes()) - 1)

    server.on("GET", PATH, Channels(play, protocols=V4))
    async with asyncio.timeout(5), client.port_forward("web", namespace="team-a", port=11432) as tunnel:
        await tunnel.write(b"x" * 100_000)
        assert await tunnel.read() == b""
    assert max(sizes) <= portforward.PIECE


async def test_several_connections_do_not_mix(server: ApiServer, listener: Listener) -> None:
    server.on("GET", PATH, Channels(upper, protocols=V4))

    async def talk(word: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for _ in range(5):
            writer.write(word.encode())
            assert await reader.readexactly(len(word)) == word.upper().encode()
        writer.close()
        return word.encode()

    words = [f"word-{number}" for number in range(8)]
    assert await asyncio.gather(*map(talk, words)) == [word.encode() for word in words]
    assert len(server.asked(PATH)) == 8
    assert listener.url == f"http://127.0.0.1:{listener.port}"
    assert listener.troubles.empty()


async def test_the_pods_end_closes_the_local_side(server: ApiServer, listener: Listener) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_bytes(b"\x00bye")

    server.on("GET", PATH, Channels(play, protocols=V4))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.read() == b"bye"
    writer.close()
    assert listener.troubles.empty()


async def test_an_answer_after_the_local_side_has_ended_still_arrives(server: ApiServer, listener: Listener) -> None:
    server.on("GET", PATH, Channels(upper, protocols=V4))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"last words")
    writer.write_eof()
    assert await reader.readexactly(10) == b"LAST WORDS"
    writer.close()


async def test_a_connection_that_half_closed_ends_when_the_pod_stays_quiet(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portforward, "QUIET", 0.01)
    channels = Channels(upper, protocols=V4)
    server.on("GET", PATH, channels)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write_eof()
    assert await reader.read() == b""
    await channels.left.wait()
    writer.close()


async def test_a_pod_that_is_gone_is_one_sentence_and_others_may_still_connect(
    server: ApiServer, listener: Listener
) -> None:
    server.on("GET", PATH, status(404, "NotFound", 'pods "web" not found'), Channels(upper, protocols=V4))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.read() == b""
    writer.close()
    trouble = await listener.troubles.get()
    assert isinstance(trouble, errors.NotFound)
    assert trouble.sentence == 'test: pods "web" not found.'
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"again")
    assert await reader.readexactly(5) == b"AGAIN"
    writer.close()


async def test_stopping_ends_every_connection_and_the_listening(server: ApiServer, client: Client) -> None:
    channels = Channels(upper, protocols=V4)
    server.on("GET", PATH, channels)
    async with asyncio.timeout(10):
        async with portforward.listening(lambda: client.port_forward("web", namespace="team-a", port=11432)) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"x")
            await reader.readexactly(1)
            assert running.connections == 1
        await channels.left.wait()
        assert await reader.read() == b""
        writer.close()
    assert running.connections == 0
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", running.port)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("port-forward")]


async def test_a_taken_port_is_said(client: Client, listener: Listener) -> None:
    opener = lambda: client.port_forward("web", namespace="team-a", port=1)  # noqa: E731
    with pytest.raises(PortTaken, match=f"Port {listener.port} of this computer is in use"):
        async with portforward.listening(opener, port=listener.port):
            pass


async def test_more_connections_than_allowed_are_turned_away(
    server: ApiServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portforward, "MOST", 1)
    server.on("GET", PATH, Channels(upper, protocols=V4))
    first, one = await asyncio.open_connection("127.0.0.1", listener.port)
    one.write(b"x")
    await first.readexactly(1)
    second, two = await asyncio.open_connection("127.0.0.1", listener.port)
    with contextlib.suppress(ConnectionError):
        assert await second.read() == b""
    one.close()
    two.close()


async def test_the_right_that_is_missing_is_named(server: ApiServer, client: Client) -> None:
    words = 'pods "web" is forbidden: User "bob" cannot create resource "pods/portforward" in API group ""'
    server.on("GET", PATH, status(403, "Forbidden", words))
    with pytest.raises(errors.Forbidden, match="pods/portforward") as caught:
        async with client.port_forward("web", namespace="team-a", port=80):
            pass
    assert "auth can-i create pods/portforward" in caught.value.next_steps[0].command
