"""`sealane scale NAME --copies N`."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("scale")
@click.argument("name")
@click.option("--copies", required=True, type=click.IntRange(0, 1000))
@click.option("--cluster", default="", help="Needed where several clusters have the name.")
@click.option("-n", "--namespace", default="")
@output.shared
@output.acting
async def command(
    *,
    name: str,
    copies: int,
    cluster: str,
    namespace: str,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """Change how many copies of NAME (a hosted model's name or tag) there are."""
    from sealane.models import actions, hosted
    from sealane.runtime import session

    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        await hosted.read(fleet, namespace=namespace)
        key = hosted.find(fleet, name, cluster=cluster, namespace=namespace)
        after = await actions.scale(fleet, key, copies)
    if as_json:
        return output.emit(after)
    output.say(f"{after.name} in {after.cluster} is asked for {after.copies}; {after.ready} ready now.")
    output.say(f"  {after.sentence}")
    return None
