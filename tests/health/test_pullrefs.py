"""Opening times from the heads of pull requests."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sealane.health.pullrefs import monotone, opening_times


def test_heads_in_order_keep_their_times() -> None:
    heads = [(number, number * 1000) for number in range(1, 30)]
    assert opening_times(heads)[15] == 15_000


def test_a_head_that_was_pushed_years_later_does_not_move_its_opening() -> None:
    heads = [(number, number * 1000) for number in range(1, 40)]
    late = [*heads[:19], (20, 10_000_000), *heads[20:]]
    assert abs(opening_times(late)[20] - 20_000) <= 2000


def test_no_pull_requests_are_no_times() -> None:
    assert opening_times([]) == {}


@given(st.lists(st.floats(-1e9, 1e9), max_size=40))
def test_the_fit_never_falls_and_keeps_the_mean(values: list[float]) -> None:
    fitted = monotone(values)
    assert all(before <= after + 1e-6 for before, after in pairwise(fitted))
    assert len(fitted) == len(values)
    assert abs(sum(fitted) - sum(values)) < 1e-3 * max(1.0, *(abs(value) for value in values), 1.0)


@given(st.lists(st.integers(0, 10**9), max_size=40))
def test_what_rises_already_is_left_as_it_is(values: list[int]) -> None:
    assert monotone(sorted(values)) == sorted(values)
