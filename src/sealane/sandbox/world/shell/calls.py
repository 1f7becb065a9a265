"""A program of the shell and what it is called with. Programs write as they go and give an exit code."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Protocol

from sealane.sandbox.world.shell.files import resolve
from sealane.sandbox.world.shell.machine import Machine

Write = Callable[[bytes], Awaitable[None]]


class Input(Protocol):
    """Where a program reads: a terminal, a pipe, a file."""

    async def line(self, prompt: str = "") -> str | None:
        """The next line without its end; None at the end of the input. The prompt shows on terminals alone."""

    async def all(self) -> bytes:
        """Everything to the end."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody types."""


@dataclasses.dataclass
class Call:
    """One call. `variables` and `cwd` are the shell's own: `cd` and `export` change them."""

    machine: Machine
    arguments: list[str]
    input: Input
    write: Write
    write_error: Write
    variables: dict[str, str]
    state: ShellState
    size: Callable[[], tuple[int, int] | None]

    @property
    def options(self) -> set[str]:
        """Single letters and long names given with dashes."""
        found: set[str] = set()
        for word in self.arguments:
            if word.startswith("--"):
                found.add(word[2:].partition("=")[0])
            elif word.startswith("-") and len(word) > 1:
                found.update(word[1:])
        return found

    @property
    def plain(self) -> list[str]:
        """The arguments that are no options."""
        return [word for word in self.arguments if not word.startswith("-") or word == "-"]

    def path(self, word: str) -> str:
        """An absolute path."""
        return resolve(self.state.cwd, word)

    async def say(self, text: str) -> None:
        """A line of output."""
        await self.write(f"{text}\n".encode())

    async def complain(self, text: str) -> int:
        """A line of error output; 1, to be returned."""
        await self.write_error(f"{text}\n".encode())
        return 1


@dataclasses.dataclass
class ShellState:
    """What a shell remembers."""

    cwd: str = "/"
    code: int = 0
    ended: bool = False


Program = Callable[[Call], Awaitable[int]]
