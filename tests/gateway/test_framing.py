"""However a stream is cut into chunks, the client gets the same bytes, and usage and end are found."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.gateway.errors import Api
from sealane.gateway.framing import NdjsonReader, Reader, SseReader, Usage, usage_of

TOKEN = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"say \\"usage\\": [DONE]"}}]}\n\n'
COUNTS = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"
CHAT = TOKEN * 3 + COUNTS + DONE
MESSAGES = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"message_stop"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":4}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
RESPONSES = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":7,'
    b'"output_tokens":4}}}\n\n'
)
LINES = (
    b'{"model":"m","response":"done","done":false}\n'
    b'{"model":"m","response":"","done":true,"context":[1,2,3],"prompt_eval_count":7,"eval_count":4}\n'
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at these places."""
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def through(reader: Reader, chunks: list[bytes]) -> bytes:
    return b"".join(reader.feed(chunk) for chunk in chunks) + reader.rest()


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(cuts=CUTS)
@pytest.mark.parametrize(
    ("api", "stream"), [(Api.OPENAI, CHAT), (Api.ANTHROPIC, MESSAGES), (Api.RESPONSES, RESPONSES)], ids=str
)
def test_any_cut_of_an_sse_stream_passes_untouched_with_its_usage(api: Api, stream: bytes, cuts: list[int]) -> None:
    reader = SseReader(api)
    assert through(reader, pieces(stream, cuts)) == stream
    assert reader.usage == Usage(7, 4)
    assert reader.ended()


@given(cuts=CUTS)
def test_any_cut_of_an_ndjson_stream_passes_untouched_with_its_usage(cuts: list[int]) -> None:
    reader = NdjsonReader()
    assert through(reader, pieces(LINES, cuts)) == LINES
    assert reader.usage == Usage(7, 4)
    assert reader.ended()


@given(cuts=CUTS)
def test_a_usage_event_that_only_we_asked_for_never_reaches_the_client(cuts: list[int]) -> None:
    reader = SseReader(Api.OPENAI, hide_usage=True)
    assert through(reader, pieces(CHAT, cuts)) == CHAT.replace(COUNTS, b"")
    assert reader.usage == Usage(7, 4)


@given(cuts=CUTS)
def test_only_whole_events_go_out(cuts: list[int]) -> None:
    reader = SseReader(Api.OPENAI)
    for chunk in pieces(CHAT, cuts):
        data = reader.feed(chunk)
        assert not data or data.endswith(b"\n\n")


@given(cuts=CUTS, end=st.integers(1, len(CHAT) - len(DONE)))
def test_a_stream_that_just_stops_has_not_ended(cuts: list[int], end: int) -> None:
    reader = SseReader(Api.OPENAI)
    through(reader, pieces(CHAT[:end], cuts))
    assert not reader.ended()


@pytest.mark.parametrize(
    ("api", "stream"),
    [
        (Api.ANTHROPIC, MESSAGES[: MESSAGES.index(b"event: message_stop")]),
        (Api.RESPONSES, RESPONSES[: RESPONSES.index(b"event: response.completed")]),
    ],
)
def test_words_in_the_text_are_not_mistaken_for_the_end(api: Api, stream: bytes) -> None:
    reader = SseReader(api)
    reader.feed(stream)
    assert not reader.ended()


def test_a_native_stream_without_its_last_line_has_not_ended() -> None:
    reader = NdjsonReader()
    reader.feed(LINES[: LINES.index(b"\n") + 1])
    assert not reader.ended()
    assert reader.usage == Usage()


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (SseReader(Api.OPENAI), b'data: {"error":{"message":"out of memory"}}\n\n'),
        (SseReader(Api.ANTHROPIC), b'event: error\ndata: {"type":"error","error":{}}\n\n'),
        (SseReader(Api.RESPONSES), b'event: error\ndata: {"type":"error"}\n\n'),
        (NdjsonReader(), b'{"error":"out of memory"}\n'),
    ],
)
def test_an_error_that_the_engine_tells_itself_is_an_end(reader: Reader, told: bytes) -> None:
    assert reader.feed(told) == told
    assert reader.ended()


def test_events_that_end_with_carriage_returns_are_understood() -> None:
    stream = CHAT.replace(b"\n\n", b"\r\n\r\n")
    reader = SseReader(Api.OPENAI, hide_usage=True)
    assert through(reader, pieces(stream, [10, 100, 200])) == stream.replace(COUNTS.replace(b"\n\n", b"\r\n\r\n"), b"")
    assert reader.ended()
    assert reader.usage == Usage(7, 4)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (b"null", Usage()),
        (b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', Usage()),
        (b'{"prompt_tokens":2,"completion_tokens":1}', Usage(2, 1)),
    ],
)
def test_usage_beside_choices_is_left_out_only_where_we_alone_asked_for_it(told: bytes, wanted: Usage) -> None:
    event = b'data: {"choices":[{"index":0,"text":"a"}],"usage":%b}\n\n' % told
    hiding, showing = SseReader(Api.OPENAI, hide_usage=True), SseReader(Api.OPENAI)
    assert hiding.feed(event) == b'data: {"choices":[{"index":0,"text":"a"}]}\n\n'
    assert showing.feed(event) == event
    assert hiding.usage == showing.usage == wanted


def test_an_event_without_end_is_not_held_back_without_bound() -> None:
    reader = SseReader(Api.OPENAI)
    sent = sum(len(reader.feed(b"x" * 1_000_000)) for _ in range(10))
    assert sent >= 5_000_000


@pytest.mark.parametrize(
    ("api", "body", "wanted"),
    [
        (Api.OPENAI, b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}', Usage(3, 2)),
        (Api.OPENAI, b'{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}', Usage(3, 0)),
        (Api.ANTHROPIC, b'{"content":[],"usage":{"input_tokens":3,"output_tokens":2}}', Usage(3, 2)),
        (Api.RESPONSES, b'{"output":[],"usage":{"input_tokens":3,"output_tokens":2}}', Usage(3, 2)),
        (Api.OLLAMA, b'{"done":true,"prompt_eval_count":3,"eval_count":2}', Usage(3, 2)),
        (Api.OLLAMA, b'{"embeddings":[[1]],"prompt_eval_count":3}', Usage(3, 0)),
        (Api.OLLAMA, b'{"embedding":[1]}', Usage()),
        (Api.OPENAI, b"<html>", Usage()),
        (Api.OPENAI, b'{"usage":"much"}', Usage()),
    ],
)
def test_usage_of_a_whole_answer_is_the_engines(api: Api, body: bytes, wanted: Usage) -> None:
    assert usage_of(body, api) == wanted
