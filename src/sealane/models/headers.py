"""What a GGUF's keys mean: from key-value pairs to the numbers that memory fit needs.

The same keys come from a file's header and from a running Ollama's `/api/show`, so both end here. Architectures differ
in which layers attend to a window only, share a cache or keep a recurrent state; where the header does not say it, the
table below does (Ollama 0.23 model/models, llama.cpp src/llama-model.cpp). A header without the main numbers is None:
better "size only" than a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sealane.models.types import Header

_FULL_EVERY: Final = {"gemma3": 6, "gemma3n": 5, "gptoss": 2, "gpt-oss": 2, "cohere2": 4, "olmo3": 4, "exaone4": 4}
"""Where each n-th layer attends to everything and the others to a window, and the header has no pattern."""

_MOST_LAYERS: Final = 2_000

# general.file_type of ggml (llama.h, llama_ftype)
_FILE_TYPES: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 23: "IQ3_XXS", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16", 38: "MXFP4",
}  # fmt: skip


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the keys say besides the header's numbers. `parameters` in billions, 0 when not said."""

    header: Header | None
    name: str
    licence: str
    parameters: float
    quantization: str
    embedding: bool
    vision: bool


def facts_of(values: Mapping[str, object], *, vocabulary: int = 0) -> Facts:
    """Read the pairs of a file or of `/api/show`'s `model_info`; `vocabulary` is the number of tokens, if known."""
    architecture = str(values.get("general.architecture") or "")
    return Facts(
        header=_header(values, architecture, vocabulary=vocabulary),
        name=str(values.get("general.name") or ""),
        licence=str(values.get("general.license") or ""),
        parameters=round(_whole(values.get("general.parameter_count")) / 1e9, 3),
        quantization=_FILE_TYPES.get(_whole(values.get("general.file_type"), default=-1), ""),
        embedding=f"{architecture}.pooling_type" in values,
        vision=any(key.startswith(f"{architecture}.vision.") for key in values),
    )


def _header(values: Mapping[str, object], architecture: str, *, vocabulary: int) -> Header | None:
    def number(key: str, default: int = 0) -> int:
        return _whole(values.get(f"{architecture}.{key}"), default=default)

    layers, embedding = number("block_count"), number("embedding_length")
    if not architecture or not 0 < layers <= _MOST_LAYERS or embedding <= 0:
        return None
    heads = _each(values.get(f"{architecture}.attention.head_count"), layers)
    working = [count for count in heads if count > 0]
    if not working:
        return None
    kv_heads = _each(values.get(f"{architecture}.attention.head_count_kv"), layers) or heads
    default_length = embedding // min(working)
    own = layers - min(number("attention.shared_kv_layers"), layers)
    return Header(
        architecture=architecture,
        layers=layers,
        embedding=embedding,
        heads=heads,
        kv_heads=tuple(count if layer < own else 0 for layer, count in enumerate(kv_heads)),
        key_length=number("attention.key_length", default_length),
        value_length=number("attention.value_length", default_length),
        context_max=number("context_length"),
        vocabulary=vocabulary or number("vocab_size"),
        feed_forward=_feed_forward(values, architecture),
        sliding_window=number("attention.sliding_window"),
        sliding_layers=_sliding(values, architecture, layers=layers),
        sliding_key_length=number("attention.key_length_swa"),
        sliding_value_length=number("attention.value_length_swa"),
        experts=number("expert_count"),
        experts_used=number("expert_used_count"),
        ssm_conv=number("ssm.conv_kernel"),
        ssm_inner=number("ssm.inner_size"),
        ssm_state=number("ssm.state_size"),
        ssm_groups=number("ssm.group_count"),
        recurrent_layers=_recurrent(values, architecture, layers=layers, kv_heads=kv_heads),
        mla_key_length=number("attention.key_length_mla"),
        mla_value_length=number("attention.value_length_mla"),
    )


def _feed_forward(values: Mapping[str, object], architecture: str) -> int:
    """The width of one expert where there are experts, else of the layer."""
    for key in ("expert_feed_forward_length", "feed_forward_length"):
        found = _sequence(values.get(f"{architecture}.{key}"))
        if found:
            return max(found)
    return 0


def _sliding(values: Mapping[str, object], architecture: str, *, layers: int) -> tuple[int, ...]:
    """Layers that attend to a window: by the header's own pattern, else by the architecture's rule."""
    if _whole(values.get(f"{architecture}.attention.sliding_window")) <= 0:
        return ()
    pattern = values.get(f"{architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, Sequence) and not isinstance(pattern, str) and pattern:
        return tuple(layer for layer in range(layers) if pattern[layer % len(pattern)])  # a short one repeats
    every = _whole(pattern) or _FULL_EVERY.get(architecture, 0)
    return tuple(layer for layer in range(layers) if every and (layer + 1) % every)


def _recurrent(
    values: Mapping[str, object], architecture: str, *, layers: int, kv_heads: tuple[int, ...]
) -> tuple[int, ...]:
    """Layers with a state instead of a cache: no KV heads, or all but each n-th of a hybrid."""
    if not _whole(values.get(f"{architecture}.ssm.inner_size")):
        return ()
    every = _whole(values.get(f"{architecture}.full_attention_interval"))
    return tuple(layer for layer in range(layers) if kv_heads[layer] == 0 or (every and (layer + 1) % every))


def _each(value: object, layers: int) -> tuple[int, ...]:
    """One number a layer, from a scalar or a list; () when there is none."""
    found = _sequence(value)
    if not found:
        return ()
    if len(found) == 1:
        return (found[0],) * layers
    return tuple(found[layer] if layer < len(found) else found[-1] for layer in range(layers))


def _sequence(value: object) -> list[int]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_whole(item) for item in value]
    return [] if value is None else [_whole(value)]


def _whole(value: object, *, default: int = 0) -> int:
    """A whole number from 0 that is not absurd; anything else is the default."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    if not math.isfinite(value) or abs(value) > 2**53:
        return default
    return max(int(value), 0)
