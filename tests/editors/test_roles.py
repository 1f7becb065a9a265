"""Roles: which hosted model an editor gets for chat, autocomplete and embeddings."""

import pytest

from sealane.editors import roles
from sealane.editors.types import ServedModel
from sealane.models.hosted import NotHosted

CODER = ServedModel(name="qwen2.5-coder:7b", capabilities=("chat", "fim", "tools"), context=16384)
SMALL = ServedModel(name="qwen2.5-coder:1.5b", capabilities=("chat", "fim"), context=4096)
EMBED = ServedModel(name="nomic-embed-text:latest", capabilities=("embedding",), context=2048)
CHAT = ServedModel(name="llama3.1:8b", capabilities=("chat", "tools"), context=8192)


def connect(model: str, *served: ServedModel):
    return roles.connection(root="http://127.0.0.1:8701", key="sk-sealane-x", model=model, served=served)


def test_a_model_that_can_do_it_all_plays_every_role_it_can():
    found = connect("qwen2.5-coder:7b", CODER, SMALL)
    assert found.chat == CODER
    assert found.autocomplete == CODER
    assert found.embed is None


def test_roles_that_the_model_cannot_play_go_to_another_hosted_one():
    found = connect("llama3.1:8b", CHAT, CODER, SMALL, EMBED)
    assert found.chat == CHAT
    assert found.autocomplete == SMALL, "the smallest context that can"
    assert found.embed == EMBED


def test_an_embedding_model_borrows_a_chat_model_when_there_is_one():
    assert connect("nomic-embed-text:latest", EMBED, CHAT).chat == CHAT
    assert connect("nomic-embed-text:latest", EMBED).chat is None


def test_the_latest_tag_may_be_left_out_as_ollama_does():
    assert connect("nomic-embed-text", EMBED).embed == EMBED


def test_a_base_address_is_taken_with_or_without_v1():
    for root in ("http://h:1", "http://h:1/", "http://h:1/v1"):
        found = roles.connection(root=root, key="k", model=CHAT.name, served=[CHAT])
        assert (found.root, found.openai) == ("http://h:1", "http://h:1/v1")


def test_a_model_that_is_not_hosted_is_told_with_the_nearest_names():
    with pytest.raises(NotHosted) as caught:
        connect("qwen2.5-coder:8b", CODER, CHAT)
    assert "qwen2.5-coder:7b" in caught.value.sentence
    assert caught.value.next_steps[0].command == "sealane host qwen2.5-coder:8b"
    with pytest.raises(NotHosted, match="nothing is hosted yet"):
        connect("llama3.1:8b")


def test_a_connection_without_any_model_is_a_bug_of_ours():
    from sealane.editors.types import Connection

    with pytest.raises(ValueError, match="at least one"):
        _ = Connection(root="http://h", key="k", chat=None).any
