"""Reading answers: a stream is complete only with its own ending."""

import pytest

from sealane.editors import wire

CHAT = ['data: {"choices":[{"delta":{"content":"he"}}]}', "", 'data: {"choices":[{"delta":{"content":"llo"}}]}']


def test_chat_chunks_are_joined_up_to_done():
    assert wire.said("openai-chat", [*CHAT, 'data: {"choices":[],"usage":{}}', "data: [DONE]"]) == "hello"


def test_a_chat_stream_without_done_was_cut():
    with pytest.raises(wire.IncompleteError):
        wire.said("openai-chat", CHAT)


def test_completions_carry_their_text_in_another_field():
    assert wire.said("openai-completions", ['data: {"choices":[{"text":"a + b"}]}', "data: [DONE]"]) == "a + b"


def test_an_error_event_in_a_stream_is_its_text():
    for wire_name, line in (
        ("openai-chat", 'data: {"error":{"message":"upstream lost"}}'),
        ("ollama-generate", '{"error":"upstream lost"}'),
        ("anthropic", 'data: {"type":"error","error":{"type":"api_error","message":"upstream lost"}}'),
    ):
        with pytest.raises(wire.StreamError, match="upstream lost"):
            wire.said(wire_name, [line])


def test_an_ollama_stream_ends_with_done_true():
    rows = ['{"response":"a","done":false}', '{"response":"b","done":true}']
    assert wire.said("ollama-generate", rows) == "ab"
    with pytest.raises(wire.IncompleteError):
        wire.said("ollama-generate", rows[:1])


def test_an_anthropic_stream_ends_with_message_stop():
    rows = [
        "event: content_block_delta",
        'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}',
        "event: message_stop",
        'data: {"type":"message_stop"}',
    ]
    assert wire.said("anthropic", rows) == "hi"
    with pytest.raises(wire.IncompleteError):
        wire.said("anthropic", rows[:2])


def test_embeddings_say_how_many_and_how_long():
    body = ['{"data":[{"embedding":[1,2,3]},{"embedding":[4,5,6]}]}']
    assert wire.said("openai-embeddings", body) == "2 embeddings of 3 numbers"
    with pytest.raises(wire.IncompleteError):
        wire.said("openai-embeddings", ['{"data":[]}'])


@pytest.mark.parametrize("garbage", ["data: {", "data: 3", "data: [1]"])
def test_what_is_not_an_object_is_not_an_answer(garbage):
    with pytest.raises(wire.IncompleteError):
        wire.said("openai-chat", [garbage])
