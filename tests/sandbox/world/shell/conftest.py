"""A container to be in: `inside(...)` runs a command in it and gives code, output and errors."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sealane.sandbox.streams.console import Console, Wanted
from sealane.sandbox.world.clock import SteppedClock
from sealane.sandbox.world.ollama import app, engine, library, settings
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.shell.files import FileSystem
from sealane.sandbox.world.shell.machine import Machine
from sealane.sandbox.world.shell.shell import Shell

POD: dict[str, Any] = {
    "metadata": {"name": "box", "namespace": "team", "uid": "u-1"},
    "spec": {"volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "c"}}]},
}
CONTAINER: dict[str, Any] = {
    "name": "ollama", "image": "ollama/ollama:0.23.0", "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    "resources": {"limits": {"cpu": "4"}},
}  # fmt: skip


@dataclasses.dataclass
class Session:
    """A console whose client is a test."""

    console: Console
    shown: dict[str, bytearray]

    @property
    def screen(self) -> str:
        """What was written to the output so far."""
        return self.shown["stdout"].decode()

    async def until(self, text: str) -> None:
        """Wait for a text on the screen, without a clock."""
        for _ in range(2000):
            if text in self.screen:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{text!r} is not on the screen: {self.screen!r}")


def session(*, stdin: bool = True, tty: bool = False) -> Session:
    """A console."""
    shown = {"stdout": bytearray(), "stderr": bytearray()}

    async def send(stream: str, data: bytes) -> None:
        shown[stream].extend(data)

    wanted = Wanted(stdin=stdin, stdout=True, stderr=not tty, tty=tty)
    return Session(Console(wanted, send), shown)


@pytest.fixture
def stopped() -> list[int]:
    """The codes that the container's process was stopped with."""
    return []


@pytest.fixture
def machine(clock: SteppedClock, stopped: list[int]) -> Machine:
    """A container of Ollama with a model on its volume and half a card."""
    store = ModelStore()
    model = library.find("llama3.1:8b")
    assert model is not None
    store.add(model, now=clock.now())
    wanted = settings.of({"OLLAMA_MODELS": "/models"}, gpu_memory=24 * 1024**3, memory_limit=None)
    server = app.build(engine.Engine(clock=clock, store=store, settings=wanted, instant=True))
    disk = FileSystem({"/etc/hosts": b"127.0.0.1\tlocalhost\n"}, folders=("/tmp", "/models"), read_only=("/etc",))
    return Machine(
        clock=clock, pod=POD, container=CONTAINER, environment={"GREETING": "hello"}, files=disk, models=store,
        dial=lambda port: server if port == 11434 else None, stop=stopped.append, gpu_memory=24 * 1024**3,
        gpu_name="NVIDIA-L40S", memory_limit=8 * 1024**3, capacities={"models": 50 * 1024**3},
    )  # fmt: skip


Inside = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def inside(machine: Machine, clock: SteppedClock) -> Inside:
    """`await inside("cat", "/etc/hosts", stdin=b"")` → (exit code, output, errors)."""

    async def run(*command: str, stdin: bytes = b"") -> tuple[int, str, str]:
        ours = session()
        if stdin:
            await ours.console.feed(stdin)
        await ours.console.end_input()
        task = asyncio.create_task(Shell(machine, ours.console).run(command))
        for _ in range(400):
            if task.done():
                break
            await clock.advance(1.0)
        return task.result(), ours.screen, ours.shown["stderr"].decode()

    return run


@pytest.fixture
async def typed(machine: Machine) -> AsyncIterator[Callable[..., Session]]:
    """A shell on a terminal: begin it with a command, then feed keys."""
    tasks: list[asyncio.Task[int]] = []

    def begin(*command: str) -> Session:
        ours = session(tty=True)
        tasks.append(asyncio.create_task(Shell(machine, ours.console).run(command)))
        return ours

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
