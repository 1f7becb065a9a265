"""No editor at all: curl for a shell, and the OpenAI Python client; the shortest proof that the address works."""

from __future__ import annotations

import json
import shlex

from sealane.editors import calls
from sealane.editors.types import Call, Connection, Editor, EditorConfig


def curl(connection: Connection) -> EditorConfig:
    """One command; for an embedding model it asks for an embedding."""
    path, body = _request(connection)
    command = " \\\n  ".join(
        (
            f"curl -sN {connection.openai}{path}",
            f"-H {shlex.quote(f'Authorization: Bearer {connection.key}')}",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body))}",
        )
    )
    return EditorConfig(editor="curl", path="a terminal", format="shell", content=command + "\n")


def _request(connection: Connection) -> tuple[str, dict[str, object]]:
    if connection.chat:
        message = [{"role": "user", "content": "Why is the sky blue? One sentence."}]
        return "/chat/completions", {"model": connection.chat.name, "messages": message, "stream": True}
    return "/embeddings", {"model": connection.any.name, "input": "Why is the sky blue?"}


def python(connection: Connection) -> EditorConfig:
    """A script of a few lines that streams an answer (or prints an embedding's length)."""
    head = f"from openai import OpenAI\n\nclient = OpenAI(base_url={connection.openai!r}, api_key={connection.key!r})\n"
    if connection.chat:
        body = (
            "stream = client.chat.completions.create(\n"
            f"    model={connection.chat.name!r},\n"
            '    messages=[{"role": "user", "content": "Why is the sky blue? One sentence."}],\n'
            "    stream=True,\n"
            ")\n"
            "for chunk in stream:\n"
            "    if chunk.choices:\n"
            '        print(chunk.choices[0].delta.content or "", end="", flush=True)\n'
            "print()\n"
        )
    else:
        body = (
            f"answer = client.embeddings.create(model={connection.any.name!r}, input='Why is the sky blue?')\n"
            "print(len(answer.data[0].embedding))\n"
        )
    return EditorConfig(
        editor="python",
        path="a Python file",
        format="python",
        content=head + body,
        notes=("Install the client once: pip install openai",),
    )


def send(connection: Connection) -> tuple[Call, ...]:
    """Every role that a hosted model can play."""
    return (*calls.chat(connection), *calls.completions(connection), *calls.embeddings(connection))


CURL = Editor(id="curl", title="curl", summary="One command in a terminal", render=curl, calls=send)
PYTHON = Editor(id="python", title="OpenAI Python client", summary="A script of a few lines", render=python, calls=send)
