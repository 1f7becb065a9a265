"""The paths that carry work to a replica, and what each needs to know: its API, its twin on the engine, how it
streams.

Lists (`/v1/models`, `/api/tags`, `/api/ps`, `/api/version`) are answered by the gateway itself and stand in
`listing`.
"""

from __future__ import annotations

import msgspec

from sealane.gateway.errors import Api


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One path. `upstream` is the engine's path; `streams_unasked` says what an absent `stream` means there."""

    path: str
    api: Api
    upstream: str
    streams: bool = True
    streams_unasked: bool = False
    adds_usage: bool = False  # the engine tells usage of a stream only when `stream_options.include_usage` asks for it
    fim: bool = False


_ALL = (
    Endpoint(path="/v1/chat/completions", api=Api.OPENAI, upstream="/v1/chat/completions", adds_usage=True),
    Endpoint(path="/v1/completions", api=Api.OPENAI, upstream="/v1/completions", adds_usage=True),
    Endpoint(path="/v1/fim/completions", api=Api.OPENAI, upstream="/v1/completions", fim=True),
    Endpoint(path="/v1/embeddings", api=Api.OPENAI, upstream="/v1/embeddings", streams=False),
    Endpoint(path="/v1/responses", api=Api.RESPONSES, upstream="/v1/responses"),
    Endpoint(path="/v1/messages", api=Api.ANTHROPIC, upstream="/v1/messages"),
    Endpoint(path="/api/chat", api=Api.OLLAMA, upstream="/api/chat", streams_unasked=True),
    Endpoint(path="/api/generate", api=Api.OLLAMA, upstream="/api/generate", streams_unasked=True),
    Endpoint(path="/api/embed", api=Api.OLLAMA, upstream="/api/embed", streams=False),
    Endpoint(path="/api/embeddings", api=Api.OLLAMA, upstream="/api/embeddings", streams=False),
    Endpoint(path="/api/show", api=Api.OLLAMA, upstream="/api/show", streams=False),
)

ENDPOINTS: dict[str, Endpoint] = {endpoint.path: endpoint for endpoint in _ALL}


def api_of(path: str) -> Api:
    """Whose error shape a path deserves, also one that does not exist."""
    known = ENDPOINTS.get(path)
    if known is not None:
        return known.api
    return Api.OLLAMA if path.startswith("/api/") else Api.OPENAI
