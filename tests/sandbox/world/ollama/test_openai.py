"""The OpenAI-compatible endpoints in Ollama's shapes."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
SEVEN, EMBED = "qwen2.5-coder:7b", "nomic-embed-text:latest"
HELLO = [{"role": "user", "content": "hello"}]
CHAT = "/v1/chat/completions"


async def test_a_whole_chat_answer_has_message_reason_and_usage(serve: Make) -> None:
    _, answer = await serve(SEVEN).post(CHAT, model=SEVEN, messages=HELLO)
    (choice,) = answer["choices"]
    assert (answer["object"], answer["system_fingerprint"]) == ("chat.completion", "fp_ollama")
    assert choice["message"]["content"].startswith("This is a simulated answer")
    assert choice["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_a_stream_ends_with_reason_usage_and_done(serve: Make) -> None:
    events = await serve(SEVEN).events(
        CHAT, model=SEVEN, messages=HELLO, stream=True, max_tokens=5, stream_options={"include_usage": True}
    )
    *chunks, reason, usage, done = events
    assert done == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 5 == len(chunks)
    assert reason["choices"][0] == {
        "index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "length"
    }  # fmt: skip
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in [*chunks, reason, usage]}) == 1
    assert all("usage" not in chunk for chunk in [*chunks, reason])


async def test_usage_is_left_out_of_a_stream_unless_asked_for(serve: Make) -> None:
    events = await serve(SEVEN).events(CHAT, model=SEVEN, messages=HELLO, stream=True, max_tokens=2)
    assert events[-1] == "[DONE]"
    assert all("usage" not in event for event in events[:-1])


async def test_both_apis_count_the_same_tokens(serve: Make) -> None:
    server = serve(SEVEN)
    _, native = await server.post("/api/chat", model=SEVEN, messages=HELLO, stream=False)
    _, openai = await server.post(CHAT, model=SEVEN, messages=HELLO)
    assert native["prompt_eval_count"] == openai["usage"]["prompt_tokens"]
    assert native["eval_count"] == openai["usage"]["completion_tokens"]


async def test_content_in_parts_and_images_is_read(serve: Make) -> None:
    parts = [
        {"type": "text", "text": "what is this"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    _, answer = await serve("gemma3:4b").post(CHAT, model="gemma3:4b", messages=[{"role": "user", "content": parts}])
    assert "what is this" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] > 256


async def test_completions_answer_prompts_and_holes(serve: Make) -> None:
    server = serve(SEVEN)
    _, prose = await server.post("/v1/completions", model=SEVEN, prompt="hello", max_tokens=4)
    assert prose["object"] == "text_completion"
    assert prose["choices"][0]["finish_reason"] == "length"
    _, code = await server.post("/v1/completions", model=SEVEN, prompt="def f(x):\n", suffix="\n")
    assert code["choices"][0]["text"] == "    # simulated by the Sealane sandbox\n    return x\n"
    events = await server.events("/v1/completions", model=SEVEN, prompt="def f(x):\n", suffix="\n", stream=True)
    said = "".join(event["choices"][0]["text"] for event in events if event != "[DONE]")
    assert said == code["choices"][0]["text"]


async def test_tool_calls_have_the_shape_that_clients_parse(serve: Make) -> None:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    tool = {"type": "function", "function": {"name": "read_file", "parameters": schema}}
    ask = [{"role": "user", "content": "please read_file for me"}]
    server = serve(SEVEN)
    _, whole = await server.post(CHAT, model=SEVEN, messages=ask, tools=[tool])
    (call,) = whole["choices"][0]["message"]["tool_calls"]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert json.loads(call["function"]["arguments"]) == {"path": "simulated"}
    events = await server.events(CHAT, model=SEVEN, messages=ask, tools=[tool], stream=True)
    assert events[0]["choices"][0]["delta"]["tool_calls"][0]["id"] == call["id"]
    assert events[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_structured_output_follows_the_schema(serve: Make) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    _, answer = await serve(SEVEN).post(CHAT, model=SEVEN, messages=HELLO, response_format=wanted)
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"ok": True}


async def test_embeddings_come_as_numbers_or_base64(serve: Make) -> None:
    server = serve(EMBED)
    _, plain = await server.post("/v1/embeddings", model=EMBED, input=["a", "b"])
    assert [item["index"] for item in plain["data"]] == [0, 1]
    assert plain["usage"]["prompt_tokens"] == plain["usage"]["total_tokens"] == 2
    _, packed = await server.post("/v1/embeddings", model=EMBED, input="a", encoding_format="base64")
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<768f", raw) == pytest.approx(plain["data"][0]["embedding"], abs=1e-6)


async def test_models_are_listed_and_looked_up(serve: Make) -> None:
    server = serve(SEVEN)
    listed = await server.get("/v1/models")
    assert [item["id"] for item in listed["data"]] == [SEVEN]
    assert (await server.get(f"/v1/models/{SEVEN}"))["owned_by"] == "library"
    assert (await server.raw("GET", "/v1/models/nope"))[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "message", "kind"),
    [
        (CHAT, {"model": "nope", "messages": HELLO}, 404, "model 'nope' not found", "not_found_error"),
        (CHAT, {"model": SEVEN, "messages": []}, 400, "[] is too short", "invalid_request_error"),
        (CHAT, {"messages": HELLO}, 400, "model is required", "invalid_request_error"),
        (CHAT, {"model": EMBED, "messages": HELLO}, 400, "does not support chat", "invalid_request_error"),
        ("/v1/embeddings", {"model": EMBED}, 400, "invalid input", "invalid_request_error"),
        ("/v1/embeddings", {"model": "nope", "input": "x"}, 404, "model 'nope' not found", "not_found_error"),
    ],
)
async def test_errors_have_openais_shape(
    serve: Make, path: str, body: dict[str, Any], status: int, message: str, kind: str
) -> None:
    found, answer = await serve(SEVEN, EMBED).post(path, **body)
    assert found == status
    assert message in answer["error"]["message"]
    assert answer["error"]["type"] == kind
    assert answer["error"]["code"] is None


async def test_an_error_before_the_first_piece_is_no_stream(serve: Make) -> None:
    status, raw = await serve(SEVEN).raw("POST", CHAT, {"model": "nope", "messages": HELLO, "stream": True})
    assert status == 404
    assert json.loads(raw)["error"]["message"] == "model 'nope' not found"
