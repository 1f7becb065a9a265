"""Shipped scenarios are sound; a file that is not says which and why."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from sealane.sandbox.scenarios import book
from sealane.sandbox.scenarios.faults import AnyFault, kind_of

GOOD = """
name: a-test
title: A test
teaches: Nothing much.
cluster: harbor-eu
seconds: 30
heals: "{cluster} is well."
steps:
  - {after: 0, say: "{cluster} breaks.", do: {fault: watches-cut}}
look:
  - {say: There, at: /clusters}
"""
DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


def test_there_are_scenarios_and_they_break_all_kinds_of_things() -> None:
    shipped = book.shipped()
    assert len(shipped) >= 10
    used = {kind_of(step.do) for scenario in shipped.values() for step in scenario.steps if step.do}
    assert used == {kind.__struct_config__.tag for kind in AnyFault.__args__}


def test_the_docs_list_every_scenario_with_its_title_and_what_it_teaches() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", DOCS.read_text(), re.MULTILINE))
    told = {s.name: f"{s.title} | {s.cluster} | {s.seconds:g} s | {s.teaches}" for s in book.shipped().values()}
    assert {name: rows.get(name) for name in told} == told


def test_the_docs_list_every_fault() -> None:
    documented = set(re.findall(r"`\{fault: ([a-z-]+)[,}]", DOCS.read_text()))
    assert documented == {kind.__struct_config__.tag for kind in AnyFault.__args__}


def test_names_are_put_into_every_text_and_fault() -> None:
    names = {"cluster": "c", "namespace": "n", "name": "m", "model": "m:1", "node": "gpu-9", "queue": "q"}
    for scenario in book.shipped().values():
        assert "{" not in repr(msgspec.to_builtins(scenario.about(names))).replace("{'", "").replace("{}", "")
    told = book.shipped()["node-lost"].about(names)
    assert told.steps[0].do.node == "gpu-9"  # type: ignore[union-attr]
    assert told.look[0].at == "/models/c/n/m"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("teaches: Nothing much.", f"teaches: {'word ' * 26}"), "26 words; 25 is the most"),
        (("fault: watches-cut", "fault: earthquake"), "Invalid value 'earthquake'"),
        (("fault: watches-cut", "fault: node-lost"), "missing required field `node`"),
        (("fault: watches-cut", "fault: watches-cut, really: true"), "unknown field `really`"),
        (("after: 0", "after: 30"), "a step comes after its 30 s are over"),
        (("after: 0", "after: -1"), ">= 0"),
        ((", do: {fault: watches-cut}", ""), "no step breaks anything"),
        (("{cluster} is well", "{planet} is well"), "{planet} is none of cluster"),
        (("name: a-test", "name: A Test"), "matching regex"),
        (("seconds: 30", "seconds: 0"), "> 0"),
        (("at: /clusters", "at: clusters"), "matching regex"),
        (("title: A test", "titel: A test"), "unknown field `titel`"),
        (("name: a-test", "name: [a"), "expected"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(change: tuple[str, str], why: str) -> None:
    assert book.read(GOOD, where="good.yaml").name == "a-test"
    with pytest.raises(book.BadScenario, match=r"^bad\.yaml: ") as caught:
        book.read(GOOD.replace(*change), where="bad.yaml")
    assert why in str(caught.value)


def test_steps_must_be_in_the_order_of_their_time() -> None:
    mixed = GOOD.replace("steps:\n", "steps:\n  - {after: 9, say: Later}\n")
    with pytest.raises(book.BadScenario, match="order of their time"):
        book.read(mixed, where="bad.yaml")
