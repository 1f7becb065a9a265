"""`sealane logs NAME|pod/x`: what a model or pod wrote, and what it writes."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("logs")
@click.argument("name", metavar="NAME|pod/NAME")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("--previous", is_flag=True, help="Of the run before the last restart.")
@click.option("--since", default="", help="Only what is younger, such as 90s, 10m, 2h.")
@click.option("--tail", type=click.IntRange(0), default=None, help="Lines of each copy. Default: all.")
@click.option("-c", "--container", default="", help="Of a pod; default: the one that the pod names, or its first.")
@click.option("--cluster", default="", help="Needed where several clusters have the name.")
@click.option("-n", "--namespace", default="")
@output.shared
@output.acting
async def command(  # noqa: PLR0913 - one a flag
    *,
    name: str,
    follow: bool,
    previous: bool,
    since: str,
    tail: int | None,
    container: str,
    cluster: str,
    namespace: str,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """Show the log of NAME (a hosted model: all its copies merged, or pod/NAME).

    Colours and control characters are taken out. With --json one line is one JSON object.
    """
    from contextlib import aclosing

    from sealane.runtime import session, streaming

    wish = streaming.wish(follow=follow, previous=previous, since=since, tail=tail)
    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        place = await streaming.locate(fleet, name, cluster=cluster, namespace=namespace)
        lines = streaming.lines(fleet, place, wish, container=container, told=output.tell_trouble)
        async with aclosing(lines) as found:
            async for line in found:
                output.show_line(line, labelled=place.key is not None, as_json=as_json)
