"""Editors: how each is set up for a hosted model, and the proof that it works.

One module an editor. `EDITORS` lists them in the order in which they are offered; `render` gives the exact file or
fields; `probe.run` performs the requests that the editor would send.
"""

from __future__ import annotations

from sealane.editors import aider, claude_code, cline, continue_dev, jetbrains, opencode, plain, vscode, zed
from sealane.editors.types import Connection, Editor, EditorConfig
from sealane.lib import text
from sealane.lib.errors import NextStep, SealaneError

EDITORS: dict[str, Editor] = {
    editor.id: editor
    for editor in (
        vscode.EDITOR,
        continue_dev.EDITOR,
        cline.EDITOR,
        zed.EDITOR,
        jetbrains.EDITOR,
        opencode.EDITOR,
        claude_code.EDITOR,
        aider.EDITOR,
        plain.CURL,
        plain.PYTHON,
    )
}


class UnknownEditor(SealaneError):
    """No editor of that name is known."""

    code = "unknown-editor"
    exit_code = 2
    http_status = 404


def find(name: str) -> Editor:
    """The editor of that id or title, in any case. Raises UnknownEditor with the nearest names."""
    wanted = name.strip().lower()
    for editor in EDITORS.values():
        if wanted in (editor.id, editor.title.lower()):
            return editor
    near = text.nearest(wanted, EDITORS) or list(EDITORS)
    raise UnknownEditor(
        f"No editor named {name}; nearest {'is' if len(near) == 1 else 'are'} {text.listing(near)}.",
        next_steps=(NextStep(title="List the editors", command="sealane editors"),),
    )


def render(editor: str, connection: Connection) -> EditorConfig:
    """What to put where for this editor. Raises UnknownEditor."""
    return find(editor).render(connection)
