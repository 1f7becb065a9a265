"""The server's settings from its environment, with Ollama's defaults and its way of reading durations."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

FOREVER = -1.0
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_KV = {"q8_0": 0.5, "q4_0": 0.25}
_GIB = 1024**3


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`gpu_memory` is bytes (None: CPU only); `memory_limit` bytes of the container or None; times in seconds."""

    models: str
    context: int
    parallel: int
    keep_alive: float
    max_loaded: int
    kv_factor: float
    gpu_memory: int | None
    memory_limit: int | None

    def text(self) -> str:
        """As the server prints it when it starts."""
        return (
            f"map[OLLAMA_CONTEXT_LENGTH:{self.context} OLLAMA_KEEP_ALIVE:{self.keep_alive:g}s "
            f"OLLAMA_MAX_LOADED_MODELS:{self.max_loaded} OLLAMA_MODELS:{self.models} "
            f"OLLAMA_NUM_PARALLEL:{self.parallel}]"
        )


def of(environment: Mapping[str, str], *, gpu_memory: int | None, memory_limit: int | None) -> Settings:
    """Read the environment. The default context depends on the GPU's memory, as in Ollama 0.23."""
    home = environment.get("HOME", "/root")
    default = 4096 if gpu_memory is None or gpu_memory < 23 * _GIB else 32768 if gpu_memory < 47 * _GIB else 262144
    return Settings(
        models=environment.get("OLLAMA_MODELS", "") or f"{home}/.ollama/models",
        context=_number(environment.get("OLLAMA_CONTEXT_LENGTH", ""), default),
        parallel=max(1, _number(environment.get("OLLAMA_NUM_PARALLEL", ""), 1)),
        keep_alive=duration(environment.get("OLLAMA_KEEP_ALIVE", "") or "5m"),
        max_loaded=_number(environment.get("OLLAMA_MAX_LOADED_MODELS", ""), 3) or 3,
        kv_factor=_KV.get(environment.get("OLLAMA_KV_CACHE_TYPE", ""), 1.0),
        gpu_memory=gpu_memory,
        memory_limit=memory_limit,
    )


def duration(value: object) -> float:
    """Seconds from `5m`, `1h30m`, `300`, -1 …; anything negative is FOREVER. Raises ValueError for nonsense."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"invalid duration: {value!r}")
    if isinstance(value, (int, float)):
        return FOREVER if value < 0 else float(value)
    text = str(value).strip()
    if text.startswith("-"):
        return FOREVER
    if re.fullmatch(r"[0-9.]+", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default
