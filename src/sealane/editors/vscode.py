"""VS Code's own model picker (1.122 and later): the built-in provider "Custom Endpoint" in chatLanguageModels.json.

VS Code keeps the key in its own secret store when it is typed into the dialog; the file may hold it in plain text too.
"""

from __future__ import annotations

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, ServedModel, output_tokens


def render(connection: Connection) -> EditorConfig:
    """The whole chatLanguageModels.json entry, as "Chat: Open Language Models (JSON)" shows it."""
    models = [connection.chat] if connection.chat else [connection.any]
    provider = {
        "name": "Sealane",
        "vendor": "customendpoint",
        "apiKey": connection.key,
        "apiType": "chat-completions",
        "models": [_model(connection, model) for model in models],
    }
    return EditorConfig(
        editor="vscode",
        path="VS Code > Command Palette > Chat: Open Language Models (JSON)",
        format="json",
        content=textfiles.to_json([provider]),
        notes=(
            "Needs VS Code 1.122 or later with GitHub Copilot Chat; organisations can switch custom endpoints off.",
            "Inline suggestions stay with Copilot: VS Code lets its own picker choose models for chat and agents only.",
            *_tools(models[0]),
        ),
    )


def _model(connection: Connection, model: ServedModel) -> dict[str, object]:
    output = output_tokens(model.context)
    return {
        "id": model.name,
        "name": f"{model.name} (Sealane)",
        "url": f"{connection.openai}/chat/completions",
        "toolCalling": model.can("tools"),
        "vision": model.can("vision"),
        "maxInputTokens": model.context - output,
        "maxOutputTokens": output,
    }


def _tools(model: ServedModel) -> tuple[str, ...]:
    if model.can("tools"):
        return ()
    return (f"{model.name} cannot call functions, so VS Code offers it for asking, not for agents.",)


def send(connection: Connection) -> tuple[Call, ...]:
    """The picker streams chat completions with usage."""
    return calls.chat(connection, stream_options={"include_usage": True})


EDITOR = Editor(
    id="vscode",
    title="VS Code",
    summary="The model picker of VS Code itself: chat and agents",
    render=render,
    calls=send,
)
