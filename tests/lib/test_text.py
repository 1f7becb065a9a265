"""Words and numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.lib import text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (7_193_772_032, "6.7 GiB"), (2**50 * 5000, "5000.0 PiB")],
)
def test_memory_is_shown_in_binary_units(amount, shown):
    assert text.binary_bytes(amount) == shown


@pytest.mark.parametrize(
    ("amount", "shown"), [(999, "999 B"), (274_000_000, "274 MB"), (4_683_075_271, "4.7 GB"), (10**15, "1.0 PB")]
)
def test_downloads_are_shown_in_decimal_units(amount, shown):
    assert text.decimal_bytes(amount) == shown


@given(st.integers(min_value=0, max_value=2**60))
def test_any_size_has_a_unit_and_few_digits(amount):
    number, unit = text.binary_bytes(amount).split()
    assert unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    assert float(number) <= 1024


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.41, "0.4 s"), (9.99, "10.0 s"), (42, "42 s"), (180, "3 min"), (7200, "2 h"), (432000, "5 d")],
)
def test_a_duration_uses_the_largest_unit_that_says_enough(seconds, shown):
    assert text.duration(seconds) == shown


def test_amounts_that_come_in_parts_agree_with_their_noun():
    assert [text.amount(number, "GPU") for number in (0, 0.25, 1, 1.0, 8)] == [
        "0 GPUs",
        "0.25 GPUs",
        "1 GPU",
        "1 GPU",
        "8 GPUs",
    ]


def test_counts_agree_with_their_noun():
    assert text.count(1, "copy", "copies") == "1 copy"
    assert text.count(3, "copy", "copies") == "3 copies"
    assert text.count(12_000, "pod") == "12,000 pods"


@pytest.mark.parametrize(
    ("items", "shown"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_a_list_reads_as_prose(items, shown):
    assert text.listing(items) == shown


def test_the_nearest_names_come_first():
    known = ["qwen2.5-coder:7b", "qwen2.5-coder:14b", "llama3.1:8b", "nomic-embed-text"]
    assert text.nearest("qwen2.5-coder:8b", known)[0] == "qwen2.5-coder:7b"
    assert text.nearest("LLAMA3.1:8B", known)[0] == "llama3.1:8b"
    assert text.nearest("embed", known) == ["nomic-embed-text"]
    assert text.nearest("zzzz", known) == []


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=10), max_size=10))
def test_nearest_only_ever_names_what_is_known(wanted, known):
    found = text.nearest(wanted, known)
    assert set(found) <= set(known)
    assert len(found) <= 3
    assert len(found) == len(set(found))
