"""Continue (VS Code and JetBrains): one config.yaml with a model for each role.

Its format is frozen: the project is read-only since 2.0.0 (June 2026), which the notes say. Chat goes through the
OpenAI endpoint. Autocomplete goes through Ollama's own endpoint, because Continue's `openai` provider cannot send a
suffix and Ollama's /v1/completions would wrap the prompt into a chat template; the gateway keeps num_ctx as loaded.
"""

from __future__ import annotations

from typing import Any

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, ServedModel, output_tokens

END_OF_LIFE = (
    "Continue is at its end of life: its repository is read-only since 2.0.0 (June 2026). "
    "The extension still works; for something that is looked after, choose another editor here."
)


def render(connection: Connection) -> EditorConfig:
    """The whole ~/.continue/config.yaml."""
    models = [_chat(connection, connection.chat)] if connection.chat else []
    if connection.autocomplete:
        models.append(_autocomplete(connection, connection.autocomplete))
    if connection.embed:
        models.append(_embed(connection, connection.embed))
    document = {"name": "Sealane", "version": "1.0.0", "schema": "v1", "models": models}
    return EditorConfig(
        editor="continue",
        path="~/.continue/config.yaml",
        format="yaml",
        content=textfiles.to_yaml(document),
        notes=(END_OF_LIFE, *_missing(connection)),
    )


def _chat(connection: Connection, model: ServedModel) -> dict[str, Any]:
    capabilities = [name for name, needs in (("tool_use", "tools"), ("image_input", "vision")) if model.can(needs)]
    return {
        "name": f"{model.name} (Sealane)",
        "provider": "openai",
        "model": model.name,
        "apiBase": connection.openai,
        "apiKey": connection.key,
        "roles": ["chat", "edit", "apply", "summarize"],
        **({"capabilities": capabilities} if capabilities else {}),
        "defaultCompletionOptions": {"contextLength": model.context, "maxTokens": output_tokens(model.context)},
    }


def _autocomplete(connection: Connection, model: ServedModel) -> dict[str, Any]:
    return {
        "name": f"{model.name} autocomplete (Sealane)",
        "provider": "ollama",
        "model": model.name,
        "apiBase": connection.root,
        "roles": ["autocomplete"],
        "defaultCompletionOptions": {"contextLength": model.context},
        "requestOptions": {"headers": {"Authorization": f"Bearer {connection.key}"}},
        "autocompleteOptions": {"modelTimeout": 2000},
    }


def _embed(connection: Connection, model: ServedModel) -> dict[str, Any]:
    return {
        "name": f"{model.name} (Sealane)",
        "provider": "openai",
        "model": model.name,
        "apiBase": connection.openai,
        "apiKey": connection.key,
        "roles": ["embed"],
        "embedOptions": {"maxChunkSize": min(512, model.context), "maxBatchSize": 16},
    }


def _missing(connection: Connection) -> tuple[str, ...]:
    notes = []
    if connection.autocomplete is None:
        notes.append("No hosted model can fill in the middle, so autocomplete is left out; qwen2.5-coder:1.5b can.")
    if connection.embed is None:
        notes.append("No hosted model makes embeddings, so codebase search is left out; nomic-embed-text can.")
    return tuple(notes)


def send(connection: Connection) -> tuple[Call, ...]:
    """What Continue sends for chat, autocomplete and indexing."""
    return (*calls.chat(connection), *calls.ollama_fim(connection), *calls.embeddings(connection))


EDITOR = Editor(
    id="continue",
    title="Continue",
    summary="VS Code and JetBrains extension: chat, edit, apply, autocomplete, embeddings",
    render=render,
    calls=send,
    notes=(END_OF_LIFE,),
    writable=True,
)
