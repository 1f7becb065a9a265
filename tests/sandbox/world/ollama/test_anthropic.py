"""Anthropic's messages and OpenAI's responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
SEVEN = "qwen2.5-coder:7b"
HELLO = [{"role": "user", "content": "hello"}]
MESSAGES = "/v1/messages"


async def test_a_whole_message_has_content_reason_and_usage(serve: Make) -> None:
    server = serve(SEVEN)
    _, answer = await server.post(MESSAGES, model=SEVEN, messages=HELLO, max_tokens=500, system="be brief")
    assert (answer["type"], answer["role"], answer["stop_reason"]) == ("message", "assistant", "end_turn")
    assert answer["content"][0]["text"].startswith("This is a simulated answer")
    _, native = await server.post("/api/chat", model=SEVEN, messages=HELLO, stream=False)
    assert answer["usage"]["output_tokens"] == native["eval_count"]


async def test_a_stream_opens_and_closes_everything_it_names(serve: Make) -> None:
    events = await serve(SEVEN).events(MESSAGES, model=SEVEN, messages=HELLO, max_tokens=3, stream=True)
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"
    assert events[-2]["usage"]["output_tokens"] == 3


async def test_a_tool_is_used_whole_and_streamed(serve: Make) -> None:
    schema = {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]}
    ask: dict[str, Any] = {
        "model": SEVEN,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "run bash"}]}],
        "max_tokens": 100,
        "tools": [{"name": "bash", "input_schema": schema}],
    }
    server = serve(SEVEN)
    _, whole = await server.post(MESSAGES, **ask)
    assert whole["stop_reason"] == "tool_use"
    (used,) = whole["content"]
    assert (used["type"], used["name"], used["input"]) == ("tool_use", "bash", {"cmd": "simulated"})
    events = await server.events(MESSAGES, **ask, stream=True)
    start = next(event for event in events if event["type"] == "content_block_start")
    assert start["content_block"]["input"] == {}
    delta = next(event for event in events if event["type"] == "content_block_delta")
    assert delta["delta"] == {"type": "input_json_delta", "partial_json": '{"cmd": "simulated"}'}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"model": "nope", "messages": HELLO, "max_tokens": 5}, 404, "not_found_error"),
        ({"model": SEVEN, "messages": HELLO}, 400, "invalid_request_error"),
        ({"model": SEVEN, "messages": [], "max_tokens": 5}, 400, "invalid_request_error"),
    ],
)
async def test_errors_have_anthropics_shape(serve: Make, body: dict[str, Any], status: int, kind: str) -> None:
    found, answer = await serve(SEVEN).post(MESSAGES, **body)
    assert found == status
    assert answer["type"] == "error"
    assert answer["error"]["type"] == kind


async def test_tokens_are_counted_without_an_answer(serve: Make) -> None:
    _, answer = await serve(SEVEN).post("/v1/messages/count_tokens", model=SEVEN, messages=HELLO)
    assert answer == {"input_tokens": 2}


async def test_responses_answer_text_whole_and_streamed(serve: Make) -> None:
    server = serve(SEVEN)
    _, whole = await server.post("/v1/responses", model=SEVEN, input="hello")
    said = whole["output"][0]["content"][0]["text"]
    assert whole["status"] == "completed"
    assert said.startswith("This is a simulated answer")
    events = await server.events("/v1/responses", model=SEVEN, input=HELLO, stream=True)
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == said == events[-1]["response"]["output"][0]["content"][0]["text"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
