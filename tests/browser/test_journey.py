"""Journey 1, from Home to a tested editor: by mouse alone, by keyboard alone, without scripts. Clicks are counted."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

PATIENCE = float(os.environ.get("SEALANE_JOURNEY_PATIENCE_MS", "90000"))
MODEL = os.environ.get("SEALANE_JOURNEY_MODEL", "qwen2.5-coder:1.5b")
EVERYWHERE = pytest.mark.parametrize(
    "console", ["fakes", pytest.param("sandbox", marks=pytest.mark.slow)], indirect=True
)


class Mouse:
    """Clicks, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, role: Any, name: Any, *, within: str = "body") -> None:
        target = self.page.locator(within).get_by_role(role, name=name).first
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.clicks += 1


def until_it_answers(page: Page, console: Any) -> None:
    """On the sandbox and the rig a model takes its time; the fakes are told."""
    if console.fakes is not None:
        models = console.fakes.models
        ref = next(ref for ref in reversed(models.details))
        models.put(ref.cluster, ref.namespace, ref.name, models.details[ref].hosted.model, "Answering", ready=1)
        models.poke()
    expect(page.locator("#r-lead")).to_contain_text("Answering", timeout=PATIENCE)


@EVERYWHERE
def test_by_mouse_alone(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go("/")
    mouse = Mouse(page)
    mouse.click("link", re.compile("^Host a model"), within="main")
    page.wait_for_url("**/host")
    mouse.click("radio", re.compile(rf"^{re.escape(MODEL)}"))
    expect(page.locator("#r-models :checked")).to_have_value(MODEL)
    expect(page.locator("#r-created")).to_contain_text("Nothing stands against it")
    mouse.click("button", "Deploy")
    page.wait_for_url("**/models/**")
    assert mouse.clicks <= 4
    until_it_answers(page, console)
    mouse.click("link", "Connect", within=".page-head")
    mouse.click("button", "Copy", within="#connect figure")
    mouse.click("button", "Test")
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)
    assert mouse.clicks <= 7
    assert visit.complaints == []


def test_from_home_in_two_clicks(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/")
    mouse = Mouse(page)
    mouse.click("link", re.compile("^Host "), within=".quick")
    mouse.click("button", "Deploy")
    page.wait_for_url("**/models/**")
    assert mouse.clicks == 2


def tab_to(page: Page, wanted: str, *, most: int = 80) -> None:
    """Press Tab until the focused element matches; the focus must be seen where it is."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            seen = page.evaluate(
                """() => { const box = document.activeElement.getBoundingClientRect();
                  const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                  return Boolean(at) && (document.activeElement.contains(at) || at.contains(document.activeElement)
                    || at.closest('label') !== null); }"""
            )
            assert seen, f"{wanted} has the focus but is hidden"
            return
    raise AssertionError(f"Tab does not reach {wanted}")


@EVERYWHERE
def test_by_keyboard_alone(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go("/")
    tab_to(page, ".skip")
    page.keyboard.press("Enter")
    tab_to(page, ".task__foot a.btn")
    page.keyboard.press("Enter")
    page.wait_for_url("**/host")
    tab_to(page, "input[name=model]")
    for _ in range(10):
        page.keyboard.press("ArrowDown")
        chosen = page.locator("#r-models :checked").input_value()
        if chosen == MODEL:
            break
    expect(page.locator("#r-summary")).to_contain_text("downloads")
    tab_to(page, "button.btn--primary")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/**")
    expect(page.locator("h1")).to_have_text(chosen)
    until_it_answers(page, console)
    tab_to(page, "#connect form[action^='/test/'] button")
    page.keyboard.press("Enter")
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)


def test_without_scripts(open_window: Any, console: Any) -> None:
    visit = open_window(java_script_enabled=False)
    page = visit.go("/host?model=llama3.1:8b")
    page.check("input[name=mode][value=part]", force=True)
    page.fill("#part", "0.5")
    page.fill("#copies", "2")
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#r-created")).to_contain_text("0.5 each")
    expect(page.locator("#copies")).to_have_value("2")
    page.get_by_role("button", name="Deploy").click()
    page.wait_for_url("**/models/**")
    expect(page.locator(".toast")).to_contain_text("Hosted llama3.1:8b")
    page.fill("#copies", "3")
    page.get_by_role("button", name="Show the change").click()
    expect(page.locator("#r-diff")).to_contain_text("replicas: 3")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".toast")).to_contain_text("Changed copies from 2 to 3")
    page.click(".toast >> text=Undo")
    expect(page.locator(".toast")).to_contain_text("Put back")
    page.locator("#connect").get_by_role("button", name="Test").click()
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)


def test_the_form_follows_each_choice(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/host?model=llama3.1:8b")
    page.locator("label", has_text="Whole cards").first.click()
    expect(page.locator("#r-created")).to_contain_text("1 each")
    page.locator("#cards").locator("..").get_by_role("button", name="One card more").click()
    expect(page.locator("#r-created")).to_contain_text("2 each")
    page.locator("label", has_text="bench").first.click()
    expect(page.locator("#r-summary")).to_contain_text("bench-1")
    page.locator("label", has_text="Part").first.click()
    expect(page.locator("#r-created")).to_contain_text("no KAI Scheduler")
    page.fill("[name=q]", "phi")
    expect(page.locator("#r-models")).to_contain_text("phi4:14b")
    expect(page.locator("#r-models .pick")).to_have_count(2)  # what was found, and what is chosen
    assert visit.complaints == []


def test_a_slider_and_its_box_agree(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/host?model=llama3.1:8b&mode=part")
    page.fill("#part", "0.4")
    expect(page.locator("#part-slider")).to_have_value("0.4")
    page.focus("#part-slider")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#part")).to_have_value("0.41")
    expect(page.locator("#r-created")).to_contain_text("0.41 each")


def test_a_failed_preview_is_said_on_the_page(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/host?model=llama3.1:8b")
    page.evaluate("document.getElementById('copies').removeAttribute('max')")
    page.fill("#copies", "5000")
    expect(page.locator("#problem")).to_contain_text("write a number from 0 to 100")
    page.fill("#copies", "2")
    expect(page.locator("#problem")).not_to_contain_text("write a number")
