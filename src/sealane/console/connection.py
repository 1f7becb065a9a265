"""Connecting an editor: which editors there are, the chosen one's exact file, and the key that it uses, masked.

A page never carries the key: the file on the screen shows how it begins and ends, and the Copy button fetches the whole
from an address that needs the session.
"""

from __future__ import annotations

import msgspec

from sealane.console.services import EditorFile, EditorInfo, Services
from sealane.models.types import Hosted


class Connecting(msgspec.Struct, frozen=True, kw_only=True):
    """The Connect part of a model's page. `file` is None when no editor can be set up yet."""

    url: str
    key: str
    editors: tuple[EditorInfo, ...]
    editor: EditorInfo | None
    file: EditorFile | None


async def connecting(services: Services, hosted: Hosted, *, wanted: str) -> Connecting:
    """What to show for the editor `wanted`, or for the first one."""
    editors = tuple(services.editors.all())
    editor = next((item for item in editors if item.id == wanted), editors[0] if editors else None)
    key = services.settings.key
    file = await services.editors.file(editor.id, hosted, key=key or "$SEALANE_KEY") if editor else None
    if file and key:
        file = msgspec.structs.replace(file, content=file.content.replace(key, masked(key)))
    return Connecting(url=services.settings.openai_url, key=masked(key), editors=editors, editor=editor, file=file)


def masked(key: str) -> str:
    """`sk-sealane-••••4f2a`: enough to recognise a key, not enough to use it."""
    if not key:
        return ""
    head = "sk-sealane-" if key.startswith("sk-sealane-") else key[:3]
    return f"{head}••••{key[-4:]}"
