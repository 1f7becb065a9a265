"""`sealane models`: what is hosted, where, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealane.cli import output

if TYPE_CHECKING:
    from sealane.models.types import Hosted


@click.command("models")
@click.option("-n", "--namespace", default="", help="One that no list tells you, where you have a role; remembered.")
@output.shared
@output.acting
async def command(*, namespace: str, as_json: bool, data_dir: Path | None, clusters: str | None) -> None:
    """List what is hosted in every cluster."""
    from sealane.models import hosted
    from sealane.runtime import session

    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        rows = await hosted.read(fleet, namespace=namespace)
        silent = [*session.silent(fleet), *session.unseen(fleet)]
    if as_json:
        return _as_json(rows, silent)
    for row in rows:
        where = f"{row.cluster}/{row.namespace}/{row.name}"
        stage = row.stage if row.copies else "Asleep"
        output.say(f"{row.model:<26} {where:<44} {stage:<10} {row.ready} of {row.copies}  {row.sentence}")
    if not rows:
        output.say("Nothing is hosted where you may look." if silent else "Nothing is hosted yet.")
        output.say("  → Host a model:  sealane host qwen2.5-coder:7b")
    for sentence in silent:
        output.say(f"  {sentence}", err=True)
    return None


def _as_json(rows: Sequence[Hosted], silent: Sequence[str]) -> None:
    """The list alone on stdout; why it may be short goes to stderr, where no program takes it for a row."""
    output.emit(rows)
    for sentence in silent:
        output.say(sentence, err=True)
