"""What an editor needs to know of us, and what it gives back: plain values, no I/O.

An editor module turns a `Connection` into an `EditorConfig` (the exact file, or the exact fields to fill in) and into
the list of `Call`s that this editor would really send, which the Test button then performs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from sealane.lib.errors import NextStep

Role = Literal["chat", "autocomplete", "embed"]
Wire = Literal[
    "openai-chat", "openai-completions", "openai-embeddings", "openai-models", "ollama-generate", "anthropic"
]


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model behind the gateway. `context` is the number of tokens that is loaded (not the model's maximum)."""

    name: str
    capabilities: tuple[str, ...] = ("chat",)
    context: int = 8192

    def can(self, capability: str) -> bool:
        return capability in self.capabilities


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's address (without /v1), a key, and which model plays which role; None: no hosted model can.

    `wanted` is the model that was asked for, None when it is simply the first that plays a role.
    """

    root: str
    key: str
    chat: ServedModel | None
    autocomplete: ServedModel | None = None
    embed: ServedModel | None = None
    wanted: ServedModel | None = None

    @property
    def openai(self) -> str:
        """The OpenAI-compatible base address, without a trailing slash."""
        return f"{self.root}/v1"

    @property
    def any(self) -> ServedModel:
        """The model that was asked for, whatever its role."""
        for model in (self.wanted, self.chat, self.autocomplete, self.embed):
            if model is not None:
                return model
        raise ValueError("a connection names at least one model")


class EditorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What to put where. `path` begins with ~ or is a menu path; `format` is yaml, json, shell, python or steps."""

    editor: str
    path: str
    format: str
    content: str
    notes: tuple[str, ...] = ()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as this editor sends it. `body` is JSON; None makes it a GET."""

    role: Role
    wire: Wire
    path: str
    body: dict[str, Any] | None
    headers: tuple[tuple[str, str], ...] = ()
    model: str = ""
    limit: float = 60.0  # seconds until the whole answer must be there


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried: its milliseconds (None where nothing was timed), what came of it, how to mend it."""

    name: str
    ok: bool
    ms: float | None
    sentence: str
    fix: tuple[NextStep, ...] = ()


class Editor(msgspec.Struct, frozen=True, kw_only=True):
    """One editor: how it is set up and what it sends. `writable` files may be written by `connect --write`."""

    id: str
    title: str
    summary: str
    render: Callable[[Connection], EditorConfig]
    calls: Callable[[Connection], tuple[Call, ...]]
    notes: tuple[str, ...] = ()
    writable: bool = False


def output_tokens(context: int) -> int:
    """How much of a loaded context an answer may take: a quarter, at most 4,096 tokens, at least 256."""
    return max(256, min(4096, context // 4))
