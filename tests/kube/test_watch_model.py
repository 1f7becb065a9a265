"""Whatever happens, in any order: the end equals the server's own list, and "live" is never said for long in error.

The world, its faults and what counts as wrong are in tests/support/watch_world.py and watch_reader.py. Hypothesis looks
for the shortest schedule that does harm; `python -m bench.recovery` plays thousands of random ones.
"""

from __future__ import annotations

import asyncio

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_reader import TRUST, TRUST_WITHOUT_BOOKMARKS, Reader, play
from watch_world import DELAYS, OPERATIONS, Step, World, schedule

from sealane.kube.watch import LIVE, Patience, Synced

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


@pytest.mark.parametrize("code", ["401", "403", "404"])
@pytest.mark.parametrize("gap", [15.0, 25.0])
def test_a_restore_in_the_long_wait_after_refusals_is_not_missed_though_history_has_overtaken_the_old(
    code: str, gap: float
) -> None:
    refused: list[Step] = [(1.0, "refuse-long", code)] * 2
    rewritten: list[Step] = [(0.0, "put", "a")] * 8
    assert play([*refused, (0.0, "cut", ""), (gap, "restore", ""), *rewritten, (61.0, "put", "b")]) == []


def test_an_outage_that_begins_within_another_does_not_end_it() -> None:
    async def lasts() -> list[bool]:
        world = World()
        world.happen("restore", "")  # 6 s
        world.happen("restart", "0.1")
        seen = []
        for seconds in (1.0, 6.0):
            await asyncio.sleep(seconds)
            seen.append(world._is("down"))
        return seen

    assert virtual_time.run(lasts()) == [True, False]


def lied(*happened: tuple[float, str], bookmark_after: float | None = None) -> list[str]:
    """What the judge says of a reader that is told "live" and nothing, for as long as it takes."""

    async def told() -> list[str]:
        world = World()
        reader = Reader(world)
        for name in world.listed():
            world.happen("delete", name)
        world.happen("bookmarks", happened[0][1])
        if bookmark_after is not None:
            await asyncio.sleep(bookmark_after)
            world.vouched = True
        reader.take(Synced([]))
        reader.take(LIVE)
        world.happen("put", "a")
        reader.look()
        for seconds, mode in happened[1:]:
            await asyncio.sleep(seconds)
            world.happen("bookmarks", mode)
            reader.look()
        return reader.wrong

    return virtual_time.run(told())


def test_the_judge_lets_a_reader_be_wrong_for_no_longer_than_bookmarks_allow() -> None:
    assert lied((0.0, "on"), (TRUST - 1.0, "on")) == []
    assert lied((0.0, "on"), (TRUST + 1.0, "on")) == [f"live and wrong for {TRUST + 1:.0f} s"]
    assert lied((0.0, "off"), (TRUST_WITHOUT_BOOKMARKS - 1.0, "off")) == []
    assert lied((0.0, "off"), (TRUST_WITHOUT_BOOKMARKS + 1.0, "off")) != []


def test_bookmarks_that_are_sent_again_oblige_a_reader_from_the_first_that_arrives() -> None:
    assert lied((0.0, "off"), (60.0, "on"), (TRUST, "on")) == []
    assert lied((0.0, "off"), (60.0, "on"), (TRUST_WITHOUT_BOOKMARKS, "on")) != []
    assert lied((0.0, "on"), (TRUST + 1.0, "on"), bookmark_after=60.0) != []


def test_a_silent_server_that_was_restored_unseen_is_found_out_within_the_longer_limit() -> None:
    assert play(schedule(613, steps=60)) == []


def test_a_wait_for_what_nobody_will_do_fails_instead_of_hanging() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="everybody waits"):
        virtual_time.run(forever())
