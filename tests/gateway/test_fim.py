"""Fill-in-the-middle: Mistral's shape on our side, a completion with a suffix on the engine's."""

from __future__ import annotations

import json

import pytest

from sealane.gateway import fim
from sealane.gateway.errors import BrokenJson

PATH = "/v1/fim/completions"


def translated(**fields: object) -> dict[str, object]:
    return json.loads(fim.request(json.dumps({"model": "x", **fields}).encode(), path=PATH, engine_model="m"))


def test_prompt_suffix_and_sampling_go_to_the_engine_under_its_own_names() -> None:
    given = {"prompt": "def f(", "suffix": "\n", "max_tokens": 9, "temperature": 0, "stop": ["\n"], "random_seed": 5}
    wanted = {"model": "m", "prompt": "def f(", "suffix": "\n", "max_tokens": 9, "temperature": 0, "stop": ["\n"]}
    assert translated(**given) == wanted | {"seed": 5}


def test_what_the_engine_does_not_know_is_left_out() -> None:
    assert translated(prompt="a", min_tokens=1, messages=[]) == {"model": "m", "prompt": "a"}


@pytest.mark.parametrize(("stream", "asked"), [(True, True), (False, False), (None, False)])
def test_usage_is_asked_for_in_streams_alone(stream: bool | None, asked: bool) -> None:
    assert ("stream_options" in translated(prompt="a", stream=stream)) is asked


def test_a_body_without_prompt_is_refused() -> None:
    with pytest.raises(BrokenJson, match="no `prompt`"):
        translated(suffix="b")


def test_a_whole_answer_has_the_text_where_chat_clients_read_it() -> None:
    body = {"id": "c", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    body["choices"] = [{"index": 0, "text": "x", "finish_reason": "stop"}]
    answer = json.loads(fim.answer(json.dumps(body).encode()))
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "x"}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == body["usage"]
    assert answer["object"] == "chat.completion"


def test_an_engines_error_passes_as_it_is() -> None:
    body = b'{"error":{"message":"m does not support insert"}}'
    assert fim.answer(body) == body
    assert fim.event(body) == body
    assert fim.answer(b"no json") == b"no json"


def test_each_event_of_a_stream_has_its_text_in_delta_and_the_end_passes() -> None:
    events = b'data: {"id":"c","choices":[{"index":0,"text":"a","finish_reason":null}]}\n\n: ping\n\ndata: [DONE]\n\n'
    first, comment, last, rest = fim.stream(events).split(b"\n\n")
    assert json.loads(first[5:])["choices"][0]["delta"]["content"] == "a"
    assert comment == b": ping"
    assert last == b"data: [DONE]"
    assert rest == b""
