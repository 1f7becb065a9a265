"""Connections to a pod end with the process that served them: a stream is cut, not finished, when its pod goes.

A real server that is told to stop is gone within milliseconds; whoever reads its stream sees it break off. An answer
that had not begun becomes the API server's own word about an unreachable service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

import msgspec

from sealane.sandbox.world.programs.messages import ASGIApp, Message, Receive, Send

_GONE = json.dumps(
    {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "error trying to reach service: EOF",
        "reason": "ServiceUnavailable",
        "code": 503,
    }
).encode()


class Listening(msgspec.Struct, frozen=True):
    """What answers on a port, and the event that says that its process has ended."""

    app: ASGIApp
    over: asyncio.Event


def cut_with(listening: Listening) -> ASGIApp:
    """The app, whose answers break off (ConnectionResetError) when its process ends."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        async def serve() -> None:
            await listening.app(scope, receive, watched)

        serving = asyncio.create_task(serve(), name="request to a pod")
        ending = asyncio.create_task(listening.over.wait(), name="end of a pod's process")
        try:
            await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
                return
        finally:
            ending.cancel()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({serving})
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1006 if begun else 1011})
            return
        if begun:
            raise ConnectionResetError("the process in the pod has ended")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_GONE)).encode())]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _GONE})

    return app
