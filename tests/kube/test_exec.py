"""Commands in containers: bytes both ways, how they ended, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from kube_server import ApiServer, status
from kube_streams import SUCCESS, Channels, exited, failed

from sealane.kube import errors
from sealane.kube import exec as execution
from sealane.kube.client import Client
from sealane.kube.exec import Output
from sealane.kube.websocket import NoWebSocket

EXEC = "/api/v1/namespaces/team-a/pods/web/exec"
ATTACH = "/api/v1/namespaces/team-a/pods/web/attach"


async def test_output_comes_by_stream_and_the_exit_code_last(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        for message in (b"\x00", b"\x01", b"\x02", b"\x03", b"\x01one\n", b"\x02two", exited(3), b"\x01late"):
            await socket.send_bytes(message)

    server.on("GET", EXEC, Channels(play))
    async with asyncio.timeout(5), client.exec("web", namespace="team-a", command=["sh", "-c", "x y"]) as term:
        assert [chunk async for chunk in term] == [Output("stdout", b"one\n"), Output("stderr", b"two")]
        assert await term.exit_code() == 3
    assert server.requests[0].query["stdout"] == server.requests[0].query["stderr"] == "true"
    assert "stdin" not in server.requests[0].query


async def test_every_word_of_the_command_is_sent_as_one(server: ApiServer, client: Client) -> None:
    asked: list[list[str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.getall("command"))
        return await Channels(lambda socket: socket.send_bytes(SUCCESS))(request)

    server.on("GET", EXEC, answer)
    words = ["sh", "-c", 'echo "a b" & c=d', "", "ä"]
    async with client.exec("web", namespace="team-a", container="main", command=words) as term:
        assert await term.exit_code() == 0
    assert asked == [words]
    assert server.requests[0].query["container"] == "main"


async def test_a_terminal_has_one_output_and_a_size(server: ApiServer, client: Client) -> None:
    seen: list[bytes] = []

    async def play(socket: web.WebSocketResponse) -> None:
        seen.append(await socket.receive_bytes())
        await socket.send_bytes(SUCCESS)

    server.on("GET", EXEC, Channels(play))
    async with client.exec("web", namespace="team-a", command=["sh"], stdin=True, tty=True) as term:
        await term.resize(120, 40)
        assert await term.exit_code() == 0
    assert seen == [b'\x04{"Width":120,"Height":40}']
    assert {"stdin", "stdout", "tty"} <= server.requests[0].query.keys()
    assert "stderr" not in server.requests[0].query


async def test_input_is_sent_in_pieces_and_its_end_is_said_in_version_5(server: ApiServer, client: Client) -> None:
    seen: list[bytes] = []

    async def play(socket: web.WebSocketResponse) -> None:
        while not (seen and seen[-1][:1] == b"\xff"):
            seen.append(await socket.receive_bytes())
        await socket.send_bytes(SUCCESS)

    server.on("GET", EXEC, Channels(play))
    sent = b"x" * (execution.PIECE + 1)
    async with asyncio.timeout(5), client.exec("web", namespace="team-a", command=["cat"], stdin=True) as term:
        assert term.can_end_input
        await term.write(sent)
        await term.close_input()
        assert await term.exit_code() == 0
    assert [message[:1] for message in seen] == [b"\x00", b"\x00", b"\xff"]
    assert b"".join(message[1:] for message in seen[:-1]) == sent
    assert seen[-1] == b"\xff\x00"


async def test_version_4_says_that_the_input_cannot_end(server: ApiServer, client: Client) -> None:
    server.on("GET", EXEC, Channels(lambda socket: socket.send_bytes(SUCCESS), protocols=("v4.channel.k8s.io",)))
    async with client.exec("web", namespace="team-a", command=["cat"], stdin=True) as term:
        assert not term.can_end_input
        with pytest.raises(execution.InputCannotEnd, match=r"^test: this cluster \(protocol v4\.channel\.k8s\.io\)"):
            await term.close_input()
        assert await term.exit_code() == 0


async def test_a_command_that_is_not_in_the_image_is_said_with_a_way_out(server: ApiServer, client: Client) -> None:
    words = "error executing command in container: executable file not found in $PATH"
    server.on("GET", EXEC, Channels(lambda socket: socket.send_bytes(failed(500, words))))
    async with client.exec("web", namespace="team-a", command=["nope"]) as term:
        with pytest.raises(execution.CommandNotRun, match="executable file not found") as caught:
            await term.exit_code()
    assert caught.value.code == "exec-not-run"
    assert "-n team-a get pods web" in caught.value.next_steps[0].command


async def test_a_refusal_keeps_the_servers_words_and_names_the_right(server: ApiServer, client: Client) -> None:
    words = (
        'pods "web" is forbidden: User "bob" cannot get resource "pods/exec" in API group "" in the namespace "team-a"'
    )
    server.on("GET", EXEC, status(403, "Forbidden", words))
    with pytest.raises(errors.Forbidden, match='cannot get resource "pods/exec"') as caught:
        async with client.exec("web", namespace="team-a", command=["true"]):
            pass
    assert caught.value.next_steps[0].command.endswith("auth can-i get pods/exec -n team-a")


async def test_an_ended_container_is_said_in_the_kubelets_words(server: ApiServer, client: Client) -> None:
    server.on("GET", EXEC, status(400, "BadRequest", "container main is not running"))
    with pytest.raises(errors.Invalid, match="is not running"):
        async with client.exec("web", namespace="team-a", command=["true"]):
            pass


async def test_a_server_that_speaks_none_of_our_protocols_is_told_apart(server: ApiServer, client: Client) -> None:
    server.on("GET", EXEC, Channels(lambda socket: socket.send_bytes(SUCCESS), protocols=("v1.other",)))
    with pytest.raises(NoWebSocket, match="speaks none of"):
        async with client.exec("web", namespace="team-a", command=["true"]):
            pass


@pytest.mark.parametrize("code", [WSCloseCode.OK, WSCloseCode.INTERNAL_ERROR])
async def test_an_end_without_a_word_is_no_success(server: ApiServer, client: Client, code: int) -> None:
    server.on("GET", EXEC, Channels(lambda socket: socket.close(code=code)))
    async with client.exec("web", namespace="team-a", command=["true"]) as term:
        with pytest.raises(errors.Disconnected):
            await term.exit_code()


async def test_a_cut_is_an_error_and_not_an_end(server: ApiServer, client: Client) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        async def cut(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(b"\x01half")
            assert request.transport is not None
            request.transport.abort()

        return await Channels(cut)(request)

    server.on("GET", EXEC, answer)
    async with asyncio.timeout(5), client.exec("web", namespace="team-a", command=["true"]) as term:
        with contextlib.suppress(errors.Disconnected):
            assert (await anext(term)).data == b"half"
        with pytest.raises(errors.Disconnected):
            await term.exit_code()


async def test_a_status_that_is_no_json_is_still_a_sentence(server: ApiServer, client: Client) -> None:
    server.on("GET", EXEC, Channels(lambda socket: socket.send_bytes(b"\x03no luck\n")))
    async with client.exec("web", namespace="team-a", command=["true"]) as term:
        with pytest.raises(execution.CommandNotRun, match="no luck"):
            await term.exit_code()


async def test_leaving_early_closes_the_stream_on_the_servers_side(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        while (await socket.receive()).type is WSMsgType.BINARY:
            pass

    channels = Channels(play)
    server.on("GET", EXEC, channels)
    async with asyncio.timeout(5):
        async with client.exec("web", namespace="team-a", command=["sleep", "9"]):
            pass
        await channels.left.wait()


async def test_cancelling_who_waits_for_output_closes_the_stream(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01on")
        while (await socket.receive()).type is WSMsgType.BINARY:
            pass

    channels = Channels(play)
    server.on("GET", EXEC, channels)
    running = asyncio.Event()

    async def wait_for_ever() -> None:
        async with client.exec("web", namespace="team-a", command=["sleep", "9"]) as term:
            async for _ in term:
                running.set()

    async with asyncio.timeout(5):
        task = asyncio.create_task(wait_for_ever())
        await running.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channels.left.wait()
    assert not [other for other in asyncio.all_tasks() if other.get_name().startswith("pings")]


async def test_attaching_asks_for_no_command(server: ApiServer, client: Client) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01" + (await socket.receive_bytes())[1:])
        await socket.send_bytes(SUCCESS)

    server.on("GET", ATTACH, Channels(play))
    async with client.attach("web", namespace="team-a", container="main", stdin=True) as term:
        await term.write(b"hello")
        assert [chunk.data async for chunk in term] == [b"hello"]
    assert server.requests[0].query == {"container": "main", "stdin": "true", "stdout": "true", "stderr": "true"}


@pytest.mark.parametrize("said", ["", "--5", "²", "9" * 5_000, "0x1", "1 2"])
def test_an_exit_code_that_is_no_number_is_a_failure(said: str) -> None:
    causes = [errors.Cause(reason="ExitCode", message=said)]
    assert execution._exit_code(errors.Details(causes=causes)) == 1
