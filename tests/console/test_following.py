"""The Clusters page follows the kubeconfig: what is in it now, and why the clusters are not as it says."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from sealane.console.app import build
from sealane.console.pages import clusters
from sealane.console.services import Services
from sealane.lib.errors import NextStep, SealaneError
from tests.console import fakes

BEHIND = SealaneError(
    "your kubeconfig changed and was not taken: line 3 is no YAML.",
    next_steps=(NextStep(title="Correct the kubeconfig", command="vi +3 config"),),
)


@pytest.fixture
def switch(services: Services) -> fakes.FakeSwitch:
    assert isinstance(services.switch, fakes.FakeSwitch)
    return services.switch


def test_a_kubeconfig_that_is_not_taken_is_one_sentence_with_a_next_step(
    visitor: TestClient, switch: fakes.FakeSwitch
) -> None:
    assert "was not taken" not in visitor.get("/clusters").text
    switch.behind = BEHIND
    html = visitor.get("/clusters").text
    assert "Your kubeconfig changed and was not taken: line 3 is no YAML." in html
    assert "vi +3 config" in html
    assert "harbor-eu" in html, "the clusters are still there"


def test_the_reason_stands_alone_when_the_file_cannot_be_listed_either(
    visitor: TestClient, switch: fakes.FakeSwitch
) -> None:
    switch.behind, switch.broken = BEHIND, SealaneError("line 3 is no YAML at all.")
    html = visitor.get("/clusters").text
    assert "was not taken" in html
    assert "no YAML at all" not in html


def test_programs_read_the_reason_too(script: TestClient, switch: fakes.FakeSwitch) -> None:
    switch.behind = BEHIND
    found = script.get("/clusters.json").json()
    assert found["kubeconfig_problem"]["sentence"] == BEHIND.sentence


def test_the_list_of_contexts_is_a_part_of_the_page_that_stays_live(visitor: TestClient) -> None:
    assert clusters.VIEW.regions["r-contexts"] == "clusters/contexts.html"
    html = visitor.get("/clusters").text
    assert 'id="r-contexts"' in html
    assert "prod-fra" in html


def test_a_process_that_cannot_switch_has_no_reason_to_tell() -> None:
    services = fakes.build(switch=None)
    with TestClient(build(services)) as client:
        found = client.get("/clusters.json", headers={"Authorization": f"Bearer {fakes.TOKEN}"}).json()
    assert found["kubeconfig_problem"] is None
    assert found["contexts"] == []
