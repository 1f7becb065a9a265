"""`sealane health`: is a project alive, with the rule, the rows and what would flip the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sealane.cli import output


@click.group("health")
def command() -> None:
    """Is the open source that you rest on alive?"""


@command.command("report")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--as-of", default=None, metavar="T", help="A day or an instant in UTC: 2026-04-16, 2026-04-16T00:00:00Z."
)
@click.option(
    "--window", default=365, show_default=True, type=click.IntRange(1, 36500), help="Days, beside 30, 90, 365."
)
@output.shared
@output.acting
async def report(
    *,
    sources: tuple[str, ...],
    as_of: str | None,
    window: int,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """The health report of each SOURCE: owner/name, an address, git:PATH or archive:FOLDER."""
    from sealane.runtime import health

    found = await health.reports(sources, as_of=as_of, window=window)
    if as_json:
        return output.emit(found[0] if len(found) == 1 else found)
    for place, one in enumerate(found):
        if place:
            output.say()
        _show(one)
    return None


def _show(one: dict[str, Any]) -> None:
    output.say(f"{one['project']}: {one['state']} (rule {one['rule']}), as of {one['as_of'][:10]}")
    output.say(f"  {one['sentence']}")
    for row in one["rows"]:
        limit = f"  ({row['limit']})" if row["limit"] else ""
        output.say(f"  {row['label']}: {row['value']}{limit}")
    for flip in one["flips"]:
        output.say(f"  would flip it: {flip}")
    for source in one["sources"]:
        output.say(f"  source: {source['kind']} {source['location']} {source['version'][:12]}")
        for note in source["notes"]:
            output.say(f"    {note}")


@command.command("image")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@output.shared
@output.acting
async def image(*, images: tuple[str, ...], as_json: bool, data_dir: Path | None, clusters: str | None) -> None:
    """The source repository behind each container IMAGE, with how sure that is. Downloads nothing."""
    from sealane.runtime import health

    found = health.images(images)
    if as_json:
        return output.emit(found)
    for one in found:
        output.say(f"{one.image}: {one.repository or 'unknown'}  ({one.confidence}: {one.evidence})")
    return None
