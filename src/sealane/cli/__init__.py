"""The command line: click commands that say what to do and nothing of how. No logic, every import lazy.

`sealane` alone is `sealane up`. Each command lives in a module of its own and is imported when it is called, so that
`sealane --version` costs no more than click itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from sealane import __version__

_COMMANDS = {
    "up": ("sealane.cli.up", "Start the console and the gateway (also the bare `sealane`)."),
    "host": ("sealane.cli.host", "Host a model and watch it come up."),
    "models": ("sealane.cli.models", "List what is hosted."),
    "scale": ("sealane.cli.scale", "Change the number of copies of a model."),
    "remove": ("sealane.cli.remove", "Remove a model; says what went and what stayed."),
    "logs": ("sealane.cli.logs", "What a model or pod writes, all copies merged; -f follows."),
    "exec": ("sealane.cli.exec", "Run a command in a model's copy or a pod."),
    "forward": ("sealane.cli.forward", "A model's or pod's port on this computer."),
    "fit": ("sealane.cli.fit", "How much memory a model needs, and where it would start."),
    "connect": ("sealane.cli.connect", "Settings for an editor, to copy or to write."),
    "editors": ("sealane.cli.editors", "List the editors that can be connected."),
    "test": ("sealane.cli.test", "Perform the requests that an editor would send."),
    "health": ("sealane.cli.health", "Is the open source that you rest on alive?"),
    "risks": ("sealane.cli.risks", "What runs that is dying, worst first."),
    "break": ("sealane.cli.break_", "Break something in the sandbox on purpose, and heal it."),
    "doctor": ("sealane.cli.doctor", "Check this computer and the clusters; changes nothing."),
}


class _Lazy(click.Group):
    """Knows its commands' names and one-line helps; imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from sealane.lib import text

            near = text.nearest(args[0], _COMMANDS)
            hint = f" Nearest: {text.listing(near)}." if near else ""
            raise click.UsageError(error.format_message() + hint, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The happy path for AI on Kubernetes: from a model's name to an endpoint in your editor, without YAML.",
)
@click.version_option(__version__, prog_name="sealane")
def cli() -> None:
    """See the help above; `main` puts `up` where no command is named."""


def main(args: Sequence[str] | None = None) -> Any:
    """The entry point of the `sealane` script."""
    given = list(sys.argv[1:] if args is None else args)
    return cli(args=_up_by_default(given), prog_name="sealane")


def _up_by_default(args: list[str]) -> list[str]:
    """`sealane --port 0` means `sealane up --port 0`: options that are not the group's own belong to `up`."""
    own = {"-h", "--help", "--version"}
    if args and args[0].startswith("-") and args[0] not in own:
        return ["up", *args]
    return args or ["up"]
