"""Everything that depends on which clusters were chosen: fleet, observer, gateway and console applications.

Opened for one choice and closed as a whole, so that switching clusters is closing one stack and opening another under
the same sockets, keys and session.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.types import ASGIApp

from sealane.runtime import breaking, contexts, namespaces, sandbox_child
from sealane.runtime.contexts import Chosen
from sealane.runtime.kubeconfig import Following
from sealane.runtime.parts import Parts

if TYPE_CHECKING:
    from sealane.fleet import Fleet, Replaced


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """One open choice of clusters and the two applications over it."""

    chosen: Chosen
    console: ASGIApp
    gateway: ASGIApp


@contextlib.asynccontextmanager
async def choose(
    choice: str, *, data_dir: Path, speed: float, on_death: Callable[[], None] = lambda: None
) -> AsyncIterator[Chosen]:
    """Contexts for a choice; `sandbox` is started for as long as the context is open, and its end is told."""
    if choice != contexts.SANDBOX:
        yield contexts.of_user(choice)
        return
    async with sandbox_child.sandbox(data_dir / "sandbox", speed=speed, on_death=on_death) as ready:
        yield contexts.of_sandbox(ready.kubeconfig, ready.clusters)


@contextlib.asynccontextmanager
async def open_stack(
    chosen: Chosen,
    parts: Parts,
    *,
    choice: str,
    switch: Callable[[str], None],
    changed: Callable[[Chosen], None] = lambda chosen: None,
) -> AsyncIterator[Stack]:
    """Fleet, observer and applications for the chosen contexts. The user's own kubeconfig is followed while it is open,
    as `choice` says, and each other set of contexts is told to `changed`; the sandbox's own changes only with it."""
    from sealane.console import app as console_app
    from sealane.console import real
    from sealane.fleet import Fleet
    from sealane.gateway import app as gateway_app
    from sealane.gateway.replicas import FleetReplicas
    from sealane.models.observer import Observer
    from sealane.runtime import waking
    from sealane.runtime.doctor import Doctor
    from sealane.runtime.switch import Switch

    async with contextlib.AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(chosen.contexts, sandbox=chosen.sandbox))
        await stack.enter_async_context(waking.watching(fleet))
        stack.enter_context(namespaces.remembered(fleet, parts.data_dir))
        following = _following(fleet, chosen, parts, choice=choice, changed=changed)
        observer = await stack.enter_async_context(Observer(fleet))
        gateway = gateway_app.build(
            replicas=FleetReplicas(fleet),
            keys=parts.keys,
            usage=parts.usage,
            settings=parts.gateway_settings,
        )
        await stack.enter_async_context(gateway.running())
        services = real.services(
            settings=parts.console_settings(chosen),
            fleet=fleet,
            observer=observer,
            keys=parts.keys,
            usage=parts.usage,
            doctor=Doctor(fleet, data_dir=parts.data_dir, gateway_url=parts.gateway_url),
            switch=Switch(chosen, switch, followed=lambda: fleet.clusters, following=following),
            breaking=breaking.of(chosen),
        )
        console = console_app.build(services, sessions=parts.sessions)
        await _enter(stack, console)
        if following is not None:
            await stack.enter_async_context(following.running())
        yield Stack(chosen=chosen, console=console, gateway=gateway)


def _following(
    fleet: Fleet, chosen: Chosen, parts: Parts, *, choice: str, changed: Callable[[Chosen], None]
) -> Following | None:
    if chosen.sandbox:
        return None

    def taken(now: Chosen, replaced: Replaced) -> None:
        namespaces.recall(fleet, parts.data_dir, replaced.new)
        changed(now)

    return Following(fleet, chosen, choice, changed=taken)


async def _enter(stack: contextlib.AsyncExitStack, app: ASGIApp) -> None:
    if isinstance(app, Starlette):
        await stack.enter_async_context(app.router.lifespan_context(app))
