"""Tiny models with random weights, in the real file format: what the real Ollama loads in a fraction of a second.

They answer gibberish, deterministically at temperature 0, and that is enough: loading, contexts, streaming, embedding
and counting tokens are the engine's own work, whatever the weights are. A bigger one makes loading take its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_SPREAD = 0.08  # standard deviation of the weights


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The numbers of a llama-like network. `context` is the longest context that it says it was trained for."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    context: int = 2048
    pooling: bool = False  # an embedding model: mean pooling, no chat
    seed: int = 0


TINY = Shape()
LARGE = Shape(layers=24, width=1024, heads=16)  # 504 MB: seconds to load, a gigabyte to run


def write(path: Path, shape: Shape) -> None:
    """Write the GGUF file (float16) to `path`."""
    writer = gguf.GGUFWriter(str(path), "llama")
    tokens = _tokens()
    _write_header(writer, shape, name=path.stem, vocabulary=len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    _write_tensors(writer, shape, vocabulary=len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def parameters(shape: Shape) -> int:
    """How many weights a file of that shape holds."""
    width, ff, vocabulary = shape.width, shape.width * 2, len(_tokens())
    block = 4 * width * width + 3 * width * ff + 2 * width
    return shape.layers * block + 2 * vocabulary * width + width


def _tokens() -> list[tuple[bytes, float, int]]:
    """A vocabulary of single bytes and printable characters: (text, score, type)."""
    special: list[tuple[bytes, float, int]] = [
        (b"<unk>", 0.0, _UNKNOWN),
        (b"<s>", 0.0, _CONTROL),
        (b"</s>", 0.0, _CONTROL),
    ]
    by_byte = [(f"<0x{byte:02X}>".encode(), 0.0, _BYTE) for byte in range(256)]
    printable = ["\u2581", *(chr(code) for code in range(33, 127))]
    return special + by_byte + [(text.encode(), -float(i), _NORMAL) for i, text in enumerate(printable)]


def _write_header(writer: gguf.GGUFWriter, shape: Shape, *, name: str, vocabulary: int) -> None:
    head = shape.width // shape.heads
    writer.add_name(name)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.width * 2)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(1)
    writer.add_key_length(head)
    writer.add_value_length(head)
    if shape.pooling:
        writer.add_pooling_type(gguf.PoolingType.MEAN)


def _write_tensors(writer: gguf.GGUFWriter, shape: Shape, *, vocabulary: int) -> None:
    random = np.random.default_rng(shape.seed)
    width, ff = shape.width, shape.width * 2

    def weights(name: str, *size: int) -> None:
        writer.add_tensor(name, (random.standard_normal(size, dtype=np.float32) * _SPREAD).astype(np.float16))

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    weights("token_embd.weight", vocabulary, width)
    ones("output_norm.weight")
    weights("output.weight", vocabulary, width)
    for i in range(shape.layers):
        ones(f"blk.{i}.attn_norm.weight")
        ones(f"blk.{i}.ffn_norm.weight")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights(f"blk.{i}.{part}.weight", width, width)
        weights(f"blk.{i}.ffn_gate.weight", ff, width)
        weights(f"blk.{i}.ffn_up.weight", ff, width)
        weights(f"blk.{i}.ffn_down.weight", width, ff)
