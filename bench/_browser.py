"""Chromium for the benchmarks: signed in to a running console, and what a page really weighs on the wire.

The weight is Chromium's own count of encoded bytes (headers and compressed bodies) of every finished response with an
empty cache, so nothing that a page loads can be forgotten. A live stream never finishes and is no part of a load.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


def chromium() -> str:
    """The path of a Chromium; "" when there is none on PATH."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium until the block ends."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield found
        found.close()


def sign_in(browser: Browser, address: str) -> Page:
    """A window on Home, opened by the address of the ready line, whose one-time token becomes a cookie."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.add_init_script(
        "addEventListener('keydown', () => (sessionStorage.keys = 1 + Number(sessionStorage.keys ?? 0)))"
    )
    page.goto(address)
    page.wait_for_selector("main h1")
    return page


def weigh(page: Page, url: str) -> dict[str, int]:
    """Encoded bytes of a first load of `url` by kind of resource (document, stylesheet, script, image, font ...)."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    weight: dict[str, int] = {}

    def answered(event: Any) -> None:
        kinds[event["requestId"]] = str(event["type"]).lower()

    def finished(event: Any) -> None:
        kind = kinds.get(event["requestId"], "other")
        weight[kind] = weight.get(kind, 0) + int(event["encodedDataLength"])

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    page.goto(url)
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)  # what the page's own scripts ask for
    session.detach()
    return weight
