"""Chromium against the console: over fakes, and the journeys over a real `sealane up` too.

The journeys start an `up` on its sandbox, or use a running one (a rig's, for one): `SEALANE_CONSOLE_URL` is its address
without the token, `SEALANE_CONSOLE_TOKEN` the token. Without Chromium every test here is skipped with a line that says
so; SEALANE_REQUIRE_BROWSER=1 turns that into a failure.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page
from product import product

from sealane.console.app import build
from sealane.lib.clock import SYSTEM
from tests.console import fakes

AXE = Path(__file__).parents[2] / "src/sealane/console/ui/node_modules/axe-core/axe.min.js"


class Console(msgspec.Struct, frozen=True):
    """Where the console answers, and how to sign in."""

    url: str
    token: str
    fakes: Any = None


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A real `sealane up` on its sandbox: the one that SEALANE_CONSOLE_URL names, else one of its own."""
    url = os.environ.get("SEALANE_CONSOLE_URL")
    if url:
        yield Console(url.rstrip("/"), os.environ["SEALANE_CONSOLE_TOKEN"])
        return
    with product(tmp_path_factory.mktemp("up")) as up:
        yield Console(up.console, up.token)


@pytest.fixture
def console(request: pytest.FixtureRequest) -> Iterator[Console]:
    """A console over fakes of its own for each test; over the sandbox where a test is marked so by its parameter."""
    if getattr(request, "param", "fakes") == "sandbox":
        yield request.getfixturevalue("sandbox")
        return
    services = fakes.build(clock=SYSTEM)
    config = uvicorn.Config(build(services), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="console", daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield Console(f"http://127.0.0.1:{listener.getsockname()[1]}", fakes.TOKEN, services)
        server.should_exit = True
        thread.join(5)


class Visit:
    """A signed-in browser window that notes every complaint of the page."""

    def __init__(self, context: BrowserContext, console: Console) -> None:
        self.console = console
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(5_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(console.url)
        self.complaints.clear()  # the first answer without a session is a 401, and Chromium says so
        self.page.fill("#token", console.token)
        self.page.click("button[type=submit]")

    def go(self, path: str) -> Page:
        """Open a page of the console."""
        self.page.goto(self.console.url + path)
        return self.page

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def open_window(chromium: Browser, console: Console) -> Iterator[Any]:
    """Opens windows: `open_window(theme="dark", width=390)`."""
    contexts: list[BrowserContext] = []

    def open_one(*, theme: str = "light", width: int = 1440, height: int = 1000, **more: Any) -> Visit:
        context = chromium.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
            **more,
        )
        contexts.append(context)
        return Visit(context, console)

    yield open_one
    for context in contexts:
        context.close()
