"""Programs by name, and people whose names only look like one."""

from __future__ import annotations

import pytest

from sealane.health.bots import KNOWN, BotRules


@pytest.mark.parametrize(
    "actor", ["dependabot[bot]", "Renovate", "k8s-ci-robot", "bot-one", "codecov-io", "my_bot", "web-flow"]
)
def test_programs_are_found_with_a_reason(actor: str) -> None:
    assert KNOWN.reason(actor)


@pytest.mark.parametrize("actor", ["abbott", "botond", "robotnik", "talbot", "bottle-bottom", ""])
def test_people_whose_names_contain_bot_are_people(actor: str) -> None:
    assert KNOWN.reason(actor) == ""


def test_who_is_allowed_is_a_person_whatever_the_patterns_say() -> None:
    rules = BotRules(suffixes=("-bot",), allow=frozenset({"sam-bot"}))
    assert rules.among(frozenset({"Sam-Bot", "x-bot"})) == {"x-bot": "its name ends in -bot"}
