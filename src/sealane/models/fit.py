"""The face of memory fit: what a model needs (`memory`) and where it would start (`capacity`).

Pages, CLI and plan import this module; the formulas and the placement rules live apart because they change for
different reasons: one follows the engine, the other the scheduler.
"""

from __future__ import annotations

from sealane.models.capacity import best_share, places
from sealane.models.memory import (
    ENGINE_RESERVE,
    KV_BYTES,
    compute_bytes,
    fit,
    flash_attention,
    kv_cache_bytes,
    largest_context,
    needed_bytes,
    quantized_cache,
    sentence,
)

__all__ = [
    "ENGINE_RESERVE",
    "KV_BYTES",
    "best_share",
    "compute_bytes",
    "fit",
    "flash_attention",
    "kv_cache_bytes",
    "largest_context",
    "needed_bytes",
    "places",
    "quantized_cache",
    "sentence",
]
