"""`sealane connect EDITOR --model M`: an editor's exact settings, printed or written."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("connect")
@click.argument("editor")
@click.option("--model", default=None, help="A hosted model's tag; needed when several are hosted.")
@click.option("--write", "write_file", is_flag=True, help="Merge into the editor's settings file; keeps the old one.")
@output.shared
@output.acting
async def command(
    *, editor: str, model: str | None, write_file: bool, as_json: bool, data_dir: Path | None, clusters: str | None
) -> None:
    """Print the settings that make EDITOR use a hosted model."""
    from sealane import editors
    from sealane.editors import write
    from sealane.runtime import editing

    editors.find(editor)
    connection = await editing.connection(data_dir=data_dir, clusters=clusters, model=model)
    config = editors.render(editor, connection)
    written = write.write(config, home=Path.home()) if write_file else None
    if as_json:
        return output.emit(editing.as_json(config, written))
    if written is None:
        output.say(f"# {config.path}", err=True)
        output.say(config.content.rstrip("\n"))
    else:
        output.say(f"{written.path} {'was written' if written.changed else 'already says so'}.")
        if written.backup:
            output.say(f"  what it said before: {written.backup}")
    for note in config.notes:
        output.say(f"  note: {note}", err=True)
    return None
