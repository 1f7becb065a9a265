"""What is known, and what an answer changes about it: no time runs backwards, no name passes on without an end."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_server import compact, pod

from sealane.kube import wire
from sealane.kube.changes import Gone, Upsert
from sealane.kube.known import Answer, Known, Oddities, is_older
from sealane.kube.wire import RawObject


def item(name: str, *, version: str = "1", uid: str = "") -> RawObject:
    return wire.raw_object(compact(pod(name, version=version, uid=uid)))


def answer(*items: RawObject) -> Answer:
    made = Answer()
    for each in items:
        made.put(each)
    return made


def known(*items: RawObject) -> Known:
    made = Known()
    made.begin(answer(*items))
    return made


def test_an_older_version_of_an_object_was_said_before() -> None:
    assert list(known(item("a", version="9")).put(item("a", version="8"))) == []


def test_the_late_end_of_an_earlier_object_is_no_end_of_this_one() -> None:
    now = known(item("a", version="9", uid="new"))
    assert list(now.remove(item("a", version="8", uid="old").meta)) == []
    assert len(now) == 1


def test_an_end_is_an_end_even_when_it_comes_late() -> None:
    now = known(item("a", version="9"))
    assert [type(change) for change in now.remove(item("a", version="8").meta)] == [Gone]
    assert len(now) == 0


def test_a_newer_end_under_the_same_name_ends_what_was_known_under_it() -> None:
    (gone,) = known(item("a", version="9", uid="old")).remove(item("a", version="12", uid="new").meta)
    assert isinstance(gone, Gone)
    assert gone.meta.uid == "old"


def test_a_name_used_again_is_ended_first() -> None:
    gone, new = known(item("a", uid="old")).put(item("a", version="2", uid="new"))
    assert isinstance(gone, Gone)
    assert isinstance(new, Upsert)
    assert (gone.meta.uid, new.meta.uid) == ("old", "new")


states = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 3), st.integers(1, 9)))


@given(states, states)
def test_replacing_says_exactly_the_difference(before: dict, after: dict) -> None:
    def items(of: dict) -> list[RawObject]:
        return [item(name, uid=f"u{uid}", version=str(version)) for name, (uid, version) in of.items()]

    now = known(*items(before))
    shown = {name: (f"u{uid}", str(version)) for name, (uid, version) in before.items()}
    for change in now.replace(answer(*items(after))):
        if isinstance(change, Gone):
            assert shown.pop(change.meta.name)[0] == change.meta.uid
        else:
            assert isinstance(change, Upsert)
            assert shown.get(change.meta.name, (change.meta.uid,))[0] == change.meta.uid
            shown[change.meta.name] = (change.meta.uid, change.meta.resource_version)
    assert shown == {name: (f"u{uid}", str(version)) for name, (uid, version) in after.items()}


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("9", "10", True),
        ("10", "9", False),
        ("9", "9", False),
        ("a", "10", False),
        ("", "1", False),
        ("9" * 40, "1", False),
        ("1", "9" * 40, False),
        ("1", "٢", False),
        ("07", "10", False),
        ("0", "1", True),
    ],
)
def test_versions_are_compared_only_where_both_are_numbers(one: str, other: str, *, older: bool) -> None:
    assert is_older(one, other) is older


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_numbers_are_compared_as_numbers(one: int, other: int) -> None:
    assert is_older(str(one), str(other)) is (one < other)


def test_a_nameless_object_is_skipped_at_once_and_broken_bytes_when_they_come_again() -> None:
    odd = Oddities()
    assert odd.is_the_servers(b"{}", msgspec.ValidationError("no name"))
    assert not odd.is_the_servers(b"{", msgspec.DecodeError("cut"))
    assert odd.is_the_servers(b"{", msgspec.DecodeError("cut"))
    assert odd.skipped == 2
    odd.forget()
    assert odd.skipped == 0


def test_not_every_broken_line_may_cost_a_connection() -> None:
    odd = Oddities()
    assert [odd.is_the_servers(b"{%d" % each, msgspec.DecodeError("cut")) for each in range(10)] == [False] * 8 + [
        True
    ] * 2
