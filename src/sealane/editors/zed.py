"""Zed: an OpenAI-compatible provider in settings.json, and edit predictions over the completions endpoint.

Zed reads the key of a provider named Sealane from SEALANE_API_KEY or from its settings dialog, never from the file.
"""

from __future__ import annotations

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, ServedModel, output_tokens


def render(connection: Connection) -> EditorConfig:
    """What to merge into ~/.config/zed/settings.json."""
    settings: dict[str, object] = {}
    if connection.chat:
        settings["language_models"] = {
            "openai_compatible": {
                "Sealane": {"api_url": connection.openai, "available_models": [_model(connection.chat)]}
            }
        }
        settings["agent"] = {"default_model": {"provider": "Sealane", "model": connection.chat.name}}
    if connection.autocomplete:
        settings["edit_predictions"] = {
            "provider": "open_ai_compatible_api",
            "open_ai_compatible_api": {
                "api_url": f"{connection.openai}/completions",
                "model": connection.autocomplete.name,
                "prompt_format": "infer",
                "max_output_tokens": 64,
            },
        }
    return EditorConfig(
        editor="zed",
        path="~/.config/zed/settings.json",
        format="json",
        content=textfiles.to_json(settings),
        notes=(
            f"Give Zed the key once: start it with SEALANE_API_KEY={connection.key}, "
            "or paste it in Agent Settings > LLM Providers.",
            "Merge these keys into your settings; Zed reloads the file when it is saved.",
        ),
    )


def _model(model: ServedModel) -> dict[str, object]:
    return {
        "name": model.name,
        "display_name": f"{model.name} (Sealane)",
        "max_tokens": model.context,
        "max_output_tokens": output_tokens(model.context),
        "capabilities": {
            "tools": model.can("tools"),
            "images": model.can("vision"),
            "parallel_tool_calls": False,
            "prompt_cache_key": False,
        },
    }


def send(connection: Connection) -> tuple[Call, ...]:
    """Zed streams chat completions; edit predictions are plain completions."""
    return (*calls.chat(connection, stream_options={"include_usage": True}), *calls.completions(connection))


EDITOR = Editor(
    id="zed", title="Zed", summary="Agent, inline assistant and edit predictions", render=render, calls=send
)
