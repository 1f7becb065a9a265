"""An open page follows what happens, says how fresh it is, can be paused, and never needs what the policy bars."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

REF = "harbor-eu/team-code/gpt-oss-20b"


def ours(console: Any) -> Any:
    """The fakes behind the console; on a real one these tests have nothing to turn."""
    if console.fakes is None:
        pytest.skip("needs the fakes")
    return console.fakes


def move(console: Any, *args: Any, **more: Any) -> None:
    """Change a hosted model and tell the console, from its own loop."""
    models = ours(console).models
    models.put(*args, **more)
    models.poke()


def test_a_page_follows_what_happens_without_a_reload(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go(f"/models/{REF}")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    expect(page.locator("#r-lead")).to_contain_text("Pulling")
    move(console, "harbor-eu", "team-code", "gpt-oss-20b", "gpt-oss:20b", "Answering", ready=1)
    expect(page.locator("#r-lead")).to_contain_text("Answering")
    expect(page.locator("#r-announce")).to_have_text("gpt-oss:20b: Answering")
    assert visit.complaints == []


def test_a_paused_page_stands_still_and_catches_up(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go(f"/models/{REF}")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    page.click("[data-pause]")
    expect(page.locator("[data-fresh]")).to_have_text("paused by you")
    move(console, "harbor-eu", "team-code", "gpt-oss-20b", "gpt-oss:20b", "Answering", ready=1)
    page.wait_for_timeout(600)
    expect(page.locator("#r-lead")).to_contain_text("Pulling")
    page.click("[data-pause]")
    expect(page.locator("#r-lead")).to_contain_text("Answering")


def test_an_update_leaves_what_the_reader_is_doing_alone(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go(f"/models/{REF}")
    page.fill("#context", "16384")
    page.focus("#context")
    move(console, "harbor-eu", "team-code", "gpt-oss-20b", "gpt-oss:20b", "Answering", ready=1)
    expect(page.locator("#r-lead")).to_contain_text("Answering")
    expect(page.locator("#context")).to_have_value("16384")
    assert page.evaluate("document.activeElement.id") == "context"


def test_a_page_whose_server_is_gone_says_since_when(open_window: Any, console: Any) -> None:
    visit = open_window()
    visit.page.clock.install()
    page = visit.go("/models")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    page.route("**/live/**", lambda route: route.abort())
    visit.page.context.set_offline(True)
    page.clock.fast_forward(60_000)
    expect(page.locator("[data-fresh]")).to_have_text(re.compile(r"^as of \d"))


def test_no_page_breaks_its_own_policy(open_window: Any) -> None:
    visit = open_window()
    for path in ("/", "/host", "/models", f"/models/{REF}", "/clusters", "/keys", "/doctor", "/help"):
        page = visit.go(path)
        page.wait_for_timeout(80)
        assert visit.complaints == [], path


def test_markup_that_somebody_injected_can_send_nothing(open_window: Any, console: Any) -> None:
    """Even if a hole let markup in, htmx attributes without the page's nonce do nothing and scripts do not run."""
    visit = open_window()
    page = visit.go("/help")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """() => {
          const hole = document.querySelector('main');
          const link = document.createElement('a');
          link.setAttribute('hx-post', '/keys'); link.setAttribute('hx-trigger', 'load');
          hole.append(link); window.htmx.process(link);
        }"""
    )
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.querySelector('main').innerHTML = '<img src=x onerror=alert(1)>'")
    page.wait_for_timeout(200)
    assert not [url for url in asked if url.endswith("/keys")]


def test_the_theme_is_kept(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/help")
    button = page.locator("[data-theme-toggle]")
    button.click()
    button.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_page_of_what_was_removed_says_so(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go(f"/models/{REF}")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    models = ours(console).models
    models.details = {ref: detail for ref, detail in models.details.items() if ref.name != "gpt-oss-20b"}
    models.poke()
    expect(page.locator("#r-gone")).to_contain_text("No model gpt-oss-20b is hosted")


def test_the_menu_opens_on_a_narrow_screen(open_window: Any) -> None:
    visit = open_window(width=390)
    page = visit.go("/")
    page.get_by_role("button", name="Menu").click()
    page.locator("#rail").get_by_role("link", name="Keys").click()
    page.wait_for_url("**/keys")
    expect(page.locator("#rail")).to_be_hidden()
