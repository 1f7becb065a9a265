"""Memory fit against numbers that engines print or maintainers publish, and against its own laws.

Published lines used here, all from llama.cpp's log at load: Llama 3 8B with 8192 tokens "KV self size = 1024.00 MiB",
"compute buffer size = 560.00 MiB" without and "258.50 MiB" with flash attention; Llama 2 7B with 4096 tokens
"KV self size = 2048.00 MiB", "compute buffer size = 296.00 MiB" and "70.50 MiB".
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import card

from sealane.models import catalogue, memory
from sealane.models.types import Header, KvType, ModelCard

MIB = 1024**2
CARDS = catalogue.load().cards
WITH_HEADER = tuple(each for each in CARDS if each.header is not None)


def header(**change: Any) -> Header:
    """Llama 3 8B."""
    base = Header(
        architecture="llama",
        layers=32,
        embedding=4096,
        heads=(32,),
        kv_heads=(8,),
        key_length=128,
        value_length=128,
        context_max=131_072,
        vocabulary=128_256,
        feed_forward=14_336,
    )
    return msgspec.structs.replace(base, **change)


def model(given_header: Header | None, **change: Any) -> ModelCard:
    return msgspec.structs.replace(card("llama3.1:8b"), header=given_header, **change)


def test_full_attention_caches_what_llama_cpp_prints() -> None:
    assert memory.kv_cache_bytes(header(), context=8192) == 1024 * MIB
    llama2 = header(kv_heads=(32,))
    assert memory.kv_cache_bytes(llama2, context=4096) == 2048 * MIB


@pytest.mark.parametrize(("kv", "blocks"), [("f16", 64.0), ("q8_0", 34.0), ("q4_0", 18.0)])
def test_a_quantized_cache_has_the_true_block_size(kv: KvType, blocks: float) -> None:
    assert memory.kv_cache_bytes(header(), context=8192, kv=kv) == 1024 * MIB * blocks / 64


def test_the_buffer_with_flash_attention_is_the_vocabulary_graph_that_llama_cpp_prints() -> None:
    assert memory.compute_bytes(model(header()), context=8192) == 258.5 * MIB
    llama2 = header(kv_heads=(32,), vocabulary=32_000, feed_forward=11_008)
    assert memory.compute_bytes(model(llama2), context=4096) == pytest.approx(70.5 * MIB, rel=0.2)


@pytest.mark.parametrize(("tokens", "printed"), [(8192, 560.0), (4096, 296.0)])
def test_the_buffer_without_flash_attention_is_the_scores_that_llama_cpp_prints(tokens: int, printed: float) -> None:
    without = header(value_length=64)
    assert not memory.flash_attention(model(without))
    assert memory.compute_bytes(model(without), context=tokens) == pytest.approx(printed * MIB, rel=0.01)


def test_sliding_window_layers_hold_a_window_a_request_and_a_batch() -> None:
    """Gemma 3 27B: the omission of this is what made others predict 139 GB for 32 GB."""
    gemma = card("gemma3:27b").header
    assert gemma is not None
    assert len(gemma.sliding_layers) == 52
    long = memory.kv_cache_bytes(gemma, context=131_072)
    full = memory.kv_cache_bytes(msgspec.structs.replace(gemma, sliding_layers=()), context=131_072)
    layer = 16 * (128 + 128) * 2
    assert long == 10 * 131_072 * layer + 52 * (1024 + 512) * layer
    assert full / long > 5


def test_a_window_is_never_more_than_the_context() -> None:
    gemma = card("gemma3:27b").header
    assert gemma is not None
    assert memory.kv_cache_bytes(gemma, context=256) == 62 * 256 * 16 * 256 * 2


def test_gpt_oss_keeps_the_window_of_the_engine_not_of_the_model() -> None:
    """Ollama's `GraphSize`: even layers hold parallel × 4096 + batch tokens."""
    oss = card("gpt-oss:20b").header
    assert oss is not None
    layer = 8 * (64 + 64) * 2
    assert memory.kv_cache_bytes(oss, context=65_536) == 12 * 65_536 * layer + 12 * (4096 + 512) * layer


def test_a_hybrid_caches_in_a_quarter_of_its_layers_as_the_engine_prints_it() -> None:
    """qwen3.6:35b with q8_0: "llama_kv_cache: size = 2720.00 MiB (262144 cells, 10 layers)", beside a state.

    `ollama ps` showed 27 GB for it, all on the GPU.
    """
    known = card("qwen3.6:35b")
    assert known.header is not None
    assert len(known.header.recurrent_layers) == 30
    state = 30 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)
    cache = memory.kv_cache_bytes(known.header, context=262_144, kv="q8_0")
    assert cache - state == 2720 * MIB
    assert memory.fit(known, context=262_144, kv="q8_0").total_bytes == pytest.approx(27e9, rel=0.05)


