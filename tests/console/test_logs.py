"""The logs page: all copies or one, live within bounds, to be kept as a file, and honest about what it cannot read."""

from __future__ import annotations

import re

import msgspec
import pytest
from starlette.testclient import TestClient

from sealane.console.real import models
from sealane.console.services import Ref, Services
from sealane.lib.errors import NotAllowed, SealaneError
from tests.console import fakes

REF = Ref("harbor-eu", "team-code", "qwen2-5-coder-7b")
PAGE = f"/logs/{REF.path}"
FILE = f"/download/logs/{REF.path}"


def copies(services: Services) -> list[str]:
    return [copy.name for copy in services.models.detail(REF).copies]


def test_several_copies_are_merged_unless_one_is_chosen(services: Services, visitor: TestClient) -> None:
    first, second = copies(services)[:2]
    merged = visitor.get(f"{PAGE}.json").json()
    assert merged["copy"] == ""
    assert merged["lines"][0].startswith(f"{first} | ")
    assert merged["lines"][1].startswith(f"{second} | ")
    one = visitor.get(f"{PAGE}.json?copy={second}").json()
    assert {f"of {second}" in line for line in one["lines"]} == {True}
    assert not one["lines"][0].startswith(second)


def test_the_run_before_is_asked_for(visitor: TestClient) -> None:
    twin = visitor.get(f"{PAGE}.json?previous=yes&tail=1").json()
    assert twin["previous"] is True
    assert all("before" in line for line in twin["lines"])


def test_lines_are_a_log_that_announces_nothing_and_is_reached_by_keyboard(visitor: TestClient) -> None:
    html = visitor.get(PAGE).text
    assert '<pre tabindex="0" role="log" aria-live="off" aria-label="Log lines, oldest first">' in html
    assert 'id="r-log"' in html


def test_what_is_shown_can_be_kept_as_a_file(services: Services, visitor: TestClient) -> None:
    name = copies(services)[0]
    answer = visitor.get(f"{FILE}?copy={name}&tail=2&previous=yes")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}-previous.log"'
    assert answer.text.splitlines() == visitor.get(f"{PAGE}.json?copy={name}&tail=2&previous=yes").json()["lines"]


@pytest.mark.parametrize("error", [SealaneError("container ollama is waiting to start."), NotAllowed("You may not.")])
def test_what_cannot_be_read_is_said_in_place_and_gives_no_empty_file(
    services: Services, visitor: TestClient, monkeypatch: pytest.MonkeyPatch, error: SealaneError
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(services.models, "logs", refuse)
    page, file = visitor.get(PAGE), visitor.get(FILE)
    assert (page.status_code, file.status_code) == (200, error.http_status)
    assert error.sentence in fakes.shown(page)
    assert error.sentence in fakes.shown(file)


def test_more_lines_than_a_browser_should_hold_are_refused(visitor: TestClient) -> None:
    assert visitor.get(f"{PAGE}.json?tail=2001").status_code == 422


def test_a_log_whose_lines_never_end_costs_a_page_no_more_than_others() -> None:
    assert models._last(["short"] * 2_000) == ["short"] * 2_000
    cut = models._cut("x" * 10_005)
    assert (len(cut) < 10_050, cut.endswith("… (5 characters more)")) == (True, True)
    shown = models._last([models._cut("y" * 200_000)] * 2_000 + ["newest"])
    assert sum(map(len, shown)) <= models._PAGE + 100
    assert shown[-1] == "newest"
    assert re.fullmatch(r"\(1,\d+ lines before this are too long to show\)", shown[0])


def test_a_copy_with_a_strange_name_writes_no_header(
    services: Services, visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers as it likes may name a pod so that a careless header ends early."""
    strange = 'x"\r\nSet-Cookie: a=b; é\N{RIGHT-TO-LEFT OVERRIDE}'
    detail = services.models.detail(REF)
    copy = msgspec.structs.replace(detail.copies[0], name=strange)
    monkeypatch.setattr(services.models, "detail", lambda _: msgspec.structs.replace(detail, copies=(copy,)))
    answer = visitor.get(FILE, params={"copy": strange})
    assert answer.headers["content-disposition"] == 'attachment; filename="x-Set-Cookie-a-b-.log"'
    assert "set-cookie" not in answer.headers
