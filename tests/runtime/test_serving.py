"""Serving: an application can be replaced while its address stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from sealane.gateway import server
from sealane.runtime import ports, serving


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(2000), 5)
    writer.close()
    return answer


def saying(word: bytes) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": word})

    return app


async def test_requests_go_to_whatever_is_set_now() -> None:
    swap = serving.Swap()
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        async with serving.serve(swap, sock, name="test"):
            port = ports.port_of(sock)
            assert (await ask(port)).startswith(b"HTTP/1.1 503")
            for word in (b"one", b"two"):
                swap.set(saying(word))
                assert (await ask(port)).endswith(word)


async def test_up_keeps_idle_connections_as_long_as_a_gateway_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    config = uvicorn.Config

    def noting(app: Any, **settings: Any) -> uvicorn.Config:
        given.update(settings)
        return config(app, **settings)

    alone = server.config(saying(b"one"))
    monkeypatch.setattr(uvicorn, "Config", noting)
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        async with serving.serve(saying(b"one"), sock, name="test"):
            assert given["timeout_keep_alive"] == alone.timeout_keep_alive
