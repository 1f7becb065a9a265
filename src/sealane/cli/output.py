"""What commands share: options, how an error is shown, and JSON on stdout beside prose on a terminal.

Prose goes to stdout for people and to stderr beside `--json`; an error is one sentence, its evidence and its next
steps, or `{"error": …}` with `--json`. A bug of ours is a sentence too, with the place of its report.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import shlex
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import msgspec

from sealane.lib.errors import SealaneError

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Escape sequences, and characters that turn the direction of writing: both can make a line look like another."""


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every acting command takes: --json, --data-dir, --clusters."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout."),
        click.option(
            "--data-dir",
            envvar="SEALANE_DATA_DIR",
            type=click.Path(path_type=Path, file_okay=False),
            default=None,
            help="Where Sealane keeps what it remembers.",
        ),
        click.option(
            "--clusters",
            envvar="SEALANE_CLUSTERS",
            default=None,
            help="sandbox, kubeconfig, or context names parted by commas. Default: those of the running `up`.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def acting(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., None]:
    """Run a command's coroutine; exit with its code; show errors as contracts promise."""
    return _acting(function, asyncio.run)


def serving(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., None]:
    """As `acting`, on uvloop: for commands that stay and serve, where its import pays."""

    def run(coroutine: Coroutine[Any, Any, int | None]) -> int | None:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(coroutine)

    return _acting(function, run)


def _acting(
    function: Callable[..., Coroutine[Any, Any, int | None]],
    run_coroutine: Callable[[Coroutine[Any, Any, int | None]], int | None],
) -> Callable[..., None]:
    @functools.wraps(function)
    def run(**given: Any) -> None:
        as_json = bool(given.get("as_json"))
        try:
            code = run_coroutine(function(**given))
        except SealaneError as error:
            code = show_error(error, as_json=as_json)
        except KeyboardInterrupt:
            code = 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception as error:  # noqa: BLE001 - the border of a command: no traceback reaches a user
            code = _show_bug(error, as_json=as_json)
        raise SystemExit(code or 0)

    return run


def emit(value: object) -> None:
    """One JSON value on one line of stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def say(line: str = "", *, err: bool = False) -> None:
    """Prose. What others wrote (events, model names, answers) must not command the terminal: control codes go."""
    click.echo(clean(line), err=err)


def clean(line: str) -> str:
    """A line without what would command a terminal."""
    return _CONTROL.sub("�", line)


def show_error(error: SealaneError, *, as_json: bool) -> int:
    """Show an error; gives back the exit code."""
    if as_json:
        emit({"error": error.to_json()})
        return error.exit_code
    say(error.sentence, err=True)
    for item in error.evidence:
        unit = f" {item.unit}" if item.unit else ""
        say(f"  {item.label}: {item.value}{unit}", err=True)
    for step in error.next_steps:
        say(f"  → {step.title}" + (f":  {step.command}" if step.command else ""), err=True)
    return error.exit_code


def tell(error: SealaneError) -> None:
    """One sentence about something that goes on all the same."""
    say(error.sentence, err=True)


def tell_trouble(source: Any, error: SealaneError) -> None:
    """The same about one of several."""
    say(f"{source.pod}: {error.sentence}", err=True)


def show_line(line: Any, *, labelled: bool, as_json: bool) -> None:
    """A line of a log. `labelled`: it may be any of several pods'."""
    if as_json:
        emit({"pod": line.pod, "container": line.container, "time": line.time, "text": line.text})
    else:
        say(f"{line.pod} | {line.text}" if labelled else line.text)


def _show_bug(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("SEALANE_DEBUG"):
        raise error
    bug = SealaneError(
        f"Sealane met a mistake of its own: {type(error).__name__}: {error}",
    )
    return show_error(bug, as_json=as_json)


def show_manifests(objects: list[dict[str, Any]], *, as_json: bool) -> None:
    """Manifests as YAML for people and kubectl, as one JSON value for programs."""
    from sealane.manifests import dump

    if as_json:
        emit({"manifests": objects})
    else:
        click.echo(dump.dump_all(objects), nl=False)


def show_outcome(plan: Any, outcome: Any) -> None:
    """How hosting ended, and what to do next."""
    say(outcome.stage.sentence)
    model, name = shlex.quote(plan.spec.model), shlex.quote(plan.spec.name)
    if outcome.exit_code == 0:
        say(f"  → Use it from an editor:  sealane connect vscode --model {model}")
        say(f"  → Prove it:  sealane test {model}")
        return
    if outcome.exit_code == 1:
        say("  → See what it says now:  sealane models")
        say(f"  → Take it back:  sealane remove {name} --cluster {plan.spec.cluster}")
    else:
        say("  → It goes on by itself; look again:  sealane models")
        say(f"  → Or take it back:  sealane remove {name} --cluster {plan.spec.cluster}")
