"""Keys become the numbers of a header, by architecture; what is missing or absurd becomes none."""

from __future__ import annotations

from typing import Any

import gguf_bytes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import card

from sealane.models import headers, memory
from sealane.models.types import Header


def header(pairs: dict[str, Any], **more: Any) -> Header:
    found = headers.facts_of(pairs, **more).header
    assert found is not None
    return found


def test_a_plain_model_is_read() -> None:
    found = headers.facts_of(gguf_bytes.llama(), vocabulary=3)
    assert found.quantization == "Q4_K_M"
    assert found.parameters == 8.03
    assert found.name == "Tiny"
    assert not found.embedding
    assert not found.vision
    assert found.header == Header(
        architecture="llama",
        layers=4,
        embedding=512,
        heads=(8, 8, 8, 8),
        kv_heads=(2, 2, 2, 2),
        key_length=64,
        value_length=64,
        context_max=8192,
        vocabulary=3,
        feed_forward=1024,
    )


def test_lengths_that_are_said_win_over_the_default() -> None:
    found = header(gguf_bytes.llama() | {"llama.attention.key_length": 128, "llama.attention.value_length": 96})
    assert (found.key_length, found.value_length) == (128, 96)


def test_heads_by_layer_are_kept_and_zero_is_recurrent() -> None:
    pairs = gguf_bytes.llama() | {
        "llama.attention.head_count_kv": (0, 0, 2, 0),
        "llama.ssm.inner_size": 1024,
        "llama.ssm.state_size": 64,
        "llama.ssm.conv_kernel": 4,
        "llama.ssm.group_count": 2,
    }
    found = header(pairs)
    assert found.kv_heads == (0, 0, 2, 0)
    assert found.recurrent_layers == (0, 1, 3)
    assert (found.ssm_conv, found.ssm_inner, found.ssm_state, found.ssm_groups) == (4, 1024, 64, 2)


def test_a_hybrid_attends_fully_in_each_nth_layer() -> None:
    pairs = gguf_bytes.llama() | {"llama.full_attention_interval": 4, "llama.ssm.inner_size": 8}
    assert header(pairs).recurrent_layers == (0, 1, 2)


def test_without_kv_heads_all_heads_are_cached() -> None:
    pairs = gguf_bytes.llama()
    del pairs["llama.attention.head_count_kv"]
    assert header(pairs).kv_heads == (8, 8, 8, 8)


@pytest.mark.parametrize(
    ("architecture", "pattern", "sliding"),
    [
        ("gemma3", None, (0, 1, 2, 3, 4, 6)),
        ("gptoss", None, (0, 2, 4, 6)),
        ("llama", None, ()),
        ("other", (True, False, True, False, False, False, False), (0, 2)),
        ("other", (True, True, False), (0, 1, 3, 4, 6)),
        ("other", 3, (0, 1, 3, 4, 6)),
    ],
)
def test_layers_that_slide(architecture: str, pattern: object, sliding: tuple[int, ...]) -> None:
    pairs = {
        "general.architecture": architecture,
        f"{architecture}.block_count": 7,
        f"{architecture}.embedding_length": 64,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.sliding_window": 128,
        f"{architecture}.attention.sliding_window_pattern": pattern,
    }
    assert header(pairs).sliding_layers == sliding


def test_sliding_layers_may_have_their_own_width() -> None:
    found = header(gguf_bytes.llama() | {"llama.attention.key_length_swa": 32, "llama.attention.value_length_swa": 16})
    assert (found.sliding_key_length, found.sliding_value_length) == (32, 16)


def test_layers_that_share_a_cache_have_none_of_their_own() -> None:
    assert header(gguf_bytes.llama() | {"llama.attention.shared_kv_layers": 3}).kv_heads == (2, 0, 0, 0)


def test_experts_bring_their_own_width() -> None:
    pairs = gguf_bytes.llama() | {
        "llama.expert_count": 8,
        "llama.expert_used_count": 2,
        "llama.expert_feed_forward_length": 77,
    }
    found = header(pairs)
    assert (found.experts, found.experts_used, found.feed_forward) == (8, 2, 77)


def test_an_embedding_model_and_a_seeing_one_are_known_by_their_keys() -> None:
    assert headers.facts_of(gguf_bytes.llama() | {"llama.pooling_type": 1}).embedding
    assert headers.facts_of(gguf_bytes.llama() | {"llama.vision.block_count": 1}).vision


def test_the_catalogue_and_a_file_give_the_same_need() -> None:
    """qwen2.5-coder:7b, by the keys that its published file has."""
    known = card("qwen2.5-coder:7b")
    pairs = {
        "general.architecture": "qwen2",
        "qwen2.block_count": 28,
        "qwen2.context_length": 32768,
        "qwen2.embedding_length": 3584,
        "qwen2.feed_forward_length": 18944,
        "qwen2.attention.head_count": 28,
        "qwen2.attention.head_count_kv": 4,
    }
    read = header(pairs, vocabulary=152_064)
    assert read == known.header
    assert memory.kv_cache_bytes(read, context=8192) == 448 * 1024**2


@pytest.mark.parametrize(
    "change",
    [
        {"general.architecture": ""},
        {"llama.block_count": 0},
        {"llama.block_count": 10**9},
        {"llama.block_count": "many"},
        {"llama.embedding_length": None},
        {"llama.attention.head_count": (0, 0, 0, 0)},
        {"llama.attention.head_count": True},
    ],
)
def test_a_header_without_its_main_numbers_is_none(change: dict[str, Any]) -> None:
    assert headers.facts_of(gguf_bytes.llama() | change).header is None


ANY = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=6)
)


@given(st.dictionaries(st.sampled_from([*gguf_bytes.llama(), "llama.attention.sliding_window"]), ANY))
def test_absurd_values_never_crash_and_never_give_a_negative_need(change: dict[str, Any]) -> None:
    found = headers.facts_of(gguf_bytes.llama() | change)
    if found.header is not None:
        assert memory.kv_cache_bytes(found.header, context=1024) >= 0
        assert len(found.header.heads) == found.header.layers
