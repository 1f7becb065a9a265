"""aider: .aider.conf.yml, with the openai/ prefix that makes it use its OpenAI-compatible client.

aider warns about a context it does not know; the model's limits go into .aider.model.metadata.json, shown in the notes.
"""

from __future__ import annotations

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, output_tokens


def render(connection: Connection) -> EditorConfig:
    """The whole ~/.aider.conf.yml."""
    model = connection.chat or connection.any
    name = f"openai/{model.name}"
    document = {
        "model": name,
        "weak-model": name,
        "openai-api-base": connection.openai,
        "openai-api-key": connection.key,
        "show-model-warnings": False,
    }
    limits = {
        name: {
            "max_input_tokens": model.context,
            "max_output_tokens": output_tokens(model.context),
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
            "litellm_provider": "openai",
            "mode": "chat",
        }
    }
    return EditorConfig(
        editor="aider",
        path="~/.aider.conf.yml",
        format="yaml",
        content=textfiles.to_yaml(document),
        notes=(
            f"So that aider knows the context, put this into ~/.aider.model.metadata.json: {textfiles.to_json(limits)}",
        ),
    )


def send(connection: Connection) -> tuple[Call, ...]:
    """aider streams chat completions at temperature 0."""
    return calls.chat(connection, temperature=0)


EDITOR = Editor(
    id="aider", title="aider", summary="Pair programming in the terminal", render=render, calls=send, writable=True
)
