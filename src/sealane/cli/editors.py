"""`sealane editors`: which editors can be connected."""

from __future__ import annotations

import click

from sealane.cli import output


@click.command("editors")
@output.shared
@output.acting
async def command(*, as_json: bool, **_: object) -> None:
    """List the editors that `sealane connect` knows."""
    from sealane.editors import EDITORS

    rows = [
        {
            "editor": item.id,
            "title": item.title,
            "summary": item.summary,
            "writable": item.writable,
            "notes": item.notes,
        }
        for item in EDITORS.values()
    ]
    if as_json:
        return output.emit(rows)
    for row in rows:
        output.say(f"{row['editor']:<12} {row['title']:<24} {row['summary']}")
    return None
