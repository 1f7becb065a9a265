"""`sealane risks`: what runs in the clusters that is dying, worst first."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("risks")
@click.option("--cluster", default="", help="Only this cluster.")
@output.shared
@output.acting
async def command(*, cluster: str, as_json: bool, data_dir: Path | None, clusters: str | None) -> None:
    """The projects under what runs, with their verdicts: worst state first, then what rests on them."""
    from sealane.runtime import health

    found, problems = await health.risks(data_dir=data_dir, clusters=clusters, cluster=cluster)
    for problem in problems:
        output.say(problem, err=True)
    if as_json:
        return output.emit(found)
    for risk in found:
        gpus = f", {risk.gpus:g} GPUs" if risk.gpus else ""
        output.say(f"{risk.state:<12} {risk.project:<44} {len(risk.workloads)} workloads, {risk.copies} copies{gpus}")
        output.say(f"             {risk.sentence}")
    return None
