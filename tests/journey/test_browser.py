"""Journey 1 in the sandbox through the console, as people do it: by mouse alone, by keyboard alone, without scripts.

Everything here is the real product (`sealane up`); the fakes have tests/browser. All windows share one session, because
the address of the ready line opens the console once.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from product import Product, product

pytestmark = [pytest.mark.xdist_group("journey"), pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "src/sealane/console/ui/node_modules/axe-core/axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
HOSTED = "atlas-us/default/shown"
PAGES = (
    "/", "/host", "/host?all=1", "/host?model=llama3.1:8b&mode=part&part=0.5", "/host?model=nothing:1b", "/models",
    f"/models/{HOSTED}", f"/models/{HOSTED}?editor=continue", f"/models/{HOSTED}?copies=3",
    f"/code/{HOSTED}", f"/logs/{HOSTED}", f"/remove/{HOSTED}", "/clusters", "/keys", "/doctor", "/help",
    "/nothing-here", "/models/harbor-eu/team-code/nothing-here",
)  # fmt: skip
PATIENCE = 60_000


class Windows:
    """Opens windows of one signed-in person on one product; notes what their pages complain of."""

    def __init__(self, browser: Browser, console: str, address: str) -> None:
        self._browser = browser
        self.console = console
        self.complaints: list[str] = []
        self.opened: list[BrowserContext] = []
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(address)
            assert "token=" not in page.url, "the token leaves the address bar"
            self._session: Any = context.storage_state()

    def __call__(self, path: str = "/", *, theme: Any = "light", width: int = 1440, **more: Any) -> Page:
        """A window on that page."""
        size: Any = {"width": width, "height": 1000}
        context = self._browser.new_context(
            storage_state=self._session, color_scheme=theme, viewport=size, base_url=self.console, **more
        )
        self.opened.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console", lambda line: self.complaints.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        return page


@pytest.fixture(scope="session")
def windows(chromium: Browser, running: Product) -> Windows:
    return Windows(chromium, running.console, running.ready["console"])


@pytest.fixture
def window(windows: Windows) -> Iterator[Windows]:
    """Windows that are closed after the test."""
    windows.complaints.clear()
    yield windows
    while windows.opened:
        windows.opened.pop().close()


@pytest.fixture(scope="session")
def hosted(running: Product) -> str:
    """A model of this file's own that answers, for every page about a model."""
    cluster, namespace, name = HOSTED.split("/")
    place = ("--cluster", cluster, "-n", namespace, "--name", name, "--gpu", "0")
    outcome = running.run("host", "all-minilm", *place, "--json")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return name


