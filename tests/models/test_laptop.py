"""The models of this computer: exact tags, header numbers where Ollama shows them, nothing when it is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from sealane.models import laptop, memory

LISTED = {
    "name": "qwen2.5-coder:7b",
    "model": "qwen2.5-coder:7b",
    "modified_at": "2026-11-24T12:00:00.5Z",
    "size": 4_683_087_074,
    "digest": "dae1",
    "details": {"format": "gguf", "family": "qwen2", "parameter_size": "7.6B", "quantization_level": "Q4_K_M"},
}
SHOWN = {
    "capabilities": ["completion", "tools", "insert"],
    "model_info": {
        "general.architecture": "qwen2",
        "general.parameter_count": 7_615_616_512,
        "qwen2.block_count": 28,
        "qwen2.context_length": 32768,
        "qwen2.embedding_length": 3584,
        "qwen2.feed_forward_length": 18944,
        "qwen2.attention.head_count": 28,
        "qwen2.attention.head_count_kv": 4,
        "tokenizer.ggml.tokens": None,
    },
    "tensors": [{"name": "token_embd.weight", "type": "Q4_K", "shape": [3584, 152064]}],
}


@asynccontextmanager
async def ollama(models: Any, shown: Any = SHOWN, *, wait: float = 0.0) -> AsyncIterator[str]:
    async def tags(_: web.Request) -> web.Response:
        await asyncio.sleep(wait)
        return web.json_response({"models": models})

    async def show(request: web.Request) -> web.Response:
        assert (await request.json())["model"]
        return web.json_response(shown) if shown is not None else web.json_response({"error": "gone"}, status=404)

    app = web.Application()
    app.router.add_get("/api/tags", tags)
    app.router.add_post("/api/show", show)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_a_model_is_carried_over_exactly() -> None:
    async with ollama([LISTED]) as url:
        (found,) = await laptop.read(url)
    assert found.tag == "qwen2.5-coder:7b"
    assert found.source == "laptop"
    assert found.weights_bytes == 4_683_087_074
    assert found.modified == "2026-11-24T12:00:00.5Z"
    assert found.capabilities == ("chat", "tools", "fim")
    assert found.header is not None
    assert found.header.vocabulary == 152_064
    assert memory.fit(found, context=8192).kv_bytes == 448 * 1024**2
    assert found.licence == "Apache-2.0"


async def test_a_model_that_nobody_knows_is_listed_all_the_same() -> None:
    own = LISTED | {"name": "my-own:latest", "details": {"family": "llama", "parameter_size": "128K"}}
    async with ollama([own], shown=None) as url:
        (found,) = await laptop.read(url)
    assert found.tag == "my-own:latest"
    assert found.header is None
    assert found.licence == "not stated"
    assert found.capabilities == ("chat",)


async def test_models_of_somebodys_cloud_are_left_out() -> None:
    async with ollama([LISTED, LISTED | {"name": "gpt-oss:120b-cloud", "remote_host": "https://x"}]) as url:
        assert [card.tag for card in await laptop.read(url)] == ["qwen2.5-coder:7b"]


async def test_none_is_there_when_nothing_answers() -> None:
    assert await laptop.read("http://127.0.0.1:9") == []


async def test_a_slow_one_is_not_waited_for() -> None:
    async with ollama([LISTED], wait=5.0) as url:
        began = time.monotonic()
        assert await laptop.read(url, patience=0.05) == []
        assert time.monotonic() - began < 2.0


async def test_an_answer_that_makes_no_sense_is_no_model() -> None:
    async with ollama("what") as url:
        assert await laptop.read(url) == []
    async with ollama(None) as url:
        assert await laptop.read(url) == []


async def test_strange_details_do_not_hide_a_model() -> None:
    odd = {"capabilities": "all", "model_info": [1], "tensors": [{"name": "token_embd.weight", "shape": "x"}, 3]}
    async with ollama([LISTED], shown=odd) as url:
        (found,) = await laptop.read(url)
    assert found.tag == "qwen2.5-coder:7b"
    assert found.header is not None  # from the catalogue
