"""`sealane health`: is a project alive, with the rule, the rows and what would flip the verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable
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

    found = await health.reports(sources, as_of=as_of, window=window, data_dir=data_dir)
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


@command.command("fetch")
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--token-env", default="", metavar="NAME", help="The variable that holds the token.")
@click.option(
    "--api", default="https://api.github.com", show_default=True, metavar="URL", help="GitHub Enterprise: …/api/v3."
)
@click.option("--git-only", is_flag=True, help="Only the history, by git: needs no API, no token and no budget.")
@click.option("--git-url", default="", metavar="URL", help="Fetch the history from here: https, ssh or file.")
@click.option(
    "--wait", default=0.0, metavar="SECONDS", type=click.FloatRange(0, 86400), help="Wait out limits for so long."
)
@output.shared
@output.acting
async def fetch(  # noqa: PLR0913 - one name for each option
    *,
    repository: str,
    token_env: str,
    api: str,
    git_only: bool,
    git_url: str,
    wait: float,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """Fetch a project's issues, pull requests, answers and history; what changed, when it was fetched before.

    Without a token (GITHUB_TOKEN) GitHub allows sixty calls an hour; a fetch that stops goes on with the same command.
    """
    from sealane.runtime import fetching

    wish = fetching.Wish(
        repository=repository, token_env=token_env, api=api, git_only=git_only, git_url=git_url, wait=wait
    )
    found = await fetching.fetch(wish, data_dir=data_dir, show=_shown(as_json=as_json))
    if as_json:
        return output.emit(found)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    for problem in found.problems:
        output.say(problem, err=True)
    output.say(f"{found.repository}: {found.state}, as of {found.as_of[:10]}")
    output.say(f"  {found.sentence}")
    left = "".join(f", {count:,} left this hour ({name})" for name, count in found.left.items())
    output.say(f"  {found.calls} calls, {found.points} points{left}")
    output.say(f"  → sealane health report {found.repository}")
    return None


def _shown(*, as_json: bool) -> Callable[[Any], None]:
    """Progress: lines of JSON, one line that changes at a terminal, a line a stage elsewhere."""
    last = ""

    def show(stage: Any) -> None:
        nonlocal last
        if as_json:
            return output.emit(stage)
        if sys.stderr.isatty():
            return click.echo("\r\x1b[K" + output.clean(f"{stage.stage}: {stage.sentence}")[:118], nl=False, err=True)
        if stage.stage != last:
            output.say(f"{stage.seconds:6.1f} s  {stage.stage}: {stage.sentence}", err=True)
            last = stage.stage
        return None

    return show


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
