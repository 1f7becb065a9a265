"""Nobody but the reader gets in, and no page of ours can be made to run what is not ours."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from sealane.console import security
from sealane.console.app import build
from sealane.console.services import Services
from sealane.lib.clock import ManualClock
from tests.console import fakes

MODEL = "/models/harbor-eu/team-code/qwen2-5-coder-7b"


@pytest.mark.parametrize("path", ["/", "/host", "/models", "/models.json", MODEL, "/live/home", "/keys", "/healthz"])
def test_without_a_session_nothing_is_shown(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "qwen2.5-coder" not in answer.text


def test_the_link_opens_a_session_and_leaves_the_address_clean(stranger: TestClient) -> None:
    answer = stranger.get(f"/host?model=a&token={fakes.TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/host?model=a"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200


def test_the_cookie_is_named_after_the_port() -> None:
    assert security.cookie_name({"server": ("127.0.0.1", 8700)}) != security.cookie_name(
        {"server": ("127.0.0.1", 8701)}
    )


def test_the_link_works_once(stranger: TestClient) -> None:
    assert stranger.get(f"/?token={fakes.TOKEN}").status_code == 303
    stranger.cookies.clear()
    again = stranger.get(f"/?token={fakes.TOKEN}", headers={"Accept": "text/html"})
    assert again.status_code == 401
    assert "works once" in again.text


def test_the_link_used_again_by_its_own_browser_just_goes_on(visitor: TestClient) -> None:
    assert visitor.get(f"/models?token={fakes.TOKEN}").status_code == 303
    assert visitor.get("/models").status_code == 200


def test_a_wrong_token_opens_nothing(stranger: TestClient) -> None:
    assert stranger.get("/?token=guess").status_code == 401
    assert stranger.get("/").status_code == 401


@pytest.mark.parametrize("value", ["", "guess", "a.b", ".", "x" * 5000, "name.signature"])
def test_a_made_up_cookie_opens_nothing(stranger: TestClient, value: str) -> None:
    stranger.cookies.set("sealane_session_80", value)
    assert stranger.get("/").status_code == 401


def test_the_token_may_be_pasted_with_its_whole_address(stranger: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    pasted = {"token": f"http://127.0.0.1:8700/?token={fakes.TOKEN}"}
    assert stranger.post("/session", data=pasted, headers=headers).status_code == 303
    assert stranger.get("/").status_code == 200


def test_signing_in_from_a_foreign_page_is_refused(stranger: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert stranger.post("/session", data={"token": fakes.TOKEN}, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example", "//evil.example/%2e%2e", "/%5C/evil.example"])
def test_the_link_leads_nowhere_else(stranger: TestClient, path: str) -> None:
    answer = stranger.get(f"http://testserver{path}?token={fakes.TOKEN}")
    assert answer.status_code == 303
    assert re.match(r"/(?![/\\])", answer.headers["location"])


def test_a_ticket_opens_one_session_and_is_no_bearer(services: Services) -> None:
    sessions = security.Sessions(fakes.TOKEN)
    ticket = sessions.ticket()
    with TestClient(build(services, sessions=sessions), follow_redirects=False) as browser:
        bearer = {"Authorization": f"Bearer {ticket}"}
        assert browser.get("/models.json", headers=bearer).status_code == 401
        assert browser.get(f"/?token={ticket}").status_code == 303
        assert browser.get("/models.json").status_code == 200
        browser.cookies.clear()
        assert browser.get(f"/?token={ticket}").status_code == 401
        same = {"Sec-Fetch-Site": "same-origin"}
        assert browser.post("/session", data={"token": ticket}, headers=same).status_code == 401
        assert browser.get(f"/?token={fakes.TOKEN}").status_code == 303  # the printed link is its own


def test_a_ticket_that_is_not_used_soon_opens_nothing() -> None:
    clock = ManualClock()
    sessions = security.Sessions(fakes.TOKEN, clock=clock)
    ticket = sessions.ticket()
    clock.advance(security.TICKET_SECONDS + 1)
    assert sessions.open_with_link(ticket) is None


def test_no_ticket_is_open_before_one_is_made() -> None:
    assert security.Sessions("").open_with_link("") is None


@pytest.mark.parametrize("path", ["/live/home", "/models.json", "/host?q=registry.example/team/model", "/keys"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_cannot_even_make_the_console_read(visitor: TestClient, path: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    assert visitor.get(path, headers=headers).status_code == 403


def test_a_link_on_another_page_may_be_followed(visitor: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert visitor.get("/models", headers=headers).status_code == 200


def test_a_foreign_frame_shows_nothing(visitor: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert visitor.get("/models", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:1/static/", "127.0.0.1:1/static/?", "127.0.0.1/static/#", "localhost@x"])
def test_the_host_cannot_pretend_an_open_path(stranger: TestClient, host: str) -> None:
    assert stranger.get("/keys.json", headers={"Host": host}).status_code in {401, 403}


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    monkeypatch.setattr(security, "BODY_SECONDS", 0.01)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {fakes.TOKEN}".encode())]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/keys", "raw_path": b"/keys",
        "headers": headers, "query_string": b"", "server": ("127.0.0.1", 80), "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await asyncio.wait_for(build(services)(scope, receive, send), 5)
    assert sent[0]["status"] == 408


def test_a_script_uses_the_token_as_a_bearer(script: TestClient) -> None:
    assert script.get("/models.json").status_code == 200
    assert script.post("/keys", data={"name": "ci"}).json()["secret"]


def test_a_wrong_bearer_is_refused_even_beside_a_good_cookie(visitor: TestClient) -> None:
    assert visitor.get("/models.json", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_a_change_from_elsewhere_is_refused_and_changes_nothing(
    visitor: TestClient, services: Services, headers: dict[str, str]
) -> None:
    del visitor.headers["Sec-Fetch-Site"]
    assert isinstance(services.keys, fakes.FakeKeys)
    before = len(services.keys.items)
    assert visitor.post("/keys", data={"name": "evil"}, headers=headers).status_code == 403
    assert len(services.keys.items) == before


def test_an_older_browser_is_known_by_its_origin(visitor: TestClient) -> None:
    del visitor.headers["Sec-Fetch-Site"]
    headers = {"Origin": "http://testserver"}
    assert visitor.post("/keys", data={"name": "mine"}, headers=headers).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8700", "", "127.0.0.1.evil.example", "[::2]:80"])
def test_another_name_is_not_answered_to(visitor: TestClient, host: str) -> None:
    answer = visitor.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "qwen2.5" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "LOCALHOST:8700", "[::1]:8700"])
def test_its_own_names_are_answered_to(visitor: TestClient, host: str) -> None:
    assert visitor.get("/help", headers={"Host": host}).status_code in {200, 401}


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/nothing.js", "/models.json"])
def test_every_answer_carries_the_policy(visitor: TestClient, path: str) -> None:
    headers = visitor.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_every_page_has_its_own_nonce_and_stamps_it(visitor: TestClient) -> None:
    seen = set()
    for _ in range(3):
        answer = visitor.get("/host")
        policy = answer.headers["content-security-policy"]
        match = re.search(r"script-src 'nonce-([^']+)'", policy)
        assert match
        assert f'hx-nonce="{match[1]}"' in answer.text
        seen.add(match[1])
    assert len(seen) == 3


def test_no_page_needs_what_the_policy_forbids(visitor: TestClient) -> None:
    for path in ("/", "/host", "/models", MODEL, "/clusters", "/keys", "/doctor", "/help"):
        html = fakes.shown(visitor.get(path))
        assert " style=" not in html, path
        assert not re.search(r"\son[a-z]+=", html), path
        assert not re.search(r"<script(?![^>]*\bnonce=)", html), path
        assert "http://" not in re.sub(r"http://(127\.0\.0\.1|[a-z0-9.-]+:11434|www\.w3\.org)", "", html), path


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</code><hx-partial hx-target='#problem'>"]
)
def test_what_others_named_is_shown_as_text(visitor: TestClient, services: Services, evil: str) -> None:
    models = services.models
    assert isinstance(models, fakes.FakeModels)
    models.put(evil, "team-code", "x", evil, "Waiting")
    for path in ("/", "/models", f"/models?q={evil}", f"/host?q={evil}", f"/host?model={evil}", f"/nothing{evil}"):
        answer = visitor.get(path)
        assert evil not in answer.text, path
        assert "<script>alert" not in answer.text


def test_a_cluster_may_be_called_anything(visitor: TestClient, services: Services) -> None:
    models = services.models
    assert isinstance(models, fakes.FakeModels)
    models.put("arn:aws:eks:eu/prod?x#y", "team-code", "x", "phi4:14b", "Answering", ready=1)
    page = fakes.shown(visitor.get("/models"))
    link = re.search(r'href="(/models/arn[^"]+)"', page)
    assert link
    assert visitor.get(link[1]).status_code == 200


def test_a_body_larger_than_any_form_is_refused(visitor: TestClient) -> None:
    answer = visitor.post("/keys", content=b"name=" + b"x" * security.BODY_LIMIT)
    assert answer.status_code == 413


def test_a_body_of_unknown_length_is_counted(visitor: TestClient) -> None:
    def chunks() -> object:
        for _ in range(20):
            yield b"x" * 8192

    answer = visitor.post("/keys", content=chunks(), headers={"Content-Type": "application/x-www-form-urlencoded"})  # type: ignore[arg-type]
    assert answer.status_code == 413


def test_static_files_need_no_session_and_are_kept_for_ever(stranger: TestClient) -> None:
    page = fakes.shown(stranger.get("/", headers={"Accept": "text/html"}))
    css = re.search(r'href="(/static/sealane-[0-9a-f]{8}\.css)"', page)
    assert css
    answer = stranger.get(css[1])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"


def test_pages_are_not_stored(visitor: TestClient) -> None:
    assert visitor.get("/keys").headers["cache-control"] == "no-store"


def test_the_gateway_key_stands_on_no_page(visitor: TestClient) -> None:
    for path in ("/", MODEL, f"{MODEL}.json", "/keys", "/help"):
        assert fakes.KEY not in visitor.get(path).text, path
    assert fakes.KEY in visitor.get("/file/harbor-eu/team-code/qwen2-5-coder-7b?editor=continue").text
