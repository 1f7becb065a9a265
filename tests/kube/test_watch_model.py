"""Whatever happens, in any order: the end equals the server's own list, and "live" is never said for long in error.

The world, its faults and what counts as wrong are in tests/support/watch_world.py and watch_reader.py. Hypothesis looks
for the shortest schedule that does harm; `python -m bench.recovery` plays thousands of random ones.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_reader import play
from watch_world import DELAYS, OPERATIONS, Step, schedule

from sealane.kube.watch import Patience

steps = st.one_of([st.tuples(st.sampled_from(DELAYS), st.just(name), st.sampled_from(of)) for name, of in OPERATIONS])


@settings(max_examples=150)
@given(st.lists(steps, max_size=40))
def test_any_order_of_faults_ends_equal_to_a_fresh_list_and_live_is_never_said_in_error(found: list[Step]) -> None:
    assert play(found) == []


@pytest.mark.parametrize("seed", range(25))
def test_long_random_schedules_do_no_harm(seed: int) -> None:
    assert play(schedule(seed, steps=80)) == []


@pytest.mark.parametrize(("name", "argument"), [(name, each) for name, of in OPERATIONS for each in sorted(set(of))])
def test_each_fault_alone_is_mended_while_objects_change(name: str, argument: str) -> None:
    around: list[Step] = [(1.0, "put", "a"), (0.0, name, argument), (0.2, "delete", "b"), (2.0, "recreate", "c")]
    assert play([*around, *around, (100.0, "put", "e")]) == []


def test_the_judge_notices_a_reader_that_is_lied_to() -> None:
    patient = Patience(silence=100_000.0)
    found = play([(1.0, "half-open", ""), (0.0, "put", "a"), (200.0, "put", "b")], patience=patient)
    assert any("live and wrong" in what for what in found)
    assert any("at the end" in what for what in found)
