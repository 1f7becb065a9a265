"""A connection for an editor: the running gateway, the local key, and which hosted model plays which role."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sealane.editors import roles, served
from sealane.editors.types import Connection, EditorConfig, ServedModel
from sealane.editors.write import Written
from sealane.lib import text
from sealane.lib.errors import NextStep, UsageError
from sealane.models import hosted
from sealane.runtime import datadir, hosting, running, session


async def connection(
    *, data_dir: Path | None, clusters: str | None, model: str | None, may_be_missing: bool = False
) -> Connection:
    """Gateway, key and roles for a hosted model (the only one, when `model` is None).

    `may_be_missing` gives a connection for a model that nobody serves too: `sealane test` then says so as a check.
    Raises NotRunning, NotHosted, UsageError.
    """
    where = data_dir or datadir.default_path()
    book = session.find_running(data_dir)
    if book is None:
        raise session.not_running("The gateway is not running", data_dir)
    del clusters  # the gateway serves what `up` was started with
    ready = await _served(where)
    key = running.read_credential(where)
    name = model or _only(ready)
    try:
        return roles.connection(root=book.gateway, key=key, model=name, served=ready)
    except hosted.NotHosted:
        if not may_be_missing:
            raise
        root = book.gateway.removesuffix("/v1")
        asked = ServedModel(name=name)
        return Connection(root=root, key=key, chat=asked, wanted=asked)


async def _served(data_dir: Path) -> list[ServedModel]:
    async with session.fleet(data_dir=data_dir, clusters=None) as opened:
        rows = await hosted.read(opened)
    return await served.served_models((row for row in rows if row.ready), resolve=hosting.card_of)


def _only(ready: Sequence[ServedModel]) -> str:
    if len(ready) == 1:
        return ready[0].name
    if not ready:
        raise roles.not_hosted("any name", [])
    names = [item.name for item in ready]
    raise UsageError(
        f"{text.count(len(names), 'model')} are hosted; say which with --model: {text.listing(names, word='or')}.",
        next_steps=(NextStep(title="For example", command=f"--model {names[0]}"),),
    )


def as_json(config: EditorConfig, written: Written | None) -> dict[str, Any]:
    """The JSON of `sealane connect`: the configuration, and what was written when it was."""
    value: dict[str, Any] = msgspec.to_builtins(config)
    if written is not None:
        value["written"] = msgspec.to_builtins(written)
    return value
