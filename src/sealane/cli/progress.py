"""Stages as they come: NDJSON for programs, a live line with a bar at a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from sealane.cli import output


@contextlib.contextmanager
def stages(name: str, *, as_json: bool) -> Iterator[Callable[[Any], None]]:
    """A function that shows one `Stage`; the live line is closed on the way out."""
    if as_json:
        yield _as_json()
    elif not sys.stdout.isatty():
        yield _plain()
    else:
        with _bar(name) as show:
            yield show


def _as_json() -> Callable[[Any], None]:
    """A line a stage change, and one for each tenth of a pull."""
    last: tuple[str, int] = ("", -1)

    def show(stage: Any) -> None:
        nonlocal last
        step = (stage.stage, int((stage.progress or 0) * 10))
        if step == last:
            return
        last = step
        seconds = round(stage.seconds, 1)
        output.emit({"stage": stage.stage, "sentence": stage.sentence, "progress": stage.progress, "seconds": seconds})

    return show


def _plain() -> Callable[[Any], None]:
    last = ""

    def show(stage: Any) -> None:
        nonlocal last
        if stage.stage != last:
            output.say(f"{stage.seconds:6.1f} s  {stage.stage:<10} {stage.sentence}")
            last = stage.stage

    return show


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[Any], None]]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.fields[stage]:<10}"),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(name, total=None, stage="Submitted")

        def show(stage: Any) -> None:
            total = 1.0 if stage.progress is not None or stage.stage == "Answering" else None
            done = 1.0 if stage.stage == "Answering" else stage.progress
            bar.update(task, total=total, completed=done or 0.0, stage=stage.stage, description=stage.sentence)

        yield show