def broken(page: Page, rules: dict[str, Any], where: str) -> list[str]:
    """One line for each element that breaks a rule of axe."""
    result = page.evaluate("rules => axe.run(document, rules)", rules)
    return [
        f"{where}: {rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


SETTLED = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
  for (const moving of document.getAnimations()) { try { moving.finish(); } catch { moving.cancel(); } }
  requestAnimationFrame(() => requestAnimationFrame(done));
})))"""


def copied(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def shown_with_key(page: Page, key: str) -> str:
    """The file that the page shows, its masked key replaced by the real one."""
    shown = page.locator("#editor-file").inner_text()
    masked = re.search(r"sk-sealane-[^\s\"']*", shown)
    assert masked, shown
    assert masked.group() != key, "the page itself shows no key"
    return shown.replace(masked.group(), key)


def same(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def forget(running: Product, page: Page) -> None:
    cluster, _, name = page.url.partition("/models/")[2].partition("?")[0].partition("#")[0].split("/")
    running.json("remove", name, "--cluster", cluster, "--with-weights")


class Mouse:
    """Moves and clicks, and counts; a key pressed anywhere would be counted by the page."""

    def __init__(self, page: Page) -> None:
        page.add_init_script(
            "addEventListener('keydown', () => (sessionStorage.keys = 1 + Number(sessionStorage.keys ?? 0)))"
        )
        page.reload()
        self.page = page
        self.clicks = 0

    def click(self, role: Any, name: str, within: str = "main") -> None:
        target = self.page.locator(within).get_by_role(role, name=re.compile(rf"^{re.escape(name)}")).first
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.clicks += 1

    def keys(self) -> int:
        return int(self.page.evaluate("sessionStorage.keys ?? 0"))


def test_by_mouse_alone_from_home_to_a_tested_editor(window, running):
    page = window()
    mouse = Mouse(page)
    mouse.click("link", "Host a model")
    page.wait_for_url("**/host")
    mouse.click("radio", "qwen2.5-coder:1.5b")
    expect(page.locator("#r-created")).to_contain_text("Nothing stands against it")
    mouse.click("button", "Deploy")
    page.wait_for_url("**/models/**")
    assert mouse.clicks <= 4
    expect(page.locator("#r-lead")).to_contain_text("Answering", timeout=PATIENCE)
    before = mouse.clicks
    mouse.click("link", "Connect", within=".page-head")
    mouse.click("button", "Copy", within="#connect figure")
    expect(page.locator("#connect figure [data-word]")).to_have_text("Copied")
    mouse.click("button", "Test", within="#connect")
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)
    assert mouse.clicks - before <= 3
    assert mouse.keys() == 0
    assert same(copied(page)) == same(shown_with_key(page, running.ready["key"]))
    assert window.complaints == []
    forget(running, page)


SEEN = """() => {
  const item = document.activeElement, box = (item.closest('label') ?? item).getBoundingClientRect();
  if (item === document.body) return 'nothing has the focus';
  const style = element => getComputedStyle(element);
  const ringed = element => element && (style(element).outlineStyle !== 'none' && style(element).outlineWidth !== '0px'
    || style(element).boxShadow !== 'none');
  const label = item.closest('label') ?? (item.id ? document.querySelector(`label[for="${item.id}"]`) : null);
  const name = item.outerHTML.slice(0, 120);
  if (!ringed(item) && !ringed(label) && !ringed(item.parentElement)) return 'no ring on ' + name;
  const at = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, innerHeight));
  const met = at && (item.contains(at) || at.contains(item) || at.closest('label')?.contains(item));
  return met ? '' : 'covered or outside the window: ' + name;
}"""


class Keys:
    """Presses keys; wherever the focus goes, it must be seen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def tab_to(self, wanted: str, *, most: int = 90) -> None:
        for _ in range(most):
            self.page.keyboard.press("Tab")
            unseen = self.page.evaluate(SEEN)
            assert not unseen, unseen
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                return
        raise AssertionError(f"Tab does not reach {wanted}")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)


def test_by_keyboard_alone_from_home_to_a_tested_editor(window, running):
    page = window()
    keys = Keys(page)
    keys.tab_to(".skip", most=1)
    keys.press("Enter")
    keys.tab_to(".task__foot a.btn")
    keys.press("Enter")
    page.wait_for_url("**/host")
    keys.tab_to("input[name=model]")
    for _ in range(12):
        if page.locator("#r-models :checked").input_value() == "qwen2.5-coder:1.5b":
            break
        keys.press("ArrowDown")
    expect(page.locator("#r-models :checked")).to_have_value("qwen2.5-coder:1.5b")
    expect(page.locator("#r-created")).to_contain_text("Nothing stands against it")
    keys.tab_to("button.btn--primary")
    keys.press("Enter")
    page.wait_for_url("**/models/**")
    expect(page.locator("#r-lead")).to_contain_text("Answering", timeout=PATIENCE)
    keys.tab_to(".page-head .btn--primary")
    keys.press("Enter")
    keys.tab_to("#connect figure [data-copy-url]")
    keys.press("Space")
    expect(page.locator("#connect figure [data-word]")).to_have_text("Copied")
    assert same(copied(page)) == same(shown_with_key(page, running.ready["key"]))
    keys.tab_to("#connect form[action^='/test/'] button")
    keys.press("Enter")
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)
    assert window.complaints == []
    forget(running, page)


