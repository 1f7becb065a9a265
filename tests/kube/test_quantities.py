"""Quantities are read exactly and written as the API server writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.kube import quantities
from sealane.kube.quantities import BadQuantity, Style

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-2", "e+1"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        (7, 7),
        (0.5, Fraction(1, 2)),
        ("250m", Fraction(1, 4)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("+3", 3),
        ("-1k", -1000),
        ("1.5Gi", 3 * 2**29),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("12e-1", Fraction(6, 5)),
        ("100n", Fraction(1, 10**7)),
    ],
)
def test_text_is_read_exactly(text: str | int | float, value: Fraction) -> None:
    assert quantities.parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "1 Gi", "1GB", "1gi", "1K", "--1", "1e", "0x10", "1_000", "١", "nan", "1Gi\n", "1.2.3"]
)
def test_what_is_no_quantity_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(BadQuantity) as caught:
        quantities.parse(text)
    assert caught.value.evidence[0].value == text


def test_a_boolean_is_no_quantity() -> None:
    with pytest.raises(BadQuantity):
        quantities.parse(True)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("0.5Gi", "512Mi"),
        ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"),
        ("1.5Ki", "1536"),
        ("0.1Ki", "102400m"),
        ("1e3", "1e3"),
        ("1000", "1k"),
        ("0.000000001", "1n"),
        ("0.0000000001", "1n"),
        ("-1500m", "-1500m"),
        ("00", "0"),
        ("8Ei", "9223372036854775807"),
        ("1e1", "10"),
        ("10000000000", "10G"),
    ],
)
def test_canonical_is_what_the_server_stores(text: str, stored: str) -> None:
    assert quantities.canonical(text) == stored


@pytest.mark.parametrize(("text", "up"), [("1", 1), ("1001m", 2), ("-1001m", -2), ("1n", 1), ("0", 0), ("2Gi", 2**31)])
def test_whole_rounds_away_from_zero(text: str, up: int) -> None:
    assert quantities.whole(text) == up


@pytest.mark.parametrize(("text", "milli"), [("250m", 250), ("2", 2000), ("0.5", 500), ("1u", 1), ("1.0005", 1001)])
def test_milli_rounds_up(text: str, milli: int) -> None:
    assert quantities.milli(text) == milli


def test_thirty_tenths_of_a_core_are_three_cores() -> None:
    assert sum((quantities.parse("100m") for _ in range(30)), Fraction()) == 3


numbers = st.one_of(
    st.integers(min_value=0, max_value=10**12).map(str),
    st.decimals(min_value=0, max_value=10**6, places=4, allow_nan=False).map(lambda number: format(number, "f")),
)


@given(sign=st.sampled_from(["", "-", "+"]), number=numbers, suffix=st.sampled_from(SUFFIXES))
def test_the_canonical_form_keeps_the_value_and_is_its_own_canonical_form(sign: str, number: str, suffix: str) -> None:
    text = f"{sign}{number}{suffix}"
    stored = quantities.canonical(text)
    assert quantities.parse(stored) == quantities.parse(text)
    assert quantities.canonical(stored) == stored
    assert "." not in stored


@given(value=st.integers(min_value=-(2**62), max_value=2**62), style=st.sampled_from(Style))
def test_spelled_integers_come_back(value: int, style: Style) -> None:
    assert quantities.parse(quantities.spell(value, style=style)) == value


@given(text=st.text(max_size=12))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        quantities.parse(text)
    except BadQuantity:
        return
    assert any(character.isdigit() for character in text)
