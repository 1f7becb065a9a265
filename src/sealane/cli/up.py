"""`sealane up`: the console and the gateway over the chosen clusters, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("up")
@click.option(
    "--clusters",
    envvar="SEALANE_CLUSTERS",
    default=None,
    help="sandbox, kubeconfig, or context names parted by commas.",
)
@click.option("--host", envvar="SEALANE_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    envvar="SEALANE_PORT",
    default=8700,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Console; 0 picks one.",
)
@click.option(
    "--gateway-port",
    envvar="SEALANE_GATEWAY_PORT",
    default=8701,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 picks one.",
)
@click.option("--data-dir", envvar="SEALANE_DATA_DIR", type=click.Path(path_type=Path, file_okay=False), default=None)
@click.option("--no-browser", envvar="SEALANE_NO_BROWSER", is_flag=True, help="Do not open the console in a browser.")
@click.option(
    "--speed",
    envvar="SEALANE_SPEED",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Sandbox time.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout when ready.")
@output.serving
async def command(
    *,
    clusters: str | None,
    host: str,
    port: int,
    gateway_port: int,
    data_dir: Path | None,
    no_browser: bool,
    speed: float,
    as_json: bool,
) -> int:
    """Start the console and the gateway; Ctrl-C stops everything and leaves nothing running.

    Without --clusters, the last choice is taken; at first the sandbox of three simulated clusters.
    """
    from sealane.runtime import up

    options = up.Options(
        clusters=clusters,
        host=host,
        port=port,
        gateway_port=gateway_port,
        data_dir=data_dir,
        open_browser=not (no_browser or as_json),
        speed=speed,
    )

    def ready(block: up.Ready) -> None:
        output.emit(block) if as_json else up.print_block(block)

    await up.run(options, on_ready=ready)
    return 0
