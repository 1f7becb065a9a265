"""Editors: which there are, each one's exact file for a hosted model, saving it, and the proof that it works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sealane import editors
from sealane.console.services import Catalogue, EditorFile, EditorInfo, Models
from sealane.editors import probe, roles, served, write
from sealane.editors.types import Check, Connection
from sealane.lib.clock import SYSTEM, Clock
from sealane.models.types import Hosted


class RealEditors:
    """Over the gateway at `root`. Roles that the model itself lacks are filled by other hosted models."""

    def __init__(self, models: Models, catalogue: Catalogue, *, root: str, home: Path, clock: Clock = SYSTEM) -> None:
        self._models = models
        self._catalogue = catalogue
        self._root = root
        self._home = home
        self._clock = clock

    def all(self) -> Sequence[EditorInfo]:
        """Every editor in the order in which it is offered."""
        return [EditorInfo(id=item.id, title=item.title, notes=item.notes) for item in editors.EDITORS.values()]

    async def file(self, editor: str, hosted: Hosted, *, key: str) -> EditorFile:
        """The file for one editor; raises UnknownEditor with the nearest names."""
        config = editors.render(editor, await self._connection(hosted, key=key))
        return EditorFile(
            editor=config.editor,
            path=config.path,
            format=config.format,
            content=config.content,
            notes=config.notes,
            savable=editors.find(editor).writable,
        )

    async def save(self, editor: str, hosted: Hosted, *, key: str) -> str:
        """Merge into the editor's own file; raises SettingsUnwritable, and then nothing was changed."""
        config = editors.render(editor, await self._connection(hosted, key=key))
        written = await asyncio.to_thread(write.write, config, home=self._home)
        if not written.changed:
            return f"{written.path} says so already"
        kept = f"; what it said before is in {written.backup}" if written.backup else ""
        return f"Wrote {written.path}{kept}"

    async def test(self, editor: str, hosted: Hosted, *, key: str) -> Sequence[Check]:
        """The requests that this editor would send."""
        return await probe.run(editor, await self._connection(hosted, key=key), clock=self._clock)

    async def _connection(self, hosted: Hosted, *, key: str) -> Connection:
        rows = (hosted, *(other for other in self._models.hosted() if other.ready))
        known = await served.served_models(rows, resolve=self._catalogue.resolve)
        return roles.connection(root=self._root, key=key, model=hosted.model, served=known)
