"""Claude Code: environment variables in ~/.claude/settings.json; it speaks Anthropic's Messages API.

The address has no /v1, since the client appends /v1/messages itself; the key goes as a bearer token, and the API-key
variable must be absent, or both headers would be sent.
"""

from __future__ import annotations

from sealane.editors import calls, textfiles
from sealane.editors.types import Call, Connection, Editor, EditorConfig, output_tokens


def render(connection: Connection) -> EditorConfig:
    """The env block of ~/.claude/settings.json."""
    model = connection.chat or connection.any
    env = {
        "ANTHROPIC_BASE_URL": connection.root,
        "ANTHROPIC_AUTH_TOKEN": connection.key,
        "ANTHROPIC_MODEL": model.name,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model.name,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model.name,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model.name,
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(output_tokens(model.context)),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "API_TIMEOUT_MS": "600000",
    }
    notes = [
        "Put it into your own settings, never into a project's: the key would be shared with everyone who clones it.",
        "Unset ANTHROPIC_API_KEY, or Claude Code sends both.",
    ]
    if model.context < 65536:
        notes.append(
            f"Claude Code's own instructions need about 25,000 tokens; {model.name} is loaded with {model.context:,}. "
            "Raise its context on its page to 65,536 first."
        )
    if not model.can("tools"):
        notes.append(f"{model.name} cannot call functions, which Claude Code needs to read and edit files.")
    return EditorConfig(
        editor="claude-code",
        path="~/.claude/settings.json",
        format="json",
        content=textfiles.to_json({"env": env}),
        notes=tuple(notes),
    )


def send(connection: Connection) -> tuple[Call, ...]:
    """A streamed message."""
    return calls.anthropic(connection)


EDITOR = Editor(
    id="claude-code",
    title="Claude Code",
    summary="Agent in the terminal; Anthropic's Messages API",
    render=render,
    calls=send,
    writable=True,
)
