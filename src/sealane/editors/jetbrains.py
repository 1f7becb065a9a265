"""JetBrains AI Assistant: fields of its settings page; the IDE keeps the key in its own store."""

from __future__ import annotations

from sealane.editors import calls
from sealane.editors.types import Call, Connection, Editor, EditorConfig


def render(connection: Connection) -> EditorConfig:
    """The fields of Providers & API keys, one a line."""
    model = connection.chat or connection.any
    lines = [
        "Third-party AI providers > Provider: OpenAI-compatible",
        f"URL: {connection.openai}",
        f"API key: {connection.key}",
        f"Tool calling: {'on' if model.can('tools') else 'off'}",
        "Press Test Connection, then Apply.",
        "Model Assignment:",
        f"  Core features: {model.name}",
        f"  Instant helpers: {model.name}",
        f"  Context window: {model.context}",
    ]
    if connection.autocomplete:
        lines.append(f"  Completion model: {connection.autocomplete.name}")
    return EditorConfig(
        editor="jetbrains",
        path="Settings > Tools > AI Assistant > Providers & API keys",
        format="steps",
        content="\n".join(lines) + "\n",
        notes=(
            "Choose OpenAI-compatible, not OpenAI: only the former has a field for the URL.",
            "Set the context window to what is loaded: a larger one is cut silently by the engine.",
        ),
    )


def send(connection: Connection) -> tuple[Call, ...]:
    """The IDE lists the models, then streams chat completions; completion goes to /completions."""
    return (*calls.chat(connection), *calls.completions(connection))


EDITOR = Editor(
    id="jetbrains",
    title="JetBrains AI Assistant",
    summary="IntelliJ IDEA, PyCharm, WebStorm, GoLand and the others",
    render=render,
    calls=send,
)
