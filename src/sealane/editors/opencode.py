"""opencode: a provider in opencode.json, through its OpenAI-compatible package, with the loaded context as limit."""

from __future__ import annotations

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, ServedModel, output_tokens


def render(connection: Connection) -> EditorConfig:
    """The whole ~/.config/opencode/opencode.json."""
    model = connection.chat or connection.any
    document = {
        "$schema": "https://opencode.ai/config.json",
        "model": f"sealane/{model.name}",
        "provider": {
            "sealane": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Sealane",
                "options": {"baseURL": connection.openai, "apiKey": connection.key},
                "models": {model.name: _model(model)},
            }
        },
    }
    notes = () if model.can("tools") else (f"{model.name} cannot call functions; opencode needs them to edit files.",)
    return EditorConfig(
        editor="opencode",
        path="~/.config/opencode/opencode.json",
        format="json",
        content=textfiles.to_json(document),
        notes=notes,
    )


def _model(model: ServedModel) -> dict[str, object]:
    return {
        "name": f"{model.name} (Sealane)",
        "tool_call": model.can("tools"),
        "attachment": model.can("vision"),
        "limit": {"context": model.context, "output": output_tokens(model.context)},
    }


def send(connection: Connection) -> tuple[Call, ...]:
    """opencode streams chat completions with usage."""
    return calls.chat(connection, stream_options={"include_usage": True})


EDITOR = Editor(
    id="opencode", title="opencode", summary="Agent in the terminal", render=render, calls=send, writable=True
)
