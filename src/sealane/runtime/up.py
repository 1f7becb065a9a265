"""`sealane up`: takes the data directory and the ports, opens what was chosen, serves until told to stop.

Order matters: everything that can fail for a plain reason (directory, ports, kubeconfig) fails before anything is
started, and everything started is ended in reverse. SIGINT and SIGTERM end it within 5 s; a second one ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec

from sealane.lib import collector
from sealane.lib.errors import SealaneError
from sealane.runtime import contexts, datadir, parts, ports, running, serving, stack
from sealane.runtime.contexts import Chosen
from sealane.runtime.parts import Parts

_LOG = logging.getLogger(__name__)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `up` was told. `clusters` None takes the last choice; `speed` is the sandbox's."""

    clusters: str | None = None
    host: str = "127.0.0.1"
    port: int = 8700
    gateway_port: int = 8701
    data_dir: Path | None = None
    open_browser: bool = False
    speed: float = 1.0


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The one block that is printed; its fields are a contract."""

    console: str
    gateway: str
    key: str
    kubeconfig: str
    clusters: tuple[str, ...]
    sandbox: bool


async def run(options: Options, *, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises SealaneError when it cannot start; then nothing is left running."""
    with _signals() as stopped:
        try:
            await _run(options, on_ready=on_ready)
        except asyncio.CancelledError:
            if not stopped():
                raise


async def _run(options: Options, *, on_ready: Callable[[Ready], None]) -> None:
    data_dir = datadir.prepare(options.data_dir or datadir.default_path())
    async with contextlib.AsyncExitStack() as life:
        life.enter_context(datadir.Lock(data_dir))
        running.clear(data_dir)  # the lock is ours: what is written there is of a process that died
        console_socket = life.enter_context(ports.listen(options.host, options.port, flag="--port"))
        gateway_socket = life.enter_context(ports.listen(options.host, options.gateway_port, flag="--gateway-port"))
        built = await asyncio.to_thread(
            parts.build,
            data_dir=data_dir,
            host=options.host,
            console_port=ports.port_of(console_socket),
            gateway_port=ports.port_of(gateway_socket),
        )
        life.callback(built.database.close)
        life.callback(running.clear, data_dir)
        console, gateway = serving.Swap(), serving.Swap()
        await life.enter_async_context(serving.serve(console, console_socket, name="console"))
        await life.enter_async_context(serving.serve(gateway, gateway_socket, name="gateway"))

        def ready(opened: stack.Stack) -> None:
            console.set(opened.console)
            gateway.set(opened.gateway)
            _announce(built, opened.chosen, options, on_ready)

        def away() -> None:
            console.set(None)
            gateway.set(None)

        await _serve_choices(options, built, ready=ready, away=away)


async def _serve_choices(
    options: Options, built: Parts, *, ready: Callable[[stack.Stack], None], away: Callable[[], None]
) -> None:
    """One stack after another, each until the next wish. A wish that cannot be opened leaves the former choice.

    Between two stacks requests are told to come again, so that none meets a fleet that is being closed.
    """
    wishes: asyncio.Queue[str] = asyncio.Queue()
    former = ""
    choice = options.clusters or str(await asyncio.to_thread(built.remembered.get, parts.CHOICE, contexts.SANDBOX))
    while True:
        try:
            async with _opened(choice, built, speed=options.speed, wishes=wishes) as opened:
                await asyncio.to_thread(built.remembered.set, parts.CHOICE, choice)
                ready(opened)
                if not former:
                    collector.settle()  # everything is imported now, and most of what lives from here on is short-lived
                former = choice
                choice = await wishes.get()
                away()
        except SealaneError as error:
            if not former or former == choice:
                raise
            _LOG.warning("could not switch to %s: %s", choice, error.sentence)
            choice = former


@contextlib.asynccontextmanager
async def _opened(choice: str, built: Parts, *, speed: float, wishes: asyncio.Queue[str]) -> AsyncIterator[stack.Stack]:
    async with (
        stack.choose(
            choice, data_dir=built.data_dir, speed=speed, on_death=lambda: wishes.put_nowait(choice)
        ) as chosen,
        stack.open_stack(
            chosen,
            built,
            choice=choice,
            switch=wishes.put_nowait,
            changed=lambda now: running.write(built.data_dir, _book(_ready(built, now))),
        ) as opened,
    ):
        yield opened


def _announce(built: Parts, chosen: Chosen, options: Options, on_ready: Callable[[Ready], None]) -> None:
    """Write the address book; the first time also tell whoever waits, and open the browser."""
    ready = _ready(built, chosen)
    first = running.read(built.data_dir) is None
    running.write(built.data_dir, _book(ready))
    if not first:
        return
    on_ready(ready)
    if options.open_browser:
        _open_browser(f"{built.console_url}/?token={built.sessions.ticket()}")


def _ready(built: Parts, chosen: Chosen) -> Ready:
    return Ready(
        console=f"{built.console_url}/?token={built.token}",
        gateway=f"{built.gateway_url}/v1",
        key=built.local_key,
        kubeconfig=chosen.kubeconfig,
        clusters=tuple(context.name for context in chosen.contexts),
        sandbox=chosen.sandbox,
    )


def _book(ready: Ready) -> running.Running:
    return running.Running(
        pid=os.getpid(),
        console=ready.console,
        gateway=ready.gateway,
        kubeconfig=ready.kubeconfig,
        clusters=ready.clusters,
        sandbox=ready.sandbox,
    )


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """The first SIGINT or SIGTERM cancels the current task, a second one ends the process; says whether one came."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    seen = 0

    def stop() -> None:
        nonlocal seen
        seen += 1
        if seen > 1 or task is None:
            os._exit(130)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield lambda: seen > 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _open_browser(url: str) -> None:
    import webbrowser

    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(url)


def print_block(ready: Ready) -> None:
    """The block of named addresses for people."""
    from rich.console import Console

    kind = "sandbox, simulated" if ready.sandbox else "your clusters"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold]Sealane is ready[/bold]  {', '.join(ready.clusters)} ({kind})\n")
    for name, value in (
        ("Console", ready.console),
        ("Gateway", ready.gateway),
        ("Key", ready.key),
        ("Kubeconfig", ready.kubeconfig),
    ):
        console.print(f"  {name:<12}{value}", markup=False)
    console.print("\n  Ctrl-C stops everything and leaves nothing running.\n")
