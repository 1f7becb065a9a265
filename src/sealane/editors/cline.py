"""Cline (VS Code): fields in its settings panel; its store is the extension's own, so nothing is written to a file."""

from __future__ import annotations

from sealane.editors import calls
from sealane.editors.types import Call, Connection, Editor, EditorConfig, output_tokens


def render(connection: Connection) -> EditorConfig:
    """The fields of Cline's settings panel, one a line."""
    model = connection.chat or connection.any
    lines = (
        "API Provider: OpenAI Compatible",
        f"Base URL: {connection.openai}",
        f"OpenAI Compatible API Key: {connection.key}",
        f"Model ID: {model.name}",
        "Model Configuration:",
        f"  Context Window Size: {model.context}",
        f"  Max Output Tokens: {output_tokens(model.context)}",
        f"  Supports Images: {'on' if model.can('vision') else 'off'}",
    )
    return EditorConfig(
        editor="cline",
        path="VS Code > Cline > settings (gear icon) > API Configuration",
        format="steps",
        content="\n".join(lines) + "\n",
        notes=_notes(connection),
    )


def _notes(connection: Connection) -> tuple[str, ...]:
    model = connection.chat or connection.any
    notes = ["Cline's own instructions take several thousand tokens; it works poorly below a context of 32,768."]
    if model.context < 32768:
        notes.append(f"{model.name} is loaded with {model.context:,} tokens; raise its context on its page first.")
    if not model.can("tools"):
        notes.append(
            f"{model.name} is not trained to call functions; Cline then falls back to instructions in the text."
        )
    return tuple(notes)


def send(connection: Connection) -> tuple[Call, ...]:
    """Cline streams chat completions, with usage asked for."""
    return calls.chat(connection, temperature=0, stream_options={"include_usage": True})


EDITOR = Editor(
    id="cline",
    title="Cline",
    summary="VS Code extension: an agent that edits and runs",
    render=render,
    calls=send,
)
