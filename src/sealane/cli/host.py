"""`sealane host MODEL`: plan, apply, and watch it come up."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("host")
@click.argument("model")
@click.option("--cluster", default="", help="Where; the one where it starts soonest if not said.")
@click.option("-n", "--namespace", default="", help="Default: the context's namespace.")
@click.option("--name", default="", help="Default: made from the model's name.")
@click.option("--engine", type=click.Choice(["ollama"]), default="ollama", show_default=True)
@click.option("--gpu", default="", help="0, 1, a part such as 0.5, or memory such as 8GiB. Default: recommended.")
@click.option("--queue", default="", help="KAI queue.")
@click.option("--copies", default=1, show_default=True, type=click.IntRange(1, 1000))
@click.option("--context", default=8192, show_default=True, type=click.IntRange(1, 10_000_000), help="Tokens.")
@click.option("--parallel", default=1, show_default=True, type=click.IntRange(1, 64), help="Requests at once a copy.")
@click.option("--insecure-registry", is_flag=True, help="The model's registry speaks plain HTTP.")
@click.option("--timeout", default=300.0, show_default=True, type=click.FloatRange(1), help="Seconds to watch.")
@click.option("--dry-run", is_flag=True, help="Print the manifests after a server-side dry run; create nothing.")
@output.shared
@output.acting
async def command(  # noqa: PLR0913 - one a flag
    *,
    model: str,
    cluster: str,
    namespace: str,
    name: str,
    engine: str,
    gpu: str,
    queue: str,
    copies: int,
    context: int,
    parallel: int,
    insecure_registry: bool,
    timeout: float,
    dry_run: bool,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> int:
    """Host MODEL (an exact tag such as qwen2.5-coder:7b) and watch it come up.

    Exit codes: 0 it answers, 3 it still waits when the time is over, 1 it failed.
    """
    from sealane.cli import progress
    from sealane.runtime import hosting, session

    del engine  # there is one engine; the flag is part of the contract
    wish = hosting.Wish(
        model=model,
        cluster=cluster,
        namespace=namespace,
        name=name,
        gpu=gpu,
        queue=queue,
        copies=copies,
        context=context,
        parallel=parallel,
        insecure_registry=insecure_registry,
    )
    async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
        plan = await hosting.make_plan(fleet, wish)
        if dry_run:
            output.show_manifests(await hosting.dry_run(fleet, plan), as_json=as_json)
            return 0
        if not as_json:
            output.say(plan.placement.sentence)
            for warning in plan.warnings:
                output.say(f"  note: {warning}", err=True)
        with progress.stages(plan.spec.name, as_json=as_json) as show:
            outcome = await hosting.deploy(fleet, plan, timeout=timeout, on_stage=show)
    if not as_json:
        output.show_outcome(plan, outcome)
    return outcome.exit_code
