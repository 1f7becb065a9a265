"""Makes docs/images/*.png from the running product, so that no picture in the docs can lie.

Starts `sealane up` in the sandbox (or takes a running one: --url and --token), hosts a model, waits until it answers,
and photographs the pages in light and dark. Chromium comes from PATH.

    python scripts/screenshots.py [--url http://127.0.0.1:8700 --token TOKEN] [--out docs/images]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

MODEL = "qwen2.5-coder:1.5b"
WIDE = {"width": 1440, "height": 900}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
PATIENCE = 120_000  # ms until the sandbox's model answers


def main() -> int:
    """Take every picture; exit 1 with one sentence when there is no Chromium."""
    arguments = _arguments()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("There is no Chromium on PATH.", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with _console(arguments) as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = _window(browser.new_context(viewport=WIDE, color_scheme="light"), url, token)
        model = _journey(page, url, arguments.out)
        _pages(page, url, model, arguments.out)
        dark = _window(browser.new_context(viewport=WIDE, color_scheme="dark"), url, token)
        dark.goto(url + model)
        _settle(dark)
        dark.screenshot(path=arguments.out / "model-dark.png")
        browser.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running console's address, without its token")
    parser.add_argument("--token", help="its token")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    return parser.parse_args()


@contextlib.contextmanager
def _console(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """A running console: the one named, else a sandbox of its own that ends with the script."""
    if arguments.url:
        yield arguments.url.rstrip("/"), arguments.token or ""
        return
    with tempfile.TemporaryDirectory(prefix="sealane-shots-") as folder:
        command = [
            sys.executable,
            "-m",
            "sealane",
            "up",
            "--json",
            "--no-browser",
            "--port",
            "0",
            "--gateway-port",
            "0",
        ]
        up = subprocess.Popen([*command, "--data-dir", folder], stdout=subprocess.PIPE, text=True)
        try:
            assert up.stdout
            ready = json.loads(up.stdout.readline())
            link = urlsplit(ready["console"])
            yield f"{link.scheme}://{link.netloc}", parse_qs(link.query)["token"][0]
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(10)


def _port(usual: int) -> str:
    """The usual port when it is free, so that addresses in the pictures are the ones people see."""
    with socket.socket() as probe:
        return "0" if probe.connect_ex(("127.0.0.1", usual)) == 0 else str(usual)


def _window(context: BrowserContext, url: str, token: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(url)
    page.fill("#token", token)
    page.click("button[type=submit]")
    return page


def _settle(page: Page) -> None:
    """Until the page is live and nothing moves."""
    if page.locator("[data-fresh]").count():
        expect(page.locator("[data-fresh]").first).to_have_text("live")
    page.wait_for_timeout(500)


def _journey(page: Page, url: str, out: Path) -> str:
    """Host a model; photograph the form, the start and the proof. Gives back the model's address."""
    page.goto(f"{url}/host?q={MODEL.partition(':')[0]}&model={MODEL}")
    _settle(page)
    page.screenshot(path=out / "host.png")
    page.get_by_role("button", name="Deploy").click()
    page.wait_for_url("**/models/**")
    address = urlsplit(page.url).path
    with contextlib.suppress(AssertionError):
        expect(page.locator("#r-stages progress")).to_be_visible(timeout=30_000)
    page.screenshot(path=out / "starting.png")
    expect(page.locator("#r-lead")).to_contain_text("Answering", timeout=PATIENCE)
    page.goto(f"{url}{address}?editor=continue#connect")
    page.locator("#connect").get_by_role("button", name="Test").click()
    expect(page.locator("#proof .notice")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(400)
    page.screenshot(path=out / "connect.png")
    return address


def _pages(page: Page, url: str, model: str, out: Path) -> None:
    for name, path in (("home", "/"), ("model", model), ("clusters", "/clusters")):
        page.goto(url + path)
        _settle(page)
        page.screenshot(path=out / f"{name}.png")


if __name__ == "__main__":
    raise SystemExit(main())
