"""`sealane forward NAME|pod/x [PORT[:LOCAL]]`: a pod's port on this computer."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("forward")
@click.argument("name", metavar="NAME|pod/NAME")
@click.argument("ports", metavar="[PORT[:LOCAL]]", default="")
@click.option("--cluster", default="", help="Needed where several clusters have the name.")
@click.option("-n", "--namespace", default="")
@output.shared
@output.acting
async def command(
    *,
    name: str,
    ports: str,
    cluster: str,
    namespace: str,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> int:
    """Open a port on this computer that leads to NAME (a hosted model: whichever copy serves) or pod/NAME.

    PORT is the pod's (default: the engine's, or the first that the pod declares), LOCAL this computer's (default: the
    same if it is free). It stays open until Ctrl-C, or until there is nothing left to lead to.
    """
    from sealane.runtime import session, streaming

    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        place = await streaming.locate(fleet, name, cluster=cluster, namespace=namespace)
        port, local = streaming.ports(ports, place)
        async with streaming.forwarding(place, port=port, local=local) as listener:
            if as_json:
                output.emit(streaming.opened(place, listener, port=port))
            else:
                output.say(f"{listener.url}  →  {place.words} port {port} in {place.cluster.name}. Ctrl-C ends it.")
            await streaming.keep(fleet, place, listener, on_trouble=output.tell)
    return 0
