"""Sealane's own client streams into a whole sandbox: exec, attach, port-forward, WebSockets through the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sealane.kube import config, errors
from sealane.kube.client import Client
from sealane.kube.exec import CommandNotRun
from sealane.kube.portforward import PortRefused
from sealane.lib.errors import SealaneError

POD = """
apiVersion: v1
kind: Pod
metadata: {name: own, namespace: default}
spec: {containers: [{name: main, image: "nginx:1.27", ports: [{containerPort: 8080}]}]}
"""
HERE: Any = {"namespace": "default"}


@pytest.fixture(scope="module")
def pod(sandbox: Any) -> str:
    """The name of a running pod."""
    sandbox.kubectl("apply", "-f", "-", stdin=POD)
    sandbox.kubectl("wait", "pod", "own", "--for=condition=Ready", "--timeout=20s")
    return "own"


@pytest.fixture
async def client(sandbox: Any) -> AsyncIterator[Client]:
    """The admin's client."""
    async with asyncio.timeout(30), Client(config.load([Path(sandbox.kubeconfig)]).context("harbor-eu")) as opened:
        yield opened


async def test_a_command_gives_its_outputs_apart_and_its_exit_code(client: Client, pod: str) -> None:
    seen: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    async with client.exec(pod, **HERE, command=["sh", "-c", "echo out; nothing; exit 9"]) as terminal:
        async for piece in terminal:
            seen[piece.stream] += piece.data
        assert await terminal.exit_code() == 9
    assert seen == {"stdout": b"out\n", "stderr": b"sh: 1: nothing: not found\n"}


async def test_input_ends_and_comes_back_whole(client: Client, pod: str) -> None:
    data = bytes(range(256)) * 2000
    got = b""
    async with client.exec(pod, **HERE, command=["cat"], stdin=True) as terminal:
        assert terminal.can_end_input
        await terminal.write(data)
        await terminal.close_input()
        async for piece in terminal:
            got += piece.data
        assert await terminal.exit_code() == 0
    assert got == data


async def test_a_terminal_is_resized_and_typed_at(client: Client, pod: str) -> None:
    shown = b""
    async with client.exec(pod, **HERE, command=["bash"], stdin=True, tty=True) as terminal:
        await terminal.resize(120, 40)
        await terminal.write(b"hostname\rexit 2\r")
        async for piece in terminal:
            assert piece.stream == "stdout"
            shown += piece.data
        assert await terminal.exit_code() == 2
    assert b"root@own:/# " in shown
    assert b"\r\nown\r\n" in shown


async def test_a_program_that_is_not_there_is_an_error_of_its_own(client: Client, pod: str) -> None:
    async with client.exec(pod, **HERE, command=["nothing"]) as terminal:
        with pytest.raises(CommandNotRun, match="executable file not found"):
            await terminal.exit_code()


async def test_what_may_not_be_had_is_refused_as_on_a_server(client: Client, sandbox: Any, pod: str) -> None:
    dana = config.load([Path(f"{sandbox.kubeconfig}-dana")]).context("harbor-eu")
    async with Client(dana) as other:
        with pytest.raises(errors.Forbidden):
            async with other.port_forward(pod, namespace="kube-system", port=80):
                pass
    with pytest.raises(errors.NotFound):
        async with client.exec("nobody", **HERE, command=["true"]):
            pass


async def test_a_port_is_forwarded_and_a_closed_one_refused(client: Client, pod: str) -> None:
    async with client.port_forward(pod, **HERE, port=8080) as tunnel:
        await tunnel.write(b"GET /own HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := await tunnel.read():
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"/own"' in answer
    async with client.port_forward(pod, **HERE, port=81) as tunnel:
        with pytest.raises(PortRefused, match="connection refused"):
            await tunnel.read()


async def test_attach_follows_until_the_container_ends(client: Client, pod: str) -> None:
    async with client.attach(pod, **HERE) as terminal:
        async with client.exec(pod, **HERE, command=["kill", "1"]) as inside:
            assert await inside.exit_code() in (0, 137)
        assert await terminal.exit_code() == 0


async def test_a_websocket_to_what_speaks_none_is_refused(client: Client, pod: str) -> None:
    with pytest.raises(SealaneError):
        async with client.proxy_websocket(pod, **HERE, port=8080, path="/ws"):
            pass
