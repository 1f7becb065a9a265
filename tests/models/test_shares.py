"""A share is read as people write it, and counts as KAI counts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.models import shares
from sealane.models.errors import BadShare, FractionAndWhole
from sealane.models.types import Share

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0", Share(devices=0)),
        ("1", Share(devices=1)),
        ("2.0", Share(devices=2)),
        ("0.5", Share(fraction=0.5)),
        ("8GiB", Share(memory_mib=8192)),
        ("8Gi", Share(memory_mib=8192)),
        ("8000MiB", Share(memory_mib=8000)),
        ("1.5 GiB", Share(memory_mib=1536)),
        ("", Share()),
        ("auto", Share()),
    ],
)
def test_a_share_is_read(text: str, share: Share) -> None:
    assert shares.parse(text) == share


@pytest.mark.parametrize(
    "text", ["1.5", "-1", "half", "nan", "inf", "0GiB", "0.001", "1e-300", "8GB!", "1e999", "0.0.1"]
)
def test_what_makes_no_sense_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadShare, match="is not a share") as caught:
        shares.parse(text)
    assert caught.value.next_steps[0].command == "--gpu 0.25"


@pytest.mark.parametrize("text", ["0", "1", "0.5", "0.05", "8GiB", "8000MiB"])
def test_text_and_share_go_both_ways(text: str) -> None:
    assert shares.parse(text).text == text


def test_a_part_and_whole_cards_together_are_refused() -> None:
    assert isinstance(shares.problem(Share(devices=1, fraction=0.5)), FractionAndWhole)
    assert isinstance(shares.problem(Share(memory_mib=8000, fraction=0.5)), FractionAndWhole)
    assert isinstance(shares.problem(Share(fraction=1.0)), BadShare)
    assert isinstance(shares.problem(Share(devices=-1)), BadShare)
    assert shares.problem(Share()) is None


def test_memory_counts_as_kai_counted_it_on_the_rig() -> None:
    """Seen on KAI 0.12: 20000 MiB of a 24564 MiB card became portion 0.82."""
    assert shares.devices(Share(memory_mib=20_000), card_mib=24_564) == 0.82


def test_memory_on_a_card_of_unknown_size_counts_as_a_whole_card() -> None:
    assert shares.devices(Share(memory_mib=20_000), card_mib=None) == 1.0
    assert shares.bytes_of(Share(fraction=0.5), card_mib=None) is None


def test_bytes_of_several_cards_add_up() -> None:
    assert shares.bytes_of(Share(devices=2), card_mib=1024) == 2 * GIB


@given(needed=st.integers(1, 79 * GIB), card_mib=st.integers(2_000, 81_920))
def test_the_part_for_a_need_holds_it_and_the_next_smaller_does_not(needed: int, card_mib: int) -> None:
    part = shares.part_for(needed, card_mib=card_mib)
    card = card_mib * 1024**2
    if part is None:
        assert needed > card * (1 - shares.STEP) * 0.999999
        return
    assert 0 < part < 1
    assert part * card >= needed * 0.999999
    if part > shares.STEP:
        assert (part - shares.STEP) * card < needed
