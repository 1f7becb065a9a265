"""`sealane exec NAME|pod/x -- COMMAND…`: a command in a container, with its exit code."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="NAME|pod/NAME")
@click.argument("words", metavar="-- COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-i", "--stdin", is_flag=True, help="Send what is typed or piped.")
@click.option("-t", "--tty", is_flag=True, help="A terminal: for shells and full-screen programs.")
@click.option("-c", "--container", default="", help="Default: the engine, or the one that the pod names, or its first.")
@click.option("--cluster", default="", help="Needed where several clusters have the name.")
@click.option("-n", "--namespace", default="")
@output.shared
@output.acting
async def command(  # noqa: PLR0913 - one a flag
    *,
    name: str,
    words: tuple[str, ...],
    stdin: bool,
    tty: bool,
    container: str,
    cluster: str,
    namespace: str,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> int:
    """Run COMMAND in a copy of NAME (a hosted model) that serves, or in pod/NAME. Exits as the command does.

    For a shell: sealane exec -it NAME -- sh
    """
    from sealane.runtime import session, streaming, terminals

    del as_json  # errors alone have a JSON form here: what the command writes is its own
    if tty and not terminals.is_terminal():
        output.say("There is no terminal here, so the command gets none.", err=True)
        tty = False
    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        place = await streaming.locate(fleet, name, cluster=cluster, namespace=namespace)
        async with streaming.run(place, words, container=container, stdin=stdin, tty=tty) as terminal:
            return await terminals.join(terminal, stdin=stdin, tty=tty, notice=lambda text: output.say(text, err=True))
