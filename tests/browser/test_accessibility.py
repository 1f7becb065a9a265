"""axe finds nothing on any page, in both themes, wide and narrow; nothing scrolls sideways at 320 px."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.browser.conftest import AXE

pytestmark = pytest.mark.browser

REF = "harbor-eu/team-code/qwen2-5-coder-7b"
PAGES = (
    "/",
    "/host",
    "/host?mode=part&part=0.5&q=llama",
    "/host?model=nothing:1b",
    "/models",
    "/models?q=nothing",
    f"/models/{REF}?copies=30&done=1",
    "/models/harbor-eu/team-code/gpt-oss-20b",
    "/models/bench/default/phi4-14b",
    f"/code/{REF}",
    f"/logs/{REF}",
    f"/remove/{REF}",
    "/clusters",
    "/keys",
    "/keys/k1/revoke",
    "/doctor",
    "/help",
    "/break",
    "/health",
    "/health/ollama/ollama",
    "/nothing-here",
)
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def found_by_axe(visit: Any, paths: Sequence[str]) -> list[str]:
    """One line for each element that breaks a rule."""
    assert AXE.is_file(), "axe-core is not there: install the package once, or `npm ci` in src/sealane/console/ui"
    found = []
    for path in paths:
        page = visit.go(path)
        page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
        page.evaluate(AXE.read_text())
        result = page.evaluate("rules => axe.run(document, rules)", RULES)
        for violation in result["violations"]:
            for node in violation["nodes"]:
                found.append(f"{path}: {violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}")
    return found


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_window: Any, theme: str, width: int) -> None:
    visit = open_window(theme=theme, width=width, bypass_csp=True)
    found = found_by_axe(visit, PAGES)
    assert not found, "\n".join(found)


def test_nothing_scrolls_sideways_at_320_px(open_window: Any) -> None:
    visit = open_window(width=320)
    wide = {}
    for path in PAGES:
        page = visit.go(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


def test_targets_are_at_least_24_px(open_window: Any) -> None:
    visit = open_window()
    script = """() => [...document.querySelectorAll('button, input, select, .btn, summary')]
      .filter(item => item.checkVisibility() && !item.closest('.seg, .pick, .tabs, .check'))
      .map(item => [item.outerHTML.slice(0, 90), item.getBoundingClientRect()])
      .filter(([, box]) => box.height && (box.height < 24 || box.width < 24)).map(([html]) => html)"""
    small = {path: visit.go(path).evaluate(script) for path in PAGES}
    assert {path: items for path, items in small.items() if items} == {}


@pytest.mark.slow
@pytest.mark.parametrize("console", ["sandbox"], indirect=True)
def test_axe_finds_nothing_on_the_sandbox(open_window: Any) -> None:
    visit = open_window(bypass_csp=True)
    pages = ["/", "/host", "/host?all=1", "/models", "/clusters", "/keys", "/doctor"]
    pages += [f"/models/{REF}?editor={editor}" for editor in ("vscode", "cline", "curl")]
    pages += [f"/code/{REF}", f"/logs/{REF}", f"/remove/{REF}"]
    found = found_by_axe(visit, pages)
    assert not found, "\n".join(found)
