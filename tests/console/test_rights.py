"""A reader with few rights: every button is there and says why it does nothing; what is hidden is never said to be
nothing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

import msgspec
import pytest
from starlette.testclient import TestClient

from sealane.console import app
from sealane.console.problems import Refused
from sealane.console.services import Ref, Sight
from sealane.fleet.rights import UNKNOWN, YES, NoRight, Question, Verdict, refusal
from sealane.gpus.facts import ClusterFacts
from sealane.kube.resources import DEPLOYMENTS
from sealane.models.rights import NEEDS, Action
from tests.console import fakes

REF = Ref("harbor-eu", "team-code", "qwen2-5-coder-7b")
BUTTONS: dict[str, tuple[str, Action]] = {
    "Logs": (f"/models/{REF.path}", "logs"),
    "Remove": (f"/models/{REF.path}", "remove"),
    "Restart": (f"/models/{REF.path}", "restart"),
    "Test": (f"/models/{REF.path}", "ask"),
    "Remove qwen2-5-coder-7b": (f"/remove/{REF.path}", "remove"),
    "Deploy": ("/host", "host"),
}


class FakeRights:
    """Refuses `denied`, shows `shown`."""

    def __init__(self) -> None:
        self.denied: set[Action] = set()
        self.shown: list[Sight] = []
        self.named: list[tuple[str, str]] = []
        self.known: Sequence[str] = ()

    def may(self, action: Action, ref: Ref, *, weights: bool = False) -> Verdict:
        if action not in self.denied:
            return YES if ref.namespace == "team-code" else UNKNOWN
        need = NEEDS[action][0]
        asked = Question(verb=need.verb, resource=need.resource, namespace=ref.namespace, subresource=need.subresource)
        return refusal(ref.cluster, asked)

    def sights(self) -> Sequence[Sight]:
        return self.shown

    def namespaces(self, cluster: str) -> Sequence[str]:
        return self.known

    def name(self, cluster: str, namespace: str) -> None:
        if not namespace.islower():
            raise Refused("A namespace is written in small letters.", fields={"namespace": "Small letters."})
        self.named.append((cluster, namespace))


class World:
    def __init__(self) -> None:
        self.rights = FakeRights()
        self.services = dataclasses.replace(fakes.build(), rights=self.rights)

    @property
    def models(self) -> fakes.FakeModels:
        assert isinstance(self.services.models, fakes.FakeModels)
        return self.services.models


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reader(world: World) -> Iterator[TestClient]:
    with TestClient(app.build(world.services), follow_redirects=False) as client:
        client.get(f"/?token={fakes.TOKEN}")
        client.headers.update({"Sec-Fetch-Site": "same-origin", "Accept": "text/html"})
        yield client


class Buttons(HTMLParser):
    """Links and buttons by their words, and every element's text by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.by_id: dict[str, str] = {}
        self._stack: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"input", "use", "link", "meta", "rect", "path", "option"}:
            self._stack.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        for _, _, words in self._stack:
            words.append(data)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An empty element of SVG: neither a button nor words."""

    def handle_endtag(self, tag: str) -> None:
        while self._stack:
            open_tag, attrs, words = self._stack.pop()
            said = re.sub(r"\s+", " ", "".join(words)).strip()
            if attrs.get("id"):
                self.by_id[str(attrs["id"])] = said
            if open_tag in {"a", "button"}:
                self.found.append((said, attrs))
            if open_tag == tag:
                return

    def named(self, words: str) -> dict[str, str | None]:
        return next(attrs for said, attrs in self.found if said == words)


@pytest.mark.parametrize("words", BUTTONS)
def test_a_button_that_is_refused_stays_and_says_why_and_who_can_help(
    world: World, reader: TestClient, words: str
) -> None:
    path, action = BUTTONS[words]
    world.rights.denied = {action}
    page = Buttons(reader.get(path).text)
    button = page.named(words)
    assert button["aria-disabled"] == "true"
    assert "disabled" not in button
    assert button.get("tabindex") != "-1"
    why = page.by_id[str(button["aria-describedby"])]
    assert "Your role in " in why
    assert "ask someone who may bind roles there" in why
    assert "kubectl --context harbor-eu" in why


@pytest.mark.parametrize("words", BUTTONS)
def test_a_button_that_is_allowed_or_not_known_to_be_refused_is_plain(reader: TestClient, words: str) -> None:
    page = Buttons(reader.get(BUTTONS[words][0]).text)
    assert "aria-disabled" not in page.named(words)
    assert "Your role in" not in reader.get(BUTTONS[words][0]).text


def test_apply_is_refused_only_where_copies_may_not_be_set_either(world: World, reader: TestClient) -> None:
    world.rights.denied = {"change"}
    answer = reader.get(f"/models/{REF.path}")
    assert "aria-disabled" not in Buttons(answer.text).named("Apply")
    assert "You may set the copies alone." in answer.text
    world.rights.denied = {"change", "scale"}
    assert Buttons(reader.get(f"/models/{REF.path}").text).named("Apply")["aria-disabled"] == "true"


def test_the_twin_says_each_right_so_that_programs_need_not_try(world: World, reader: TestClient) -> None:
    world.rights.denied = {"remove"}
    may = reader.get(f"/models/{REF.path}.json").json()["may"]
    assert set(may) == {"logs", "ask", "scale", "restart", "change", "apply", "remove"}
    assert may["remove"]["answer"] == "no"
    assert "may not delete deployments" in may["remove"]["sentence"]
    assert may["restart"] == {"answer": "yes", "sentence": "", "who": []}


def test_a_press_all_the_same_explains(world: World, reader: TestClient) -> None:
    world.rights.denied = {"scale"}
    world.models.refuse = NoRight(world.rights.may("scale", REF))
    answer = reader.post(f"/change/{REF.path}", data={"copies": "3"})
    assert answer.status_code == 403
    assert "Your role in team-code may not patch deployments/scale" in fakes.shown(answer)
    assert "kubectl --context harbor-eu -n team-code auth can-i" in fakes.shown(answer)


def test_logs_that_may_not_be_read_are_not_asked_for(world: World, reader: TestClient) -> None:
    world.rights.denied = {"logs"}
    twin = reader.get(f"/logs/{REF.path}.json").json()
    assert twin["lines"] == []
    assert "may not get pods/log" in twin["problem"]["sentence"]


HIDDEN = Sight(
    cluster="harbor-eu",
    models="none",
    namespaces=(),
    hidden=("pods", "events", "nodes", "queues"),
    sentence="You have no permission to list models in harbor-eu, so nobody can say whether any run.",
)
SOME = Sight(
    cluster="harbor-eu",
    models="some",
    namespaces=("team-code",),
    hidden=(),
    sentence="You may list models of harbor-eu in team-code alone; others are not shown.",
)
EMPTY_WORDS = (
    "No models yet",
    "Nothing runs yet",
    "no GPUs",
    "It is asleep",
    "Nothing was recorded",
    "There is no copy",
)


@pytest.mark.parametrize("sight", [HIDDEN, SOME])
@pytest.mark.parametrize("path", ["/", "/models", "/clusters"])
def test_no_permission_never_looks_like_empty(world: World, reader: TestClient, path: str, sight: Sight) -> None:
    world.models.details.clear()
    world.rights.shown = [sight]
    page = fakes.shown(reader.get(path))
    assert sight.sentence in page
    assert [words for words in EMPTY_WORDS if words in page] == []
    assert 'action="/namespaces"' in page


def test_without_anything_hidden_empty_is_said_to_be_empty(world: World, reader: TestClient) -> None:
    world.models.details.clear()
    assert "No models yet" in reader.get("/models").text
    assert "Nothing runs yet" in reader.get("/").text


def test_a_model_whose_pods_and_events_are_hidden_says_so(world: World, reader: TestClient) -> None:
    detail = world.models.details[REF]
    world.models.details[REF] = type(detail)(hosted=detail.hosted, spec=detail.spec, stage=detail.stage)
    world.rights.shown = [HIDDEN]
    page = reader.get(f"/models/{REF.path}").text
    assert "no permission to list pods" in page
    assert "no permission to list events" in page
    assert [words for words in EMPTY_WORDS if words in page] == []
    assert "no permission to list pods" in reader.get(f"/logs/{REF.path}").text


def test_cards_and_queues_that_may_not_be_seen_are_not_none(world: World, reader: TestClient) -> None:
    clusters = world.services.clusters
    assert isinstance(clusters, fakes.FakeClusters)
    clusters.known = [
        type(fact)(
            name=fact.name,
            version=fact.version,
            kai=fact.kai,
            gpu_sharing=None,
            region="",
            nodes=(),
            queues=(),
            namespaces=None,
            storage_class="",
            nodes_known=False,
            queues_known=False,
            pods_known=False,
        )
        for fact in clusters.known
    ]
    page = reader.get("/clusters").text
    assert "no permission to list its nodes" in page
    assert "no permission to list its queues" in page
    assert "no permission to list queues of" in page
    assert "No cluster here" not in page
    assert "no permission to see" in reader.get("/").text
    assert "0 nodes" not in page


def test_cards_whose_pods_are_hidden_are_not_free(world: World, reader: TestClient) -> None:
    clusters = world.services.clusters
    assert isinstance(clusters, fakes.FakeClusters)
    clusters.known = [unseen(fact) for fact in clusters.known]
    page = reader.get("/clusters").text
    assert "no permission to see who uses" in page
    assert ">free<" not in page


def unseen(fact: ClusterFacts) -> ClusterFacts:
    nodes = tuple(
        msgspec.structs.replace(
            node, cards=tuple(msgspec.structs.replace(card, free=1.0, users=()) for card in node.cards)
        )
        for node in fact.nodes
    )
    return msgspec.structs.replace(fact, nodes=nodes, pods_known=False)


def test_a_namespace_that_the_reader_knows_is_looked_into(world: World, reader: TestClient) -> None:
    answer = reader.post("/namespaces", data={"cluster": "harbor-eu", "namespace": "team-x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    assert world.rights.named == [("harbor-eu", "team-x")]
    refused = reader.post("/namespaces", data={"cluster": "harbor-eu", "namespace": "Team X"})
    assert refused.status_code == 422


def test_hosting_offers_the_namespaces_with_a_role_where_none_may_be_listed(world: World, reader: TestClient) -> None:
    clusters = world.services.clusters
    assert isinstance(clusters, fakes.FakeClusters)
    clusters.known = [msgspec.structs.replace(fact, namespaces=None) for fact in clusters.known]
    world.rights.known = ("team-code", "team-x")
    page = reader.get("/host").text
    assert '<option value="team-x">' in page
    assert 'name="namespace" value="team-code"' in page
    assert "you may not list namespaces there" in page


def test_the_refusal_of_the_whole_cluster_names_it() -> None:
    found = refusal("harbor-eu", Question(verb="list", resource=DEPLOYMENTS))
    assert found.sentence == "Your role may not list deployments in all of harbor-eu; ask whoever runs it."
