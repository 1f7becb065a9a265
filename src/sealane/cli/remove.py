"""`sealane remove NAME`: takes a model down and lists what went and what stayed."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("remove")
@click.argument("name")
@click.option("--with-weights", is_flag=True, help="Also remove the volume with the downloaded weights.")
@click.option("--cluster", default="", help="Needed where several clusters have the name.")
@click.option("-n", "--namespace", default="")
@output.shared
@output.acting
async def command(
    *,
    name: str,
    with_weights: bool,
    cluster: str,
    namespace: str,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """Remove NAME (a hosted model's name or tag)."""
    from sealane.models import actions, hosted
    from sealane.runtime import session

    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        await hosted.read(fleet, namespace=namespace)
        key = hosted.find(fleet, name, cluster=cluster, namespace=namespace)
        removal = await actions.remove(fleet, key, with_weights=with_weights)
    if as_json:
        return output.emit({"cluster": key.cluster, "namespace": key.namespace, "name": key.name, **_plain(removal)})
    output.say(f"{key.name} was removed from {key.cluster}.")
    for item in removal.went:
        output.say(f"  went:   {item}")
    for item in removal.stayed:
        output.say(f"  stayed: {item}")
    return None


def _plain(removal: object) -> dict[str, object]:
    import msgspec

    value: dict[str, object] = msgspec.to_builtins(removal)
    return value
