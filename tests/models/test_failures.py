"""Foreign failure texts become one sentence of ours, and unknown ones are never hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.models import failures


def test_quota_text_is_taken_apart() -> None:
    said = 'pods "q" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3'
    assert failures.is_quota(said)
    assert (
        failures.creation(said)
        == "The quota team of this namespace is used up: asked pods=1, used pods=3, limit pods=3."
    )


@pytest.mark.parametrize(
    ("asked", "hard", "hopeless"),
    [("pods=1", "pods=1", False), ("requests.cpu=1500m", "requests.cpu=1", True), ("x=nonsense", "x=1", False)],
)
def test_a_quota_smaller_than_one_pod_is_told_from_a_full_one(asked: str, hard: str, hopeless: bool) -> None:
    said = f"exceeded quota: team, requested: {asked}, used: {hard}, limited: {hard}"
    assert failures.quota_is_too_small(said) is hopeless
    assert not failures.quota_is_too_small("another text")


def test_a_forbidden_pod_keeps_the_servers_reason() -> None:
    said = (
        'pods "qwen-1-" is forbidden: error looking up service account team-a/robot: serviceaccount "robot" not found'
    )
    assert failures.creation(said) == (
        "The cluster refuses to create the pod: "
        'error looking up service account team-a/robot: serviceaccount "robot" not found.'
    )


@pytest.mark.parametrize("said", ["", "  \n ", "Error: "])
def test_an_empty_log_has_no_last_line(said: str) -> None:
    assert failures.last_line(said) in {"", "Error:"}


def test_a_load_failure_of_another_kind_is_passed_on() -> None:
    assert failures.load("llama runner process has terminated: exit status 2", model="m") == (
        "The engine cannot load m: llama runner process has terminated: exit status 2."
    )
    assert (
        failures.load("model 'm' not found", model="m") == "The engine runs but does not have m: model 'm' not found."
    )


def test_an_exit_without_words_still_gives_the_code() -> None:
    told = failures.exit_of("ollama", code=139, reason="Error", message="", limit="", restarts=0)
    assert told == "The container ollama ended with code 139."


@given(st.text(min_size=1).filter(lambda said: failures.last_line(said) != ""))
def test_whatever_was_said_last_is_in_the_sentence(said: str) -> None:
    told = failures.pull(said, model="m")
    assert failures.last_line(said) in told
    assert told.endswith(".")
