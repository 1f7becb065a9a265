"""The OpenAI and Ollama Python clients, unmodified, for every endpoint that they share with the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ollama
import openai
import pytest

MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def oai(lane: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{lane.url}/v1", api_key=lane.secret, max_retries=0) as client:
        yield client


@pytest.fixture
async def native(lane: Any) -> AsyncIterator[ollama.AsyncClient]:
    client = ollama.AsyncClient(host=lane.url, headers=lane.headers)
    yield client
    await client._client.aclose()


async def test_openai_lists_models(oai: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in oai.models.list()] == ["tiny:latest"]
    assert (await oai.models.retrieve("tiny")).id == "tiny:latest"


async def test_openai_chats(oai: openai.AsyncOpenAI) -> None:
    answer = await oai.chat.completions.create(model="tiny", messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello wörld"
    assert answer.usage.total_tokens == 11


async def test_openai_streams_a_chat_without_seeing_our_usage_chunk(oai: openai.AsyncOpenAI) -> None:
    stream = await oai.chat.completions.create(model="tiny", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello wörld"
    assert all(chunk.usage is None for chunk in chunks)


async def test_openai_streams_a_chat_with_the_usage_it_asked_for(oai: openai.AsyncOpenAI) -> None:
    stream = await oai.chat.completions.create(
        model="tiny", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 4


async def test_openai_completes(oai: openai.AsyncOpenAI) -> None:
    answer = await oai.completions.create(model="tiny", prompt="Hi", suffix="!")
    assert answer.choices[0].text == "Hello wörld"
    stream = await oai.completions.create(model="tiny", prompt="Hi", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello wörld"


async def test_openai_embeds(oai: openai.AsyncOpenAI) -> None:
    answer = await oai.embeddings.create(model="tiny", input="Hi", encoding_format="float")
    assert answer.data[0].embedding == [0.5, -0.5]


async def test_openai_responds(oai: openai.AsyncOpenAI) -> None:
    answer = await oai.responses.create(model="tiny", input="Hi")
    assert answer.output_text == "Hello wörld"


@pytest.mark.parametrize(
    ("model", "kind"), [("nope", openai.NotFoundError), ("", openai.BadRequestError)], ids=["unknown", "none"]
)
async def test_openai_raises_its_own_errors(oai: openai.AsyncOpenAI, model: str, kind: type[openai.APIError]) -> None:
    with pytest.raises(kind) as caught:
        await oai.chat.completions.create(model=model, messages=MESSAGES)
    assert caught.value.code in {"unknown-model", "broken-json"}


async def test_openai_raises_when_a_stream_is_cut(lane: Any, oai: openai.AsyncOpenAI) -> None:
    lane.engines[0].mood = "half"
    stream = await oai.chat.completions.create(model="tiny", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="went away"):
        [chunk async for chunk in stream]


async def test_openai_raises_for_a_revoked_key(lane: Any, oai: openai.AsyncOpenAI) -> None:
    lane.keys.revoke(lane.key.id)
    with pytest.raises(openai.AuthenticationError, match="was revoked"):
        await oai.chat.completions.create(model="tiny", messages=MESSAGES)


async def test_ollama_lists_shows_and_tells_what_is_loaded(native: ollama.AsyncClient) -> None:
    assert [model.model for model in (await native.list()).models] == ["tiny:latest"]
    assert [model.model for model in (await native.ps()).models] == ["tiny:latest"]
    assert (await native.show("tiny")).modelinfo == {"llama.context_length": 2048}


async def test_ollama_chats(native: ollama.AsyncClient) -> None:
    answer = await native.chat("tiny", MESSAGES, options={"num_ctx": 99}, keep_alive=0)
    assert answer.message.content == "Hello wörld"
    assert answer.eval_count == 4
    parts = [part async for part in await native.chat("tiny", MESSAGES, stream=True)]
    assert "".join(part.message.content or "" for part in parts) == "Hello wörld"
    assert parts[-1].done


async def test_ollama_generates(native: ollama.AsyncClient) -> None:
    assert (await native.generate("tiny", "Hi", suffix="!")).response == "Hello wörld"
    parts = [part async for part in await native.generate("tiny", "Hi", stream=True)]
    assert "".join(part.response for part in parts) == "Hello wörld"


async def test_ollama_embeds(native: ollama.AsyncClient) -> None:
    assert list((await native.embed("tiny", "Hi")).embeddings[0]) == [0.5, -0.5]
    assert list((await native.embeddings("tiny", "Hi")).embedding) == [0.5, -0.5]


async def test_ollama_raises_its_own_errors(lane: Any, native: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="No replica serves") as caught:
        await native.chat("nope", MESSAGES)
    assert caught.value.status_code == 404
    lane.engines[0].mood = "cut"
    with pytest.raises(ollama.ResponseError, match="went away"):
        [part async for part in await native.chat("tiny", MESSAGES, stream=True)]