def test_sliding_layers_may_have_narrower_heads() -> None:
    """Gemma 4 12B: 8 full layers with one head of 512, 40 sliding ones with 8 heads of 256."""
    gemma = card("gemma4:12b").header
    assert gemma is not None
    full = 8 * 262_144 * 1 * 1024 * 34 / 32
    sliding = 40 * (1024 + 512) * 8 * 512 * 34 / 32
    assert memory.kv_cache_bytes(gemma, context=262_144, kv="q8_0") == full + sliding


def test_recurrent_layers_hold_a_state_that_does_not_grow() -> None:
    """((conv-1)(inner + 2 × groups × state) + state × inner) × 4 bytes a request."""
    hybrid = header(layers=4, kv_heads=(0, 0, 0, 8), ssm_conv=4, ssm_inner=4096, ssm_state=128, ssm_groups=8)
    state = 4 * (3 * (4096 + 2 * 8 * 128) + 128 * 4096)
    one_layer = 8192 * 8 * 256 * 2
    assert memory.kv_cache_bytes(hybrid, context=8192) == 3 * state + one_layer
    assert memory.kv_cache_bytes(hybrid, context=8192, parallel=2) == 2 * (3 * state + one_layer)


def test_layers_that_share_a_cache_cost_nothing() -> None:
    small = card("gemma3n:e4b").header
    assert small is not None
    assert sum(heads > 0 for heads in small.kv_heads) == 20


def test_mla_caches_one_latent_whatever_the_heads() -> None:
    latent = header(key_length=576, value_length=512, mla_key_length=192, mla_value_length=128, kv_heads=(16,))
    assert memory.kv_cache_bytes(latent, context=1024) == 32 * 1024 * (576 + 512) * 2


def test_encoders_cache_nothing() -> None:
    found = memory.fit(card("bge-m3:567m"), context=8192)
    assert found.kv_bytes == 0
    assert found.total_bytes < 1.4e9


def test_a_qwen_coder_with_four_requests_needs_what_the_design_shows() -> None:
    """Weights 4.4 + context cache 1.7 GiB for 8,192 tokens × 4."""
    found = memory.fit(card("qwen2.5-coder:7b"), context=8192, parallel=4)
    assert found.weights_bytes / 1024**3 == pytest.approx(4.36, abs=0.01)
    assert found.kv_bytes / 1024**3 == 1.75
    assert found.total_bytes == found.weights_bytes + found.kv_bytes + found.compute_bytes
    assert found.basis == "header"


def test_without_a_header_it_says_so_and_is_less_sure() -> None:
    found = memory.fit(model(None), context=8192)
    assert found.basis == "size only"
    assert found.error_percent == 40.0
    exact = memory.fit(card("llama3.1:8b"), context=8192)
    assert found.total_bytes == pytest.approx(exact.total_bytes, rel=0.15)


def test_with_nothing_known_it_says_that_too() -> None:
    found = memory.fit(model(None, weights_bytes=0, parameters=0.0), context=8192)
    assert found.basis == "nothing but its name"
    assert found.error_percent == 100.0
    guessed = memory.fit(model(None, weights_bytes=0, parameters=8.0), context=8192)
    assert guessed.basis == "size only"


def test_what_a_card_needs_adds_error_and_driver() -> None:
    found = memory.fit(card("llama3.1:8b"), context=8192)
    assert memory.needed_bytes(found) == pytest.approx(found.total_bytes * 1.08 + 457 * MIB, abs=2)
    assert memory.needed_bytes(found, cards=2) - memory.needed_bytes(found) == 457 * MIB


def test_the_sentence_has_the_number_the_error_and_the_parts() -> None:
    told = memory.sentence(memory.fit(card("llama3.1:8b"), context=8192))
    assert told == (
        "llama3.1:8b needs 5.8 GiB ± 8 %: weights 4.6 GiB, context cache 1.0 GiB and working memory 258 MiB "
        "(from its header)."
    )


@given(
    each=st.sampled_from(CARDS),
    context=st.integers(1, 200_000),
    more=st.integers(0, 50_000),
    parallel=st.integers(1, 8),
    kv=st.sampled_from(["f16", "q8_0", "q4_0"]),
)
def test_more_context_never_needs_less(each: ModelCard, context: int, more: int, parallel: int, kv: KvType) -> None:
    small = memory.fit(each, context=context, parallel=parallel, kv=kv)
    large = memory.fit(each, context=context + more, parallel=parallel, kv=kv)
    assert small.total_bytes <= large.total_bytes
    assert small.total_bytes <= memory.fit(each, context=context, parallel=parallel + 1, kv=kv).total_bytes
    assert small.kv_bytes <= memory.fit(each, context=context, parallel=parallel).kv_bytes


@given(each=st.sampled_from(WITH_HEADER), room=st.integers(0, 90 * 1024**3))
def test_the_largest_context_fits_and_a_longer_one_does_not(each: ModelCard, room: int) -> None:
    longest = memory.largest_context(each, room=room)
    assert longest % 1024 == 0
    if longest:
        assert memory.needed_bytes(memory.fit(each, context=longest)) <= room
    if longest + 1024 <= each.context_max:
        assert memory.needed_bytes(memory.fit(each, context=longest + 1024)) > room
