"""The contract of every page: HTML and its twin from one value, in every state that it must be able to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sealane.console import pages
from sealane.console.services import Services
from tests.console import fakes

REF = "harbor-eu/team-code/qwen2-5-coder-7b"
ADDRESSES = {
    "home": "/home",
    "host": "/host",
    "models": "/models",
    "model": f"/models/{REF}",
    "code": f"/code/{REF}",
    "logs": f"/logs/{REF}",
    "remove": f"/remove/{REF}",
    "clusters": "/clusters",
    "keys": "/keys",
    "revoke": "/keys/k1/revoke",
    "doctor": "/doctor",
    "health": "/health",
    "project": "/health/ollama/ollama",
    "help": "/help",
    "break": "/break",
}
DOCS = Path(__file__).parents[2] / "docs" / "console.md"


def documented_keys() -> dict[str, set[str]]:
    """The table of docs/console.md: page → keys of its twin."""
    rows = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| ([^|]+) \|$", DOCS.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`([a-z_]+)`", keys)) for name, keys in rows}


def test_every_view_is_tested_here() -> None:
    assert {view.name for view in pages.VIEWS} == set(ADDRESSES)


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_renders(visitor: TestClient, name: str) -> None:
    answer = visitor.get(ADDRESSES[name])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.count("<h1") == 1
    assert '<main class="main" id="main"' in answer.text


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_twin_has_exactly_the_documented_keys(script: TestClient, name: str) -> None:
    answer = script.get(f"{ADDRESSES[name]}.json")
    assert answer.status_code == 200
    assert set(answer.json()) == documented_keys()[name] | {"freshness"}
    assert {each["cluster"] for each in answer.json()["freshness"]} == {"harbor-eu", "atlas-us", "bench"}


@pytest.mark.parametrize("name", ADDRESSES)
def test_ids_are_unique_on_a_page(visitor: TestClient, name: str) -> None:
    found = re.findall(r'\sid="([^"]+)"', visitor.get(ADDRESSES[name]).text)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_sandbox_is_always_said(visitor: TestClient, name: str) -> None:
    html = visitor.get(ADDRESSES[name]).text
    assert "Sandbox" in html
    assert "Use my clusters" in html


def test_the_badge_is_gone_outside_the_sandbox() -> None:
    from sealane.console.app import build

    with TestClient(build(fakes.build(sandbox=False)), headers={"Authorization": f"Bearer {fakes.TOKEN}"}) as client:
        assert "Use my clusters</a>" not in client.get("/", headers={"Accept": "text/html"}).text


def test_home_tells_the_state_in_one_sentence(script: TestClient) -> None:
    assert script.get("/home.json").json()["heading"] == "Two models answer, one starts, one waits and one has failed."


def test_home_says_why_something_waits(visitor: TestClient) -> None:
    html = visitor.get("/").text
    assert "does not exist at the registry" in html
    assert "atlas-us does not answer" in html


def test_home_connects_to_a_model_that_an_editor_can_use(script: TestClient, services: Services) -> None:
    assert isinstance(services.models, fakes.FakeModels)
    services.models.details.clear()
    answering = []
    for name, model in (("a", "bge-m3"), ("b", "llama3.1:8b"), ("c", "qwen2.5-coder:7b")):
        services.models.put("harbor-eu", "team-code", name, model, "Answering", ready=1)
        answering.append(script.get("/home.json").json()["answering"])
    assert answering == ["harbor-eu/team-code/a", "harbor-eu/team-code/b", "harbor-eu/team-code/c"]


def test_an_empty_home_offers_the_catalogue(script: TestClient, services: Services) -> None:
    assert isinstance(services.models, fakes.FakeModels)
    assert isinstance(services.catalogue, fakes.FakeCatalogue)
    services.models.details.clear()
    services.catalogue.on_laptop = ()
    home = script.get("/home.json").json()
    assert home["heading"].startswith("Nothing runs yet")
    assert len(home["quick"]) == 3
    assert "Host a model first" in script.get("/", headers={"Accept": "text/html"}).text


def test_the_list_of_models_puts_trouble_first_and_can_be_searched(script: TestClient) -> None:
    rows = script.get("/models.json").json()["models"]
    assert [row["stage"] for row in rows[:2]] == ["Failed", "Waiting"]
    found = script.get("/models.json?q=nlp-prod").json()
    assert [row["name"] for row in found["models"]] == ["nomic-embed-text"]
    assert found["total"] == 5


def test_nothing_found_is_not_the_same_as_nothing_there(visitor: TestClient) -> None:
    assert "0 of 5 models match" in visitor.get("/models?q=zzz").text


def test_a_pulling_model_shows_its_bytes(visitor: TestClient) -> None:
    html = visitor.get("/models/harbor-eu/team-code/gpt-oss-20b").text
    assert "Pulling 5.2 GB of 14.0 GB" in html
    assert '<progress max="14000000000" value="5200000000"' in html


def test_a_failed_model_fails_at_the_stage_where_it_stopped(script: TestClient) -> None:
    steps = script.get("/models/bench/default/phi4-14b.json").json()["steps"]
    assert [step["state"] for step in steps] == ["done", "failed", "next", "next", "next"]


def test_an_unknown_model_names_the_nearest(visitor: TestClient) -> None:
    answer = visitor.get("/models/harbor-eu/team-code/qwen-coder-7b")
    assert answer.status_code == 404
    assert "qwen2-5-coder-7b" in answer.text


def test_a_cluster_that_does_not_answer_is_listed_with_its_cause(script: TestClient) -> None:
    columns = {column["cluster"]["name"]: column for column in script.get("/clusters.json").json()["clusters"]}
    away = columns["atlas-us"]
    assert away["cluster"]["state"] == "unreachable"
    assert "certificate expired" in away["cluster"]["sentence"]
    assert not away["known"]


def test_queues_have_a_cell_for_each_gpu(script: TestClient) -> None:
    queues = {queue["name"]: queue for queue in script.get("/clusters.json").json()["queues"]}
    assert queues["vision"]["cells"] == ["is-own", "is-borrowed", "is-limit"]
    assert queues["research"]["cells"] == ["is-own", "is-tenth-1", "is-kept", "is-kept", "", "", "is-limit"]


def test_a_broken_kubeconfig_is_said_where_clusters_are_chosen(visitor: TestClient, services: Services) -> None:
    from sealane.lib.errors import UsageError

    assert isinstance(services.switch, fakes.FakeSwitch)
    services.switch.broken = UsageError("config, line 7: a mapping is expected.")
    assert "line 7" in visitor.get("/clusters").text


def test_doctor_never_says_that_checks_took_no_time(script: TestClient) -> None:
    page = script.get("/doctor", headers={"accept": "text/html"}).text
    assert "They took 0 s" not in page
    assert re.search(r"They took (less than a second|[1-9]\d* s)\.", page)


def test_doctor_puts_failures_first(script: TestClient) -> None:
    found = script.get("/doctor.json").json()
    assert [check["state"] for check in found["checks"]] == ["fail", "warn", "ok"]
    assert not found["ok"]


def test_every_word_of_help_is_explained_in_25_words() -> None:
    from sealane.console.pages.helping import TERMS

    for term in TERMS:
        assert len(term.meaning.split()) <= 25, term.word


@pytest.mark.parametrize("path", ["/nothing", "/models/a", "/keys/k9/revoke", "/live/nothing", "/static/../app.py"])
def test_a_missing_page_is_one_sentence(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert "There is no page" in answer.text or not answer.text


def test_a_wrong_method_is_one_sentence(script: TestClient) -> None:
    answer = script.delete("/models")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method-not-allowed"


def test_a_bug_of_ours_is_logged_and_never_shown(
    visitor: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(fakes.FakeModels, "hosted", broken)
    answer = visitor.get("/models")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "secret detail" not in answer.text
    mark = re.search(r"[0-9a-f]{8}", caplog.text)
    assert mark
    assert mark[0] in answer.text


def test_all_that_a_first_visit_loads_is_small(visitor: TestClient) -> None:
    import gzip

    from sealane.console.assets import Assets

    page = max(len(gzip.compress(visitor.get(path).content)) for path in ADDRESSES.values())
    assert Assets().weight() + page < 100_000
