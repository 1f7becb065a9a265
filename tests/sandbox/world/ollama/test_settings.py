"""The server's environment and its durations."""

from __future__ import annotations

import pytest

from sealane.sandbox.world.ollama import settings


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("250ms", 0.25), (0, 0), ("0", 0), (90, 90), ("-1", -1), (-5, -1), ("-1m", -1)],
)
def test_durations_are_read_as_go_does(given: object, seconds: float) -> None:
    assert settings.duration(given) == seconds


@pytest.mark.parametrize("given", ["soon", "5 minutes", "m5", True, None, ""])
def test_nonsense_is_no_duration(given: object) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        settings.duration(given)


@pytest.mark.parametrize(("gib", "context"), [(None, 4096), (12, 4096), (24, 32768), (45, 32768), (80, 262144)])
def test_the_default_context_grows_with_the_gpu(gib: int | None, context: int) -> None:
    memory = None if gib is None else gib * 1024**3
    assert settings.of({}, gpu_memory=memory, memory_limit=None).context == context


def test_the_environment_decides() -> None:
    found = settings.of(
        {"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_KV_CACHE_TYPE": "q8_0", "HOME": "/models"},
        gpu_memory=None,
        memory_limit=None,
    )
    assert (found.parallel, found.keep_alive, found.kv_factor) == (4, settings.FOREVER, 0.5)
    assert found.models == "/models/.ollama/models"
    assert "OLLAMA_NUM_PARALLEL:4" in found.text()
