"""Break something: by keyboard alone, without scripts, and for assistive technology while something is broken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_accessibility import found_by_axe

pytestmark = pytest.mark.browser

START = "Start: A node is lost"
HEAL = "Heal A node is lost in harbor-eu"


def focus_by_tab(page: Any, label: str) -> None:
    """Go there as a person without a mouse does."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == label:
            return
    raise AssertionError(f"Tab never reaches {label}")


def test_by_keyboard_alone(open_window: Any) -> None:
    visit = open_window()
    page = visit.go("/break")
    focus_by_tab(page, START)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=HEAL).wait_for()
    focus_by_tab(page, HEAL)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=HEAL).wait_for(state="detached")
    assert "gpu-2 is back." in page.inner_text("main")
    assert visit.complaints == []


def test_without_scripts(open_window: Any) -> None:
    visit = open_window(java_script_enabled=False)
    page = visit.go("/break")
    page.get_by_role("button", name=START).click()
    assert "gpu-2 falls silent." in page.inner_text("main")
    page.get_by_role("button", name="Heal all").click()
    assert page.get_by_role("button", name=HEAL).count() == 0
    assert "gpu-2 is back." in page.inner_text("main")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_while_something_is_broken(open_window: Any, theme: str) -> None:
    visit = open_window(theme=theme, width=390, bypass_csp=True)
    page = visit.go("/break")
    page.get_by_role("button", name=START).click()
    page.get_by_role("button", name=HEAL).wait_for()
    found = found_by_axe(visit, ("/break",))
    assert page.get_by_role("button", name=HEAL).count() == 1
    assert not found, "\n".join(found)
