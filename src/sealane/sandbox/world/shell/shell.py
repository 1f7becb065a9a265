"""The shell itself: reads lines or one script, runs their programs one after another, remembers where it is.

`run` is what an exec does: a program by its name, or a shell. A program that is not in the image cannot be started,
which is the container runtime's to say (CannotStart); inside a shell the same is exit code 127.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from sealane.sandbox.streams.console import Console
from sealane.sandbox.streams.outcome import CannotStart
from sealane.sandbox.world.shell import commands, words
from sealane.sandbox.world.shell.calls import Call, Input, Program, ShellState, Write
from sealane.sandbox.world.shell.files import FileProblem, resolve
from sealane.sandbox.world.shell.machine import Machine
from sealane.sandbox.world.shell.terminal import Given, Interrupted, Plain, Terminal

SHELLS = frozenset({"sh", "bash", "ash", "dash"})
GREETING = (
    "You are in a container of the Sealane sandbox: it is simulated, and so is this shell.\r\n"
    "It knows a few programs; `help` names them.\r\n"
)
_INTERRUPTED = 130
_NOT_FOUND = 127


class Shell:
    """One shell in one container, for one client."""

    def __init__(self, machine: Machine, console: Console, *, name: str = "sh") -> None:
        self.machine = machine
        self.state = ShellState(cwd=str(machine.container.get("workingDir") or "/"))
        self.variables = dict(machine.environment)
        self._console = console
        self._name = name
        self._terminal = Terminal(console) if console.tty else None
        self.input: Input = self._terminal or Plain(console)

    async def run(self, command: Sequence[str]) -> int:
        """What an exec of this command does; its exit code. Raises CannotStart."""
        name, *arguments = command
        program = name.rsplit("/", 1)[-1]
        if program not in SHELLS and commands.find(self.machine, program) is None:
            known = "no such file or directory" if "/" in name else "executable file not found in $PATH"
            raise CannotStart(_runtime_says(f'exec: "{name}": {"stat " + name + ": " if "/" in name else ""}{known}'))
        if self._terminal is None:
            return await self._begin(program, arguments)
        pumping = asyncio.create_task(self._terminal.pump(), name="keys of a terminal")
        try:
            return await self._begin(program, arguments)
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def script(self, text: str) -> int:
        """Run the lines of a script; the exit code of the last step."""
        try:
            steps = words.parse(text)
        except words.SyntaxProblem as problem:
            await self.err(f"{self._name}: 1: {problem}\n".encode())
            self.state.code = 2
            return 2
        for step in steps:
            if (step.after == "&&" and self.state.code) or (step.after == "||" and not self.state.code):
                continue
            self.state.code = await self._pipeline(step.pipeline)
            if self.state.ended:
                break
        return self.state.code

    async def out(self, data: bytes) -> None:
        """Write to the client; a terminal wants its lines to begin at the left."""
        await self._console.out(data.replace(b"\n", b"\r\n") if self._console.tty else data)

    async def err(self, data: bytes) -> None:
        """Write to the client's error output."""
        await self._console.err(data.replace(b"\n", b"\r\n") if self._console.tty else data)

    async def _begin(self, program: str, arguments: list[str]) -> int:
        if program not in SHELLS:
            return await self._interruptible(self._call(program, arguments, self.input, self.out, self.err))
        self._name = program
        flags = [word for word in arguments if word.startswith("-")]
        rest = [word for word in arguments if not word.startswith("-")]
        if any("c" in flag.lstrip("-") and not flag.startswith("--") for flag in flags):
            return await self.script(rest[0] if rest else "")
        if rest:
            return await self._file(rest[0])
        if self._console.tty:
            await self._console.out(GREETING.encode())
        return await self._interact()

    async def _file(self, name: str) -> int:
        try:
            text = self.machine.files.read(resolve(self.state.cwd, name)).decode("utf-8", "replace")
        except FileProblem as problem:
            await self.err(f"{self._name}: 0: cannot open {name}: {problem}\n".encode())
            return 2
        return await self.script(text)

    async def _interact(self) -> int:
        """Read and run lines until `exit` or the end of the input."""
        while not self.state.ended:
            try:
                line = await self.input.line(self._prompt())
            except Interrupted:
                self.state.code = _INTERRUPTED
                continue
            if line is None:
                if self._console.tty:
                    await self._console.out(b"exit\r\n")
                break
            await self._interruptible(self.script(line))
        return self.state.code

    async def _interruptible(self, work: Coroutine[Any, Any, int]) -> int:
        """Run something that ctrl-C ends, with 130."""
        task = asyncio.create_task(work, name="program of a shell")
        stopped = False

        def interrupt() -> None:
            nonlocal stopped
            stopped = True
            task.cancel()

        if self._terminal is not None:
            self._terminal.interrupt = interrupt
        try:
            await asyncio.wait({task})
        finally:
            if self._terminal is not None:
                self._terminal.interrupt = None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Interrupted):
                await task
        if stopped:
            self.state.code = _INTERRUPTED
            return _INTERRUPTED
        return task.result() if not task.cancelled() else _INTERRUPTED

    def _prompt(self) -> str:
        number, name = self.machine.user
        sign = "#" if number == 0 else "$"
        if self._name == "bash":
            return f"{name or 'I have no name!'}@{self.machine.hostname}:{self.state.cwd}{sign} "
        return f"{sign} "

    async def _pipeline(self, pipeline: tuple[words.Command, ...]) -> int:
        """Run programs that feed each other, one after another; the last one's exit code."""
        source = self.input
        code = 0
        for index, command in enumerate(pipeline):
            last = index == len(pipeline) - 1
            held = bytearray()
            code = await self._one(command, source, self.out if last else _into(held))
            source = Given(bytes(held))
        return code

    async def _one(self, command: words.Command, source: Input, out: Write) -> int:
        variables = self.variables | {"?": str(self.state.code), "$": "42", "PWD": self.state.cwd}
        texts = [word.filled(variables) for word in command.words]
        while texts and _assignment(texts[0]):
            name, _, value = texts.pop(0).partition("=")
            self.variables[name] = value
        written, complained = bytearray(), bytearray()
        try:
            if command.source is not None:
                source = Given(self.machine.files.read(self._path(command.source)))
            if command.target is not None:
                out = _into(written)
            err = out if command.join_errors else _into(complained) if command.error_target is not None else self.err
            code = await self._call(texts[0], texts[1:], source, out, err) if texts else 0
            if command.target is not None and self._path(command.target) != "/dev/null":
                self.machine.files.write(self._path(command.target), bytes(written), append=command.append)
            if command.error_target is not None and self._path(command.error_target) != "/dev/null":
                self.machine.files.write(self._path(command.error_target), bytes(complained))
        except FileProblem as problem:
            await self.err(f"{self._name}: 1: {problem}\n".encode())
            return 1
        return code

    async def _call(self, name: str, arguments: list[str], source: Input, out: Write, err: Write) -> int:
        if name in SHELLS:
            code = await self._begin(name, arguments)
            self.state.ended = False  # it was the inner shell's end
            return code
        program: Program | None = commands.find(self.machine, name.rsplit("/", 1)[-1])
        if program is None:
            bash = self._name == "bash"
            said = f"bash: {name}: command not found" if bash else f"{self._name}: 1: {name}: not found"
            await err(f"{said}\n".encode())
            return _NOT_FOUND
        call = Call(
            machine=self.machine, arguments=arguments, input=source, write=out, write_error=err,
            variables=self.variables, state=self.state, size=lambda: self._console.size,
        )  # fmt: skip
        return await program(call)

    def _path(self, word: words.Word) -> str:
        return resolve(self.state.cwd, word.filled(self.variables))


def _into(held: bytearray) -> Write:
    async def write(data: bytes) -> None:
        held.extend(data)

    return write


def _assignment(text: str) -> bool:
    name, sign, _ = text.partition("=")
    return bool(sign) and name.isidentifier()


def _runtime_says(why: str) -> str:
    """containerd's words around a program that is not there."""
    said = f"OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown"
    return f'failed to exec in container: failed to start exec "simulated": {said}'
