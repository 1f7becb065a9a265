"""From a form to a spec: every default, every way to give a share, every place in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.console import hosting
from sealane.console.forms import Form
from sealane.console.hosting import HostForm
from sealane.console.problems import Refused
from sealane.gpus.facts import ClusterFacts
from sealane.models.types import Fit, Placement, Share
from tests.console import fakes

GIB = fakes.GIB
FIT = Fit(
    model="m",
    weights_bytes=5 * GIB,
    kv_bytes=GIB,
    compute_bytes=0,
    total_bytes=6 * GIB,
    basis="header",
    error_percent=5,
)


def place(cluster: str, queue: str, starts: str, *, node: str = "", share: str = "0.25") -> Placement:
    return Placement(cluster=cluster, queue=queue, node=node, share=share, starts=starts, sentence=starts)  # type: ignore[arg-type]


def test_an_empty_address_is_a_complete_form() -> None:
    assert hosting.read_host_form(Form({})) == HostForm()


def test_a_box_that_was_unticked_stays_so() -> None:
    assert hosting.read_host_form(Form({"model": "m"})).keep
    assert not hosting.read_host_form(Form({"sent": "1"})).keep
    assert hosting.read_host_form(Form({"sent": "1", "keep": "1"})).keep


@given(st.dictionaries(st.sampled_from(["mode", "part", "cards", "mib", "copies", "context", "name", "q"]), st.text()))
def test_whatever_is_sent_gives_a_form_or_one_sentence(fields: dict[str, str]) -> None:
    try:
        form = hosting.read_host_form(Form(fields))
    except Refused:
        return
    assert 0 < form.part < 1
    assert 0 <= form.copies <= hosting.MOST_COPIES
    assert form.mode in hosting.MODES


def test_what_it_needs_leaves_the_share_to_the_plan() -> None:
    assert hosting.share_of(HostForm(mode="auto")) == Share()
    assert hosting.share_of(HostForm(mode="none")) == Share(devices=0)


def test_places_are_one_a_queue_best_first() -> None:
    found = hosting.best_places(
        [
            place("b", "q", "waits"),
            place("a", "q", "never", node="n1"),
            place("a", "q", "now", node="n2"),
            place("c", "", "not-allowed"),
        ]
    )
    assert [(item.cluster, item.starts) for item in found] == [("a", "now"), ("b", "waits"), ("c", "not-allowed")]


def test_the_recommended_place_is_taken_unless_another_is_named() -> None:
    places = (place("a", "q", "now"), place("b", "", "waits"))
    assert hosting.chosen_place(HostForm(), places) is places[0]
    assert hosting.chosen_place(HostForm(where="b~"), places) is places[1]
    assert hosting.chosen_place(HostForm(where="gone~x"), places) is places[0]
    assert hosting.chosen_place(HostForm(), ()) is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="~")), st.text())
def test_a_place_is_read_as_it_is_written(cluster: str, queue: str) -> None:
    form = HostForm(where=hosting.place_id(place(cluster, queue, "now")))
    assert (form.cluster, form.queue) == (cluster, queue)


def test_system_namespaces_are_not_offered() -> None:
    harbor = fakes.facts()[0]
    assert hosting.namespaces_of(harbor) == ("default", "nlp-prod", "team-code")
    assert hosting.namespaces_of(None) is None


@pytest.mark.parametrize(
    ("written", "known", "expected"),
    [
        ("", ("default", "a"), "default"),
        ("", ("a", "b"), "a"),
        ("", None, "default"),
        ("mine", ("default",), "mine"),
    ],
)
def test_a_namespace_is_as_written_else_the_usual_one(
    written: str, known: tuple[str, ...] | None, expected: str
) -> None:
    assert hosting.namespace_of(HostForm(namespace=written), known) == expected


def test_the_bar_adds_up() -> None:
    harbor = fakes.facts()[0]
    bar = hosting.bar_of(place("harbor-eu", "research", "now", node="gpu-2"), Share(fraction=0.25), FIT, harbor)
    assert bar
    assert bar.title == "gpu-2 card 1"
    assert bar.used == pytest.approx(10)
    assert bar.need == pytest.approx(6 * 1024 / 46068 * 100)
    assert bar.need + bar.room == pytest.approx(25)
    assert "10 per cent" in bar.spoken


@given(st.floats(0.01, 0.99), st.integers(0, 200))
def test_the_bar_never_leaves_its_card(part: float, gib: int) -> None:
    harbor = fakes.facts()[0]
    fit = Fit(
        model="m",
        weights_bytes=0,
        kv_bytes=0,
        compute_bytes=0,
        total_bytes=gib * GIB,
        basis="header",
        error_percent=5,
    )
    bar = hosting.bar_of(place("harbor-eu", "research", "now", node="gpu-2"), Share(fraction=part), fit, harbor)
    assert bar
    assert bar.used + bar.need + bar.room <= 100.001
    assert min(bar.used, bar.need, bar.room) >= 0


@pytest.mark.parametrize("facts", [None, fakes.facts()[1]])
def test_without_a_node_there_is_no_bar(facts: ClusterFacts | None) -> None:
    assert hosting.bar_of(place("x", "", "waits"), Share(devices=1), FIT, facts) is None


def test_a_place_that_is_not_there_is_refused_and_never_replaced_by_another():
    places = [place("a", "q", "now"), place("b", "", "now")]
    refusal = hosting.unknown_place(HostForm(where="gone~x"), places)
    assert refusal is not None
    assert refusal.sentence == "There is no place gone / x now; there are a / q and b."
    assert hosting.unknown_place(HostForm(where="b~"), places) is None
    assert hosting.unknown_place(HostForm(where=""), places) is None
