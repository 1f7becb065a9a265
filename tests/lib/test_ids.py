"""Names for objects and secrets."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.lib import ids


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qwen2.5-coder:7b", "qwen2-5-coder-7b"),
        ("hf.co/owner/Model-GGUF:Q4_K_M", "hf-co-owner-model-gguf-q4-k-m"),
        ("", "model"),
        ("7b", "m-7b"),
    ],
)
def test_a_tag_becomes_a_name_that_people_recognise(text, name):
    assert ids.dns_label(text) == name


@given(st.text(max_size=200))
def test_any_text_becomes_a_valid_dns_label(text):
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", ids.dns_label(text))


def test_secrets_have_their_prefix_and_never_repeat():
    made = {ids.secret("sk-sealane-") for _ in range(100)}
    assert len(made) == 100
    assert all(item.startswith("sk-sealane-") and len(item) > 40 for item in made)