def test_without_scripts_forms_still_host_change_test_and_remove(window, running):
    page = window("/host?model=qwen2.5:0.5b", java_script_enabled=False)
    page.fill("#copies", "1")
    page.get_by_role("button", name="Deploy").click()
    page.wait_for_url("**/models/**")
    address = page.url.partition("?")[0].partition("#")[0]
    for _ in range(60):
        page.goto(address)
        if "Answering" in page.locator("#r-lead").inner_text():
            break
        page.wait_for_timeout(500)
    page.locator("#connect").get_by_role("button", name="Test").click()
    expect(page.locator("#proof")).to_contain_text("Works.", timeout=PATIENCE)
    page.goto(address)
    page.fill("#copies", "2")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".toast")).to_contain_text("Changed copies from 1 to 2")
    page.get_by_role("link", name="Remove").click()
    name = address.rpartition("/")[2]
    page.get_by_label("Remove the weights too").check()
    page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.locator("h1")).to_have_text("qwen2.5:0.5b was removed")
    assert not [row for row in running.json("models") if row["name"] == name]


def test_a_page_shows_what_the_command_line_did_without_a_reload(window, running, hosted):
    page = window(f"/models/{HOSTED}")
    expect(page.locator("[data-fresh]")).to_have_text("live")
    page.evaluate("window.kept = true")
    expect(page.locator("#r-lead")).to_contain_text("1 of 1 copy")
    running.json("scale", hosted, "--copies", "2", "--cluster", "atlas-us")
    expect(page.locator("#r-lead")).to_contain_text("2 of 2 copies", timeout=PATIENCE)
    expect(page.locator("#r-copies tbody tr")).to_have_count(2)
    assert page.evaluate("window.kept"), "the page was reloaded"
    running.json("scale", hosted, "--copies", "1", "--cluster", "atlas-us")
    expect(page.locator("#r-copies tbody tr")).to_have_count(1, timeout=PATIENCE)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.usefixtures("hosted")
def test_axe_finds_nothing_on_any_page(window, width):
    """Every rule in the light theme; in the dark one, on the same page, those that colours can break."""
    page = window(width=width, bypass_csp=True, reduced_motion="reduce")
    source, found, grounds = AXE.read_text(), [], set()
    for path in PAGES:
        page.emulate_media(color_scheme="light")
        page.goto(path)
        page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
        page.evaluate(source)
        found += broken(page, RULES, f"{path} (light)")
        page.emulate_media(color_scheme="dark")
        page.evaluate(SETTLED)
        found += broken(page, COLOURS, f"{path} (dark)")
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert not found, "\n".join(found)
    assert len(grounds) == 1, grounds
    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") not in grounds


@pytest.mark.usefixtures("hosted")
def test_nothing_scrolls_sideways_at_320_px(window):
    page = window(width=320)
    wide = {}
    for path in PAGES:
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


def test_a_broken_kubeconfig_is_named_with_its_line_and_nothing_is_lost(chromium, tmp_path):
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\nkind: Config\nclusters:\n- name: mine\n  cluster: {server: 'https://x'\n")
    with product(tmp_path / "data", KUBECONFIG=str(config)) as up:
        page = Windows(chromium, up.console, up.ready["console"])("/clusters")
        expect(page.locator("#mine")).to_contain_text(str(config))
        expect(page.locator("#mine")).to_contain_text(re.compile(r"line \d"))
        answer = page.request.post(
            f"{up.console}/switch", form={"clusters": "kubeconfig"}, headers={"Origin": up.console}
        )
        assert answer.status >= 400
        assert str(config) in html.unescape(answer.text())
        assert re.search(r"line \d", answer.text())
        page.goto("/models")
        expect(page.locator("main")).to_contain_text("harbor-eu")
        page.goto("/clusters")
        expect(page.locator("main")).to_contain_text("atlas-us")
        page.context.close()
