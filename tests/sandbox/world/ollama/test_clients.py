"""The published client libraries, unmodified, against the simulated server."""

from __future__ import annotations

from typing import Any

import httpx
import ollama
import openai
import pytest

from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ollama import app, library, settings
from sealane.sandbox.world.ollama.engine import Engine
from sealane.sandbox.world.ollama.storage import ModelStore

SEVEN, EMBED = "qwen2.5-coder:7b", "nomic-embed-text:latest"
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def transport() -> httpx.ASGITransport:
    """A server in which a simulated second takes next to nothing."""
    clock = SandboxClock(speed=100_000)
    store = ModelStore()
    for name in (SEVEN, EMBED):
        found = library.find(name)
        assert found is not None
        store.add(found, now=clock.now())
    wanted = settings.of({}, gpu_memory=24 * 1024**3, memory_limit=None)
    return httpx.ASGITransport(app=app.build(Engine(clock=clock, store=store, settings=wanted)))  # type: ignore[arg-type]


async def test_the_openai_client_works(transport: httpx.ASGITransport) -> None:
    async with httpx.AsyncClient(transport=transport) as http:
        client = openai.AsyncOpenAI(base_url="http://pod:11434/v1", api_key="any", http_client=http)
        assert {item.id for item in (await client.models.list()).data} == {SEVEN, EMBED}
        whole = await client.chat.completions.create(model=SEVEN, messages=HELLO)
        assert "simulated" in (whole.choices[0].message.content or "")
        stream = await client.chat.completions.create(
            model=SEVEN, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage == whole.usage
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == whole.choices[0].message.content
        code = await client.completions.create(model=SEVEN, prompt="def f(x):\n", suffix="\n")
        assert "return x" in code.choices[0].text
        vectors = await client.embeddings.create(model=EMBED, input=["a", "b"])
        assert [len(item.embedding) for item in vectors.data] == [768, 768]
        answer = await client.responses.create(model=SEVEN, input="hello")
        assert answer.output_text.startswith("This is a simulated answer")
        with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
            await client.chat.completions.create(model="nope", messages=HELLO)


async def test_the_ollama_client_works(transport: httpx.ASGITransport) -> None:
    client = ollama.AsyncClient(host="http://pod:11434", transport=transport)
    assert {item.model for item in (await client.list()).models} == {SEVEN, EMBED}
    whole = await client.chat(model=SEVEN, messages=HELLO)
    assert "simulated" in (whole.message.content or "")
    pieces = [piece async for piece in await client.chat(model=SEVEN, messages=HELLO, stream=True)]
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert pieces[-1].done
    assert (await client.generate(model=SEVEN, prompt="x")).response
    assert len((await client.embed(model=EMBED, input="x")).embeddings[0]) == 768
    assert (await client.show(SEVEN)).capabilities == ["completion", "tools", "insert"]
    assert [item.model for item in (await client.ps()).models] == [SEVEN, EMBED]
    progress = [item async for item in await client.pull("all-minilm", stream=True)]
    assert progress[-1].status == "success"
    await client.copy(SEVEN, "mine")
    await client.delete("mine")
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found"):
        await client.chat(model="nope", messages=HELLO)
