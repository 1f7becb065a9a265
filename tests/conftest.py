"""What all tests share: tests/support on the path, and one Chromium that leaves the other tests' event loops alone.

Hypothesis gets no deadline for an example: on a busy machine that fails tests whose code is right.

Playwright's synchronous API keeps its event loop "running" in this thread from its start to its end, and asyncio runs
no second one there: an async test after a browser test in one process could not start. So that loop is hidden while a
test that drives no browser runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent / "support"))

hypothesis.settings.register_profile("sealane", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("sealane")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("SEALANE_REQUIRE_BROWSER") == "1":
        pytest.fail("No Chromium on PATH, and SEALANE_REQUIRE_BROWSER=1 asks for one.")
    pytest.skip("No Chromium on PATH: the browser tests are skipped.")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a process; it skips where there is none."""
    path = _chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        loop = asyncio._get_running_loop()
        yield browser
        asyncio._set_running_loop(loop)  # the last test may be one whose teardown hides it
        browser.close()


def _hidden(item: pytest.Item) -> Generator[None]:
    loop = None if item.get_closest_marker("browser") else asyncio._get_running_loop()
    if loop is None:
        return (yield)
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(None if loop.is_closed() else loop)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Hide a browser's loop from other tests."""
    return (yield from _hidden(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Hide a browser's loop from other tests."""
    return (yield from _hidden(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Hide a browser's loop from other tests."""
    return (yield from _hidden(item))
