"""How much GPU memory one copy of a model needs, from numbers that are read before anything is downloaded.

Weights are the size of the published file; the KV cache follows from the header; the compute buffer is the largest
graph that the engine reserves. Sources: Ollama 0.23 `fs/ggml/ggml.go` (`GraphSize`), gguf-parser's
`file_estimate__llamacpp.go`, and the buffer sizes that llama.cpp prints at load. What the estimate leaves out is said
by `error_percent`; a model without header numbers gets a rule of thumb and says so in `basis`. Pure: no I/O.
Where it would start is `capacity`'s question.
"""

from __future__ import annotations

import math
from typing import Final

from sealane.lib import text
from sealane.models.types import Fit, Header, KvType, ModelCard

BATCH: Final = 512
"""Tokens in one batch: Ollama's default `num_batch`."""

ENGINE_RESERVE: Final = 457 * 1024**2
"""Bytes of each card that Ollama keeps for the driver's context (`ml/device.go`, `MinimumMemory`); not in a Fit."""

KV_BYTES: Final[dict[KvType, float]] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes an element: the true block sizes of ggml. (Ollama's own accounting rounds them to 1 and 0.5.)"""

_NOTHING_KNOWN: Final = 100.0  # error in percent
_PAD = 256  # the cache's length is padded to this many tokens (llama.cpp)
_WINDOW_IN_MEMORY = {"gptoss": 4096, "gpt-oss": 4096}  # Ollama's engine keeps more than these models' window
_NO_FLASH = frozenset({"gemma2", "grok"})
_ENCODERS = frozenset({"bert", "nomic-bert", "nomic-bert-moe", "gemma-embedding"})  # read a text whole, cache nothing


def fit(card: ModelCard, *, context: int, parallel: int = 1, kv: KvType = "f16") -> Fit:
    """The need of one copy in bytes: weights + KV cache for `context` tokens × `parallel` requests + compute buffer.

    `total_bytes` is what the engine would report; a card needs ENGINE_RESERVE and the error on top (`needed_bytes`).
    """
    if card.header is None:
        return _rule_of_thumb(card, tokens=context * parallel, kv=kv)
    kv_bytes = kv_cache_bytes(card.header, context=context, parallel=parallel, kv=kv)
    compute = compute_bytes(card, context=context, parallel=parallel)
    embedding = card.capabilities == ("embedding",)
    return Fit(
        model=card.tag,
        weights_bytes=card.weights_bytes,
        kv_bytes=kv_bytes,
        compute_bytes=compute,
        total_bytes=card.weights_bytes + kv_bytes + compute,
        basis="header" if card.weights_bytes else "header, size unknown",
        error_percent=15.0 if embedding or "vision" in card.capabilities else 8.0,
    )


def needed_bytes(found: Fit, *, cards: int = 1) -> int:
    """What must be free on the card (over `cards` cards) so that the model surely loads: total, error and reserve."""
    return math.ceil(found.total_bytes * (1 + found.error_percent / 100)) + ENGINE_RESERVE * max(cards, 1)


def is_known(found: Fit) -> bool:
    """Whether the estimate rests on anything: without size and header it must not refuse what may well fit."""
    return found.error_percent < _NOTHING_KNOWN


def kv_cache_bytes(header: Header, *, context: int, parallel: int = 1, kv: KvType = "f16") -> int:
    """Bytes of the cache over all layers. Sliding-window layers hold a window a request, recurrent ones a fixed state.

    Full attention: tokens × KV heads × (key + value length) × bytes an element. A layer without KV heads is recurrent
    (F32 state, `ssm.*`) or, where the header has no state either, shares another layer's cache. MLA caches one latent
    a token, whatever the number of heads.
    """
    if header.architecture in _ENCODERS:
        return 0
    tokens = padded(context) * parallel
    sliding = frozenset(header.sliding_layers)
    recurrent = frozenset(header.recurrent_layers)
    total = 0.0
    for layer in range(header.layers):
        heads = _at(header.kv_heads, layer)
        if layer in recurrent or heads == 0:
            total += _state_bytes(header) * parallel
            continue
        held = min(tokens, _window(header, parallel=parallel)) if layer in sliding else tokens
        wide = _width(header, sliding=layer in sliding)
        total += held * (1 if header.mla_key_length else heads) * wide * KV_BYTES[kv]
    return math.ceil(total)


def compute_bytes(card: ModelCard, *, context: int, parallel: int = 1) -> int:
    """The largest graph, in bytes: vocabulary, feed-forward, or attention scores where flash attention is not used.

    F32 activations for one batch. Checked against llama.cpp's "compute buffer size" (tests name the lines).
    """
    header = card.header
    if header is None:
        return 0
    batch = min(BATCH, max(context, 1))
    tokens = padded(context) * parallel
    heads = max(header.heads)
    wide = header.feed_forward * max(header.experts_used, 1) if header.experts else header.feed_forward
    vocabulary = 4 * batch * (header.embedding + header.vocabulary)
    if flash_attention(card):
        layer = 4 * batch * (1 + 4 * header.embedding + 2 * wide) + 2 * batch * tokens
    elif header.architecture in _ENCODERS:
        layer = 4 * batch * (1 + 4 * header.embedding + wide + batch * heads)
    else:
        layer = 4 * batch * (1 + 4 * header.embedding + tokens * (1 + heads))
    return max(vocabulary if "embedding" not in card.capabilities else 0, layer)


def flash_attention(card: ModelCard) -> bool:
    """Whether the engine can use flash attention for this model (Ollama's `SupportsFlashAttention`)."""
    header = card.header
    if header is None or card.capabilities == ("embedding",) or header.architecture in _NO_FLASH:
        return False
    return header.key_length != 0 and header.key_length == header.value_length


def quantized_cache(card: ModelCard) -> bool:
    """Whether a `q8_0` or `q4_0` cache takes effect: Ollama ignores it without flash attention."""
    return flash_attention(card)


def padded(tokens: int) -> int:
    """A cache length as the engine allocates it."""
    return math.ceil(tokens / _PAD) * _PAD


def largest_context(card: ModelCard, *, room: int, parallel: int = 1, kv: KvType = "f16") -> int:
    """The longest context (tokens, a multiple of 1024, at least 0) whose copy fits into `room` bytes of one card."""
    most = card.context_max or 131_072
    low, high = 0, max(most // 1024, 1)
    while low < high:
        middle = (low + high + 1) // 2
        if needed_bytes(fit(card, context=middle * 1024, parallel=parallel, kv=kv)) <= room:
            low = middle
        else:
            high = middle - 1
    return low * 1024


def sentence(found: Fit) -> str:
    """The estimate in words, as every screen shows it."""
    parts = (
        f"weights {text.binary_bytes(found.weights_bytes)}",
        f"context cache {text.binary_bytes(found.kv_bytes)}",
        f"working memory {text.binary_bytes(found.compute_bytes)}",
    )
    return (
        f"{found.model} needs {text.binary_bytes(found.total_bytes)} ± {found.error_percent:g} %: "
        f"{text.listing(parts)} (from its {found.basis})."
    )


def _rule_of_thumb(card: ModelCard, *, tokens: int, kv: KvType) -> Fit:
    """Without header numbers: cache as of an 8 B model scaled by the root of the size, a buffer of a tenth."""
    weights = card.weights_bytes or round(card.parameters * 1e9 * 0.6)
    if weights <= 0:
        basis, error, weights = "nothing but its name", _NOTHING_KNOWN, 8_000_000_000
    else:
        basis, error = "size only", 40.0
    per_token = 131_072 * math.sqrt(weights / 4.9e9) * KV_BYTES[kv] / 2
    kv_bytes = 0 if card.capabilities == ("embedding",) else math.ceil(per_token * tokens)
    compute = max(weights // 10, 64 * 1024**2)
    return Fit(
        model=card.tag,
        weights_bytes=weights,
        kv_bytes=kv_bytes,
        compute_bytes=compute,
        total_bytes=weights + kv_bytes + compute,
        basis=basis,
        error_percent=error,
    )


def _window(header: Header, *, parallel: int) -> int:
    """Tokens that a sliding-window layer holds: a window a request and one batch, padded."""
    window = _WINDOW_IN_MEMORY.get(header.architecture, header.sliding_window)
    return padded(window * parallel + BATCH)


def _width(header: Header, *, sliding: bool) -> int:
    """Elements of one head's key and value; sliding layers may have their own."""
    if sliding and header.sliding_key_length:
        return header.sliding_key_length + (header.sliding_value_length or header.sliding_key_length)
    return header.key_length + header.value_length


def _state_bytes(header: Header) -> int:
    """A recurrent layer's state for one request, F32 (llama.cpp; Ollama `GraphSize`)."""
    convolution = max(header.ssm_conv - 1, 0) * (header.ssm_inner + 2 * header.ssm_groups * header.ssm_state)
    return 4 * (convolution + header.ssm_state * header.ssm_inner)


def _at(values: tuple[int, ...], layer: int) -> int:
    """The layer's own value; a header with one value means it for all layers."""
    if not values:
        return 0
    return values[layer] if layer < len(values) else values[-1]
