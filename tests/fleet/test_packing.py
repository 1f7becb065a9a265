"""Packing: what goes in comes out, when it begins, and that it gives up rather than fail."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sealane.fleet.packing import NEVER, SAMPLE, SAMPLES, Packing


def pod(number: int) -> bytes:
    status = {"podIP": f"10.0.{number % 250}.{number % 7}", "phase": "Running", "qosClass": "Burstable"}
    return msgspec.json.encode({"metadata": {"name": f"pod-{number}", "uid": f"u-{number:08}"}, "status": status})


async def trained(*, above: int = 2 * SAMPLES) -> Packing:
    packing = Packing(above=above)
    for number in range(above + 1):
        packing.pack(pod(number), among=number)
    await packing.train()
    return packing


async def test_below_the_limit_everything_stays_as_it_is() -> None:
    packing = Packing(above=100)
    assert [packing.pack(pod(number), among=number) for number in range(100)] == [pod(number) for number in range(100)]
    assert not packing.wanted.is_set()
    assert not packing.ready


async def test_the_limit_asks_for_a_dictionary_and_then_objects_are_packed() -> None:
    packing = Packing(above=2 * SAMPLES)
    for number in range(2 * SAMPLES + 1):
        packing.pack(pod(number), among=number)
    assert packing.wanted.is_set()
    await packing.train()
    assert packing.ready
    packed = packing.pack(pod(5), among=5)
    assert len(packed) < len(pod(5)) / 2
    assert packing.unpack(packed) == pod(5)


async def test_small_kinds_keep_no_samples() -> None:
    packing = Packing(above=1_000)
    for number in range(499):
        packing.pack(pod(number), among=number)
    assert packing._samples == []


async def test_what_is_packed_is_not_packed_again() -> None:
    packing = await trained()
    once = packing.pack(pod(1), among=1)
    assert packing.pack(once, among=1) is once


async def test_what_was_kept_plain_before_is_still_read() -> None:
    packing = await trained()
    assert packing.unpack(pod(3)) == pod(3)


async def test_never_means_never() -> None:
    packing = Packing(above=NEVER)
    packing.pack(pod(1), among=NEVER)
    assert not packing.wanted.is_set()


async def test_objects_that_make_no_dictionary_stay_plain_for_good() -> None:
    packing = Packing(above=2)
    for number in range(3):
        packing.pack(b"{}", among=number)
    assert packing.wanted.is_set()
    await packing.train()
    assert not packing.ready
    assert packing.pack(b"{}", among=9) == b"{}"


PACKING = Packing(above=2 * SAMPLES)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
async def test_any_object_comes_back_byte_for_byte(value: dict[str, object]) -> None:
    if not PACKING.ready:
        for number in range(2 * SAMPLES + 1):
            PACKING.pack(pod(number), among=number)
        await PACKING.train()
    raw = msgspec.json.encode(value)
    assert PACKING.unpack(PACKING.pack(raw, among=1)) == raw


async def test_huge_objects_cost_the_dictionary_no_more_than_large_ones() -> None:
    packing = Packing(above=100)
    huge = b'{"a":"%s"}' % (b"x" * 1_000_000)
    for number in range(101):
        packing.pack(huge, among=number)
    assert packing.wanted.is_set()
    assert {len(sample) for sample in packing._samples} == {SAMPLE}
    await packing.train()
    assert packing.unpack(packing.pack(huge, among=102)) == huge
