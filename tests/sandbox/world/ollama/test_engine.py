"""The loaded set: loading, eviction, reloads, keep-alive, turns, memory. As measured on the real 0.23.0."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
SEVEN, THREE, EMBED = "qwen2.5-coder:7b", "qwen2.5-coder:3b", "nomic-embed-text:latest"


async def test_loading_takes_three_to_five_seconds_and_is_paid_once(serve: Make) -> None:
    server = serve(SEVEN)
    _, first = await server.post("/api/generate", model=SEVEN, prompt="x", stream=False)
    _, second = await server.post("/api/generate", model=SEVEN, prompt="x", stream=False)
    assert 2.5e9 < first["load_duration"] < 5e9
    assert second["load_duration"] < 0.1e9
    assert first["total_duration"] >= first["load_duration"] + first["prompt_eval_duration"] + first["eval_duration"]


async def test_only_so_many_models_stay_loaded(serve: Make) -> None:
    server = serve(SEVEN, THREE, OLLAMA_MAX_LOADED_MODELS="1")
    await server.post("/api/generate", model=SEVEN)
    assert await server.loaded() == [SEVEN]
    await server.post("/api/generate", model=THREE)
    assert await server.loaded() == [THREE]


async def test_the_idle_model_that_expires_first_makes_room(serve: Make) -> None:
    server = serve(SEVEN, THREE, EMBED, OLLAMA_MAX_LOADED_MODELS="2")
    await server.post("/api/generate", model=SEVEN, keep_alive="1h")
    await server.post("/api/generate", model=THREE, keep_alive="1m")
    await server.post("/api/embed", model=EMBED, input="x")
    assert set(await server.loaded()) == {SEVEN, EMBED}


async def test_memory_makes_room_too(serve: Make) -> None:
    server = serve(SEVEN, THREE, gpu=7, OLLAMA_CONTEXT_LENGTH="4096")
    await server.post("/api/generate", model=SEVEN)
    await server.post("/api/generate", model=THREE)
    assert await server.loaded() == [THREE]


async def test_another_context_reloads_the_model(serve: Make) -> None:
    server = serve(SEVEN, OLLAMA_CONTEXT_LENGTH="8192")
    await server.post("/api/generate", model=SEVEN)
    (before,) = (await server.get("/api/ps"))["models"]
    assert before["context_length"] == 8192
    _, answer = await server.post("/api/generate", model=SEVEN, prompt="x", stream=False, options={"num_ctx": 4096})
    assert answer["load_duration"] > 2e9
    (after,) = (await server.get("/api/ps"))["models"]
    assert after["context_length"] == 4096
    assert after["size"] < before["size"]


async def test_a_context_beyond_the_models_own_is_cut_to_it(serve: Make) -> None:
    server = serve(EMBED, OLLAMA_CONTEXT_LENGTH="999999")
    await server.post("/api/embed", model=EMBED, input="x")
    (found,) = (await server.get("/api/ps"))["models"]
    assert found["context_length"] == 2048


async def test_an_idle_model_is_unloaded_after_its_keep_alive(serve: Make, clock: Any) -> None:
    server = serve(SEVEN)
    await server.post("/api/generate", model=SEVEN, keep_alive="30s")
    await clock.advance(29)
    assert await server.loaded() == [SEVEN]
    await clock.advance(2)
    assert await server.loaded() == []


async def test_keep_alive_zero_unloads_and_minus_one_keeps_for_ever(serve: Make, clock: Any) -> None:
    server = serve(SEVEN)
    _, kept = await server.post("/api/generate", model=SEVEN, keep_alive=-1)
    assert kept["done_reason"] == "load"
    (found,) = (await server.get("/api/ps"))["models"]
    assert datetime.datetime.fromisoformat(found["expires_at"]).year > 2300
    await clock.advance(86_400)
    assert await server.loaded() == [SEVEN]
    _, gone = await server.post("/api/generate", model=SEVEN, keep_alive=0)
    assert gone["done_reason"] == "unload"
    assert await server.loaded() == []


@pytest.mark.parametrize(("parallel", "factor"), [(1, 3), (2, 2), (3, 1)])
async def test_turns_are_taken_as_num_parallel_allows(serve: Make, clock: Any, parallel: int, factor: int) -> None:
    server = serve(SEVEN, OLLAMA_NUM_PARALLEL=str(parallel))
    await server.post("/api/generate", model=SEVEN)
    begun = clock.monotonic()
    await server.post("/api/generate", model=SEVEN, prompt="x", stream=False)
    alone = clock.monotonic() - begun
    begun = clock.monotonic()
    tasks = [server.start("POST", "/api/generate", {"model": SEVEN, "prompt": "x", "stream": False}) for _ in range(3)]
    for task in tasks:
        status, _ = await server.finish(task)
        assert status == 200
    assert (clock.monotonic() - begun) / alone == pytest.approx(factor, abs=0.35)


async def test_a_model_waits_for_the_one_in_use_to_be_free(serve: Make, clock: Any) -> None:
    server = serve(SEVEN, THREE, OLLAMA_MAX_LOADED_MODELS="1")
    await server.post("/api/generate", model=SEVEN)
    busy = server.start("POST", "/api/generate", {"model": SEVEN, "prompt": "x" * 400, "stream": False})
    await clock.advance(0.1)
    other = server.start("POST", "/api/generate", {"model": THREE, "prompt": "x", "stream": False})
    await clock.advance(0.2)
    assert not busy.done()
    assert await server.loaded() == [SEVEN]
    assert (await server.finish(busy))[0] == 200
    assert (await server.finish(other))[0] == 200
    assert await server.loaded() == [THREE]


async def test_a_caller_that_goes_away_frees_its_turn(serve: Make, clock: Any) -> None:
    server = serve(SEVEN)
    await server.post("/api/generate", model=SEVEN)
    gone = server.start("POST", "/api/generate", {"model": SEVEN, "prompt": "x" * 800})
    await clock.advance(0.1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    begun = clock.monotonic()
    status, _ = await server.raw("POST", "/api/generate", {"model": SEVEN, "prompt": "x", "stream": False})
    assert status == 200
    assert clock.monotonic() - begun < 3


async def test_a_model_larger_than_the_share_fails_as_cuda_would(serve: Make) -> None:
    server = serve("qwen2.5-coder:14b", gpu=8)
    status, body = await server.post("/api/generate", model="qwen2.5-coder:14b", prompt="x")
    assert status == 500
    assert body["error"].startswith("llama runner process has terminated: cudaMalloc failed: out of memory")
    status, body = await server.post(
        "/v1/chat/completions", model="qwen2.5-coder:14b", messages=[{"role": "user", "content": "x"}]
    )
    assert status == 500
    assert "out of memory" in body["error"]["message"]


async def test_without_a_gpu_the_memory_limit_is_said_or_kills(serve: Make) -> None:
    tight = serve(SEVEN, gpu=None, limit=4)
    status, body = await tight.post("/api/generate", model=SEVEN, prompt="x")
    assert status == 500
    assert body["error"].startswith("model requires more system memory (")
    assert body["error"].endswith("than is available (4.0 GiB)")
    assert not tight.engine.killed.is_set()
    hopeless = serve(SEVEN, gpu=None, limit=1)
    status, body = await hopeless.post("/api/generate", model=SEVEN, prompt="x")
    assert body["error"] == "llama runner process has terminated: signal: killed"
    assert hopeless.engine.killed.is_set()


async def test_without_a_gpu_answers_are_slower_and_nothing_is_in_vram(serve: Make) -> None:
    fast, slow = serve(SEVEN), serve(SEVEN, gpu=None)
    _, with_gpu = await fast.post("/api/generate", model=SEVEN, prompt="x", stream=False)
    _, without = await slow.post("/api/generate", model=SEVEN, prompt="x", stream=False)
    assert without["eval_duration"] > 5 * with_gpu["eval_duration"]
    assert (await slow.get("/api/ps"))["models"][0]["size_vram"] == 0
    assert (await fast.get("/api/ps"))["models"][0]["size_vram"] > 0
