"""Freshness: the sentences that keep an empty table from being read as "nothing there"."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kube import forbidden, refused

from sealane.fleet import states
from sealane.kube import errors, resources


def fresh(**parts: Any) -> states.Freshness:
    given = {"condition": "live", "loaded": True, "quiet_for": 0.0, "cause": None, **parts}
    return states.freshness(resources.PODS, **given)


def test_a_working_watch_is_live_and_has_no_age() -> None:
    assert fresh(quiet_for=60.0) == states.Freshness(state="live", age=0.0, sentence="The list of pods is live.")


def test_before_the_first_list_it_is_loading_and_carries_the_cause() -> None:
    found = fresh(condition="unreachable", loaded=False, cause=refused())
    assert found.state == "loading"
    assert "the connection is refused" in found.sentence


def test_forbidden_never_looks_like_empty() -> None:
    found = fresh(condition="forbidden", loaded=False, cause=forbidden("User dana cannot list pods"))
    assert found.state == "forbidden"
    assert found.sentence.startswith("You may not read pods here.")


def test_who_is_not_signed_in_is_not_told_of_missing_rights() -> None:
    cause = errors.SignInEnded("the sign-in of user dana is over.")
    found = fresh(condition="unauthorized", cause=cause, loaded=False)
    assert found.state == "forbidden"
    assert found.sentence == "You are not signed in to read pods here. the sign-in of user dana is over."


def test_what_was_read_before_the_sign_in_ended_is_old_and_not_forbidden() -> None:
    cause = errors.SignInEnded("the sign-in of user dana is over.")
    found = fresh(condition="unauthorized", cause=cause, quiet_for=7.0)
    assert (found.state, found.age) == ("reconnecting", 7.0)
    assert found.sentence.startswith("Not signed in; pods are as of 7.0 s ago.")
    assert fresh(condition="unauthorized", cause=cause, quiet_for=60.0).state == "stale"


def test_a_kind_that_is_not_served_is_gone() -> None:
    assert fresh(condition="gone").state == "gone"


def test_a_lost_watch_is_reconnecting_and_then_stale_with_its_age() -> None:
    assert fresh(condition="reconnecting", quiet_for=4.0).state == "reconnecting"
    old = fresh(condition="unreachable", quiet_for=120.0)
    assert (old.state, old.age) == ("stale", 120.0)
    assert "2 min old" in old.sentence


@pytest.mark.parametrize(
    ("error", "was_live", "state"),
    [
        (errors.Unauthorized(401, "Unauthorized", "no"), True, "unauthorized"),
        (errors.SignInEnded("it is over."), True, "unauthorized"),
        (errors.ExecPluginMissing("it is not installed."), False, "unauthorized"),
        (errors.IssuerFailed("it is away."), True, "reconnecting"),
        (forbidden(), True, "forbidden"),
        (errors.TooManyRequests(429, "TooManyRequests", "later"), True, "busy"),
        (refused(), True, "reconnecting"),
        (refused(), False, "unreachable"),
    ],
)
def test_a_failed_probe_names_the_state(error: Any, was_live: bool, state: str) -> None:
    assert states.state_of_error(error, was_live=was_live) == state


def test_objects_that_could_not_be_read_are_said_to_be_missing() -> None:
    found = fresh(skipped=2)
    assert (found.state, found.skipped) == ("live", 2)
    assert "2 of them could not be read" in found.sentence


def test_a_watch_that_nobody_has_heard_of_is_not_live_whatever_it_said_last() -> None:
    assert fresh(quiet_for=states.LIVE_FOR - 1).state == "live"
    assert fresh(quiet_for=states.LIVE_FOR).state == "stale"


def test_a_watch_is_doubted_sooner_while_its_cluster_answers_nobody() -> None:
    assert fresh(quiet_for=4.0, doubted=True).state == "live"
    old = fresh(quiet_for=20.0, doubted=True)
    assert (old.state, old.age) == ("reconnecting", 20.0)
