"""The request shapes that editors share: short, deterministic and cheap, but of the very kind the editor sends.

Sources: the editors' published clients as noted in docs/editors.md.
"""

from __future__ import annotations

from typing import Any

from sealane.editors.types import Call, Connection

ASK = "Reply with one short sentence that says you are ready."
PREFIX = "def add(a, b):\n    return "
SUFFIX = "\n\nprint(add(2, 3))\n"


def bearer(connection: Connection) -> tuple[tuple[str, str], ...]:
    """The header that every OpenAI-style client sends."""
    return (("Authorization", f"Bearer {connection.key}"),)


def chat(connection: Connection, **extra: Any) -> tuple[Call, ...]:
    """A streamed chat completion with usage asked for, as chat panels and agents do."""
    if connection.chat is None:
        return ()
    body = {
        "model": connection.chat.name,
        "messages": [{"role": "system", "content": "You are a coding assistant."}, {"role": "user", "content": ASK}],
        "stream": True,
        "max_tokens": 32,
        **extra,
    }
    return (
        Call(
            role="chat",
            wire="openai-chat",
            path="/v1/chat/completions",
            body=body,
            headers=bearer(connection),
            model=connection.chat.name,
        ),
    )


def completions(connection: Connection) -> tuple[Call, ...]:
    """A completion with a suffix on the OpenAI endpoint, as clients that fill in the middle over /completions do."""
    model = connection.autocomplete
    if model is None:
        return ()
    body = {"model": model.name, "prompt": PREFIX, "suffix": SUFFIX, "stream": True, "max_tokens": 16, "temperature": 0}
    return (
        Call(
            role="autocomplete",
            wire="openai-completions",
            path="/v1/completions",
            body=body,
            headers=bearer(connection),
            model=model.name,
            limit=20.0,
        ),
    )


def ollama_fim(connection: Connection) -> tuple[Call, ...]:
    """Fill-in-the-middle on Ollama's endpoint, with the context length and keep-alive that Continue always sends."""
    model = connection.autocomplete
    if model is None:
        return ()
    body = {
        "model": model.name,
        "prompt": PREFIX,
        "suffix": SUFFIX,
        "stream": True,
        "keep_alive": 1800,
        "options": {"num_ctx": model.context, "num_predict": 16, "temperature": 0},
    }
    return (
        Call(
            role="autocomplete",
            wire="ollama-generate",
            path="/api/generate",
            body=body,
            headers=bearer(connection),
            model=model.name,
            limit=20.0,
        ),
    )


def embeddings(connection: Connection) -> tuple[Call, ...]:
    """A batch of two texts, as indexers send it."""
    model = connection.embed
    if model is None:
        return ()
    return (
        Call(
            role="embed",
            wire="openai-embeddings",
            path="/v1/embeddings",
            body={"model": model.name, "input": [PREFIX, SUFFIX]},
            headers=bearer(connection),
            model=model.name,
        ),
    )


def anthropic(connection: Connection) -> tuple[Call, ...]:
    """A streamed message in Anthropic's shape, the key as a bearer token."""
    if connection.chat is None:
        return ()
    body = {
        "model": connection.chat.name,
        "max_tokens": 32,
        "stream": True,
        "system": "You are a coding assistant.",
        "messages": [{"role": "user", "content": ASK}],
    }
    headers = (*bearer(connection), ("anthropic-version", "2023-06-01"))
    return (
        Call(
            role="chat",
            wire="anthropic",
            path="/v1/messages",
            body=body,
            headers=headers,
            model=connection.chat.name,
        ),
    )
