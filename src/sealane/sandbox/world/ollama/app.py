"""The simulated server as one ASGI app: all routes, the greeting on `/`, and an access log like the real one's."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sealane.sandbox.world.ollama.anthropic import Messages
from sealane.sandbox.world.ollama.engine import Engine
from sealane.sandbox.world.ollama.management import Management
from sealane.sandbox.world.ollama.native import Native
from sealane.sandbox.world.ollama.openai import OpenAi
from sealane.sandbox.world.programs.messages import ASGIApp, Message, Receive, Send

VERSION = "0.23.0-simulated"
_QUIET = ("/", "/api/version", "/api/ps", "/api/tags")


def build(engine: Engine, *, say: Callable[[str], None] = lambda _line: None) -> ASGIApp:
    """The app of one server; `say` receives a line for each request that does something."""
    routes = [
        Route("/", _greeting, methods=["GET", "HEAD"]),
        *Native(engine, version=VERSION).routes(),
        *Management(engine).routes(),
        *OpenAi(engine).routes(),
        *Messages(engine).routes(),
    ]
    inner = Starlette(routes=routes)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        begun = engine.clock.monotonic()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await inner(scope, receive, watched)
        finally:
            if scope["type"] == "http" and scope["path"] not in _QUIET:
                when = engine.clock.now().strftime("%Y/%m/%d - %H:%M:%S")
                took = f"{engine.clock.monotonic() - begun:.6f}s"
                say(f'[GIN] {when} | {status or 499} | {took:>14} | 127.0.0.1 | {scope["method"]:<8} "{scope["path"]}"')

    return app


async def _greeting(request: Request) -> Response:
    del request
    return PlainTextResponse("Ollama is running")
