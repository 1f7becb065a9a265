"""`sealane break [NAME]`: break something in the sandbox on purpose, see what is broken, heal it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealane.cli import output

if TYPE_CHECKING:
    from sealane.console.breaking import Broken, Run

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = _DURATION.fullmatch(value.strip())
    seconds = float(found.group(1)) * _UNITS[found.group(2) or "s"] if found else 0.0
    if not 1 <= seconds <= 3600:
        raise click.BadParameter(f"{value!r} is not a time from 1s to 1h, such as 90s or 2m.")
    return seconds


@click.command("break")
@click.argument("name", required=False, default="")
@click.option("--cluster", default="", help="Where; the scenario's own cluster by default.")
@click.option("--model", default="", help="The hosted model to break; the first that answers by default.")
@click.option("--for", "seconds", callback=_seconds, default=None, help="How long, such as 60s or 2m.")
@click.option("--list", "listed", is_flag=True, help="What can be broken.")
@click.option("--heal", is_flag=True, help="End what is broken (NAME, or all of it) and undo it.")
@output.shared
@output.acting
async def command(  # noqa: PLR0913 - one name each, as the command line has them
    *,
    name: str,
    cluster: str,
    model: str,
    seconds: float | None,
    listed: bool,
    heal: bool,
    as_json: bool,
    data_dir: Path | None,
    clusters: str | None,
) -> None:
    """Break something in the sandbox: NAME is a scenario (--list). Without one, say what is broken now."""
    from sealane.runtime import breaking, session

    there = breaking.of(session.chosen(data_dir=data_dir, clusters=clusters))
    if there is None:
        raise breaking.only_the_sandbox()
    before = {run.id for run in (await there.state()).running} if heal else set()
    if heal:
        now = await there.heal(name, cluster=cluster)
    elif name and not listed:
        now = await there.start(name, cluster=cluster, model=model, seconds=seconds)
    else:
        now = await there.state()
    if as_json:
        output.emit(now)
    elif heal:
        _healed([run for run in now.runs if run.id in before and run.ended])
    elif listed:
        _list(now)
    elif name:
        _begun(now, name)
    else:
        _broken(now)


def _list(now: Broken) -> None:
    for scenario in now.scenarios:
        output.say(f"{scenario.name:<16} {scenario.title} ({scenario.cluster}, {scenario.seconds:g} s)")
        output.say(f"{'':<16} {scenario.teaches}")


def _broken(now: Broken) -> None:
    if not now.running:
        output.say("Nothing is broken.")
        output.say("  → See what can be:  sealane break --list")
    for run in now.running:
        _show(run, speed=now.speed)


def _begun(now: Broken, name: str) -> None:
    run = next(run for run in now.runs if run.name == name)
    _show(run, speed=now.speed)
    output.say("  → Heal it sooner:  sealane break --heal")


def _show(run: Run, *, speed: float) -> None:
    left = f"{run.left:.0f} s" + (f" of the sandbox's time, {run.left / speed:.0f} s of yours" if speed != 1 else "")
    state = f"ends by itself in {left}" if not run.ended else "over"
    output.say(f"{run.title} in {run.cluster}: {state}.")
    for line in run.said:
        output.say(f"  {line.at[11:19]}  {line.say}")
    for look in run.look:
        output.say(f"  → {look.say}:  {look.at}")


def _healed(runs: list[Run]) -> None:
    if not runs:
        output.say("Nothing was broken.")
    for run in runs:
        output.say(f"Healed: {run.title} in {run.cluster}. {run.heals}")
