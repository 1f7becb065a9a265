"""Break something: there in the sandbox alone; starting, seeing and healing work as a page, as JSON and live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from sealane.console.app import build
from sealane.console.breaking import CannotBreak
from sealane.console.services import Services
from tests.console import fakes


@pytest.fixture
def breaking(services: Services) -> fakes.FakeBreaking:
    assert isinstance(services.breaking, fakes.FakeBreaking)
    return services.breaking


@pytest.fixture
def real() -> Iterator[TestClient]:
    """A program beside real clusters."""
    headers = {"Authorization": f"Bearer {fakes.TOKEN}"}
    with TestClient(build(fakes.build(sandbox=False)), headers=headers, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), [("GET", "/break.json"), ("POST", "/break"), ("POST", "/break/heal")])
def test_real_clusters_are_never_broken(real: TestClient, method: str, path: str) -> None:
    answer = real.request(method, path, json={"name": "node-lost"} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "no-sandbox"
    assert answer.json()["error"]["sentence"] == (
        "Only the sandbox's simulated clusters may be broken, and it is not open."
    )


def test_beside_real_clusters_nothing_leads_there(real: TestClient) -> None:
    assert 'href="/break"' not in real.get("/help", headers={"Accept": "text/html"}).text
    assert real.get("/live/break").status_code == 404


@pytest.mark.parametrize("page", ["/", "/help"])
def test_the_badge_and_help_lead_there(visitor: TestClient, page: str) -> None:
    assert '<a class="sandbox__way only-wide" href="/break">' in visitor.get(page).text


def test_help_says_what_it_is(visitor: TestClient) -> None:
    assert '<a href="/break">Break something</a>.' in visitor.get("/help").text


def test_each_scenario_is_a_card_with_a_start_button(visitor: TestClient) -> None:
    html = visitor.get("/break").text
    assert html.count('<article class="recipe"') == 2
    assert 'aria-label="Start: A node is lost"' in html
    assert "Nodes die." in html
    assert "Nothing is broken." in html
    assert "Heal all" not in html


def test_a_started_scenario_says_what_happens_where_it_is_seen_and_how_to_heal_it(visitor: TestClient) -> None:
    answer = visitor.post("/break", data={"name": "node-lost"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/break")
    html = fakes.shown(visitor.get("/break"))
    assert "A node is lost in harbor-eu" in html
    assert "gpu-2 falls silent." in html
    assert "ends by itself in 240 s" in html
    assert '<a href="/models/harbor-eu/team-code/qwen2-5-coder-7b">Which copy is where</a>' in html
    assert "Runs now" in html
    assert "Heal all" in html
    assert visitor.post("/break/heal", data={}).status_code == 303
    healed = visitor.get("/break").text
    assert "gpu-2 is back." in healed
    assert "Nothing is broken." in healed


def test_a_program_gets_the_page_as_json(script: TestClient, breaking: fakes.FakeBreaking) -> None:
    fields = {"name": "api-slow", "cluster": "harbor-eu", "model": "x", "seconds": 30}
    answer = script.post("/break", json=fields)
    assert answer.status_code == 200
    assert answer.json()["heading"] == "Broken now: The API server is slow (harbor-eu)."
    assert [run["name"] for run in answer.json()["runs"]] == ["api-slow"]
    assert breaking.asked == [("api-slow", "harbor-eu", "x", 30.0)]
    healed = script.post("/break/heal", json={"name": "api-slow"}).json()
    assert (healed["heading"], healed["runs"], len(healed["past"])) == ("Nothing is broken.", [], 1)


def test_only_what_is_named_is_healed(script: TestClient) -> None:
    script.post("/break", json={"name": "api-slow"})
    assert script.post("/break/heal", json={"cluster": "elsewhere"}).json()["runs"]


def test_a_scenario_that_cannot_be_started_says_why_on_the_page_and_in_json(visitor: TestClient) -> None:
    refused = visitor.post("/break", data={"name": "flood"})
    assert refused.status_code == 409
    assert "“flood” cannot be started." in refused.text
    assert 'aria-label="Start: A node is lost"' in refused.text
    told = visitor.post("/break", json={"name": "flood"}, headers={"Accept": "application/json"})
    assert told.json()["error"]["code"] == "cannot-break"


def test_a_time_that_is_none_is_refused(script: TestClient, breaking: fakes.FakeBreaking) -> None:
    assert script.post("/break", json={"name": "api-slow", "seconds": 9999}).status_code == 422
    assert breaking.asked == []


def test_a_form_that_is_sent_twice_starts_once(visitor: TestClient, breaking: fakes.FakeBreaking) -> None:
    for _ in range(2):
        assert visitor.post("/break", data={"name": "node-lost"}).status_code == 303
    assert len(breaking.runs) == 1


def test_a_sandbox_that_is_silent_is_told_and_the_page_stays(visitor: TestClient, breaking: fakes.FakeBreaking) -> None:
    breaking.silent = CannotBreak("harbor-eu cannot be reached.")
    html = visitor.get("/break").text
    assert "The sandbox does not answer." in html
    assert "harbor-eu cannot be reached." in html
    assert "Nothing is broken." not in html


def test_another_site_cannot_break_anything(visitor: TestClient, breaking: fakes.FakeBreaking) -> None:
    answer = visitor.post("/break", data={"name": "node-lost"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert breaking.asked == []


def test_a_stranger_cannot_break_anything(stranger: TestClient, breaking: fakes.FakeBreaking) -> None:
    assert stranger.post("/break", data={"name": "node-lost"}).status_code in {401, 403}
    assert breaking.asked == []
