"""What is shown is never older than it says: a cluster that is cut off keeps its last data, greyed, with their time."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def fall_behind(console: Any, *, names: set[str], seconds: float) -> None:
    clusters = console.fakes.clusters
    clusters.items = [
        msgspec.structs.replace(row, behind=seconds if row.name in names else 0.0, behind_why="It is being mended.")
        for row in clusters.items
    ]
    console.fakes.models.poke()


def test_words_in_place_of_figures_do_not_widen_the_page(open_window: Any) -> None:
    page = open_window().go("/")
    cell = page.locator("#r-clusters td.num").first
    cell.evaluate("cell => { cell.textContent = '12 GPUs, no permission to see who uses them' }")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_one_cluster_that_falls_behind_is_named_with_its_time_and_comes_back(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go("/models")
    mark = page.locator("[data-fresh]")
    expect(mark).to_have_text("live")
    rows = page.locator("#r-models tbody tr").count()
    fall_behind(console, names={"harbor-eu"}, seconds=42.0)
    expect(page.locator("#r-away")).to_contain_text("42 s old. It is being mended.")
    expect(mark).to_have_text(re.compile(r"^harbor-eu as of \d\d:\d\d:\d\d"))
    expect(mark).to_have_class(re.compile("fresh--stale"))
    expect(page.locator("html")).not_to_have_attribute("data-stale", "")  # the others' rows are as good as before
    assert page.locator("#r-models tbody tr").count() == rows
    fall_behind(console, names=set(), seconds=0.0)
    expect(mark).to_have_text("live")
    assert visit.complaints == []


def test_a_page_that_is_old_as_a_whole_is_greyed_and_keeps_its_rows(open_window: Any, console: Any) -> None:
    visit = open_window()
    page = visit.go("/models")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    rows = page.locator("#r-models tbody tr").count()
    fall_behind(console, names={row.name for row in console.fakes.clusters.items}, seconds=7.0)
    expect(page.locator("html")).to_have_attribute("data-stale", "")
    assert page.locator("#r-models tbody tr").count() == rows > 0
