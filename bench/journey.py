"""The hero journey in the sandbox at its default speed, by mouse: from Home to a tested editor, clicks and seconds
counted.

`python -m bench.journey [--model qwen2.5-coder:7b]`. Chromium clicks where a person would; nothing is typed. Beside
it the naive way, which is *counted from the documents* of ollama-helm and Continue (2026), not run: it needs a cluster
with GPUs. Ends with one JSON line; exit 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import _browser, _up

TARGETS = {"clicks_to_deploy": 4, "yaml_lines": 0, "answering_s": 90.0, "clicks_to_tested": 3}
NAIVE = {
    "basis": "counted from the documents of ollama-helm and Continue, not run",
    "steps": 12,
    "commands": 8,
    "yaml_lines": 39,
    "files": 2,
}
PATIENCE = 150_000  # ms


class Mouse:
    """Moves to what a person would look for and clicks it; counts."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.clicks = 0

    def click(self, role: Any, name: str, *, within: str = "main") -> None:
        """Click the first element of that role whose name begins so."""
        target = self._page.locator(within).get_by_role(role, name=re.compile(rf"^{re.escape(name)}")).first
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        self._page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.clicks += 1


def main() -> None:
    """Walk, print the table, end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen2.5-coder:7b", help="an exact tag of the catalogue's first page")
    options = parser.parse_args()
    if not _browser.chromium():
        print("SKIPPED: there is no Chromium on PATH; the journey is not walked.", file=sys.stderr)
        print(json.dumps({"bench": "journey", "skipped": "no Chromium on PATH"}))
        return
    with tempfile.TemporaryDirectory(prefix="sealane-bench-") as folder:
        command = [*_up.sealane(), "up", *_up.arguments(Path(folder), "--clusters", "sandbox")]
        with _up.running(command) as up, _browser.browser() as chromium:
            figures = walk(_browser.sign_in(chromium, str(up.ready["console"])), options.model)
    met = {name: figures[name] <= limit for name, limit in TARGETS.items()}
    met["editor_works"] = figures["editor_works"]
    _print(figures)
    ratio = {
        "yaml_lines": f"{figures['yaml_lines']} of {NAIVE['yaml_lines']}",
        "typed_commands": f"0 of {NAIVE['commands']}",
    }
    summary = {"bench": "journey", "model": options.model, **figures, "targets": TARGETS, "each_met": met}
    print(json.dumps(summary | {"met": all(met.values()), "naive": NAIVE, "ratio": ratio}))
    sys.exit(0 if all(met.values()) else 1)


def walk(page: Any, model: str) -> dict[str, Any]:
    """Home to tested editor. Seconds run from the click on Deploy, and from the click on Test."""
    page.set_default_timeout(10_000)
    mouse = Mouse(page)
    mouse.click("link", "Host a model")
    page.wait_for_url("**/host")
    mouse.click("radio", model)
    page.locator("#r-summary", has_text="downloads").wait_for()
    mouse.click("button", "Deploy")
    pressed, deployed = time.perf_counter(), mouse.clicks
    page.wait_for_url("**/models/**")
    stages = _until_it_answers(page, pressed)
    mouse.click("link", "Connect", within=".page-head")
    mouse.click("button", "Copy", within="#connect figure")
    tested = time.perf_counter()
    mouse.click("button", "Test", within="#connect")
    page.locator("#proof .notice").wait_for(timeout=PATIENCE)
    return {
        "clicks_to_deploy": deployed,
        "yaml_lines": int(page.evaluate("sessionStorage.keys ?? 0")),  # not even a key was pressed
        "answering_s": stages["Answering"],
        "clicks_to_tested": mouse.clicks - deployed,
        "test_s": round(time.perf_counter() - tested, 2),
        "editor_works": "Works." in page.locator("#proof").inner_text(),
        "copied_the_file": page.evaluate("navigator.clipboard.readText()").count("sk-sealane-") > 0,
        "stages_s": stages,
    }


def _until_it_answers(page: Any, since: float) -> dict[str, float]:
    """Seconds at which each stage was first seen on the page, without a reload."""
    seen: dict[str, float] = {}
    while "Answering" not in seen:
        words = page.locator("#r-stages h2").inner_text()
        seen.setdefault(words, round(time.perf_counter() - since, 1))
        if (time.perf_counter() - since) * 1000 > PATIENCE or words == "Failed":
            raise SystemExit(f"It does not answer: {page.locator('#r-stages').inner_text()!r}")
        page.wait_for_timeout(100)
    return seen


def _print(figures: dict[str, Any]) -> None:
    print(f"{'':<34}{'Sealane':>9}  {'target':<8}naive way, {NAIVE['basis']}")
    rows = [
        ("clicks from Home to Deploy", figures["clicks_to_deploy"], "≤ 4", f"{NAIVE['steps']} steps in all"),
        ("lines of YAML written", figures["yaml_lines"], "0", f"{NAIVE['yaml_lines']} in {NAIVE['files']} files"),
        ("commands typed", 0, "0", str(NAIVE["commands"])),
        ("seconds from Deploy to Answering", figures["answering_s"], "≤ 90", "no figure: no progress is shown"),
        ("clicks from there to a tested editor", figures["clicks_to_tested"], "≤ 3", "port-forward, curl, config.yaml"),
        ("seconds of the Test", figures["test_s"], "", ""),
    ]
    for what, value, target, naive in rows:
        print(f"{what:<36}{value:>7}  {target:<8}{naive}")


if __name__ == "__main__":
    main()
