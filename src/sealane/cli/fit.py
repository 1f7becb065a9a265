"""`sealane fit MODEL`: memory in bytes, how sure that is, and where it would start."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output

_MARKS = {"now": "now  ", "waits": "waits", "never": "never", "not-allowed": "no   "}


@click.command("fit")
@click.argument("model")
@click.option("--context", default=8192, show_default=True, type=click.IntRange(1, 10_000_000), help="Tokens.")
@click.option("--parallel", default=1, show_default=True, type=click.IntRange(1, 64), help="Requests at once.")
@click.option("--kv", default="f16", show_default=True, type=click.Choice(["f16", "q8_0", "q4_0"]))
@output.shared
@output.acting
async def command(
    *, model: str, context: int, parallel: int, kv: str, as_json: bool, data_dir: Path | None, clusters: str | None
) -> None:
    """How much memory MODEL needs, and where it would start now. Downloads no weights."""
    from sealane.runtime import fitting

    found = await fitting.fit(model, context=context, parallel=parallel, kv=kv, data_dir=data_dir, clusters=clusters)
    if as_json:
        return output.emit(found)
    output.say(found.sentence)
    for place in found.places:
        where = f"{place.cluster}/{place.queue}" if place.queue else place.cluster
        output.say(f"  {_MARKS[place.starts]} {where:<24} {place.reason}")
    for problem in found.problems:
        output.say(f"  {problem}", err=True)
    return None
