"""What a command works on: the running `up` of the data directory, else the user's own kubeconfig.

Kubernetes is the database: commands act on the clusters themselves, with the user's own rights, and a running console
sees it by its watches. Only what needs the gateway (connect, test) needs a running `up`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.fleet import Fleet
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError
from sealane.lib.errors import NextStep, NotAllowed, SealaneError
from sealane.runtime import contexts, datadir, namespaces, running
from sealane.runtime.contexts import Chosen
from sealane.runtime.running import Running

if TYPE_CHECKING:
    from sealane.console.services import DoctorCheck


class NotRunning(SealaneError):
    """A command needs a running `up` and there is none on this data directory."""

    code = "up-not-running"
    http_status = 503


def find_running(data_dir: Path | None) -> Running | None:
    """The `up` that runs on the data directory, or None."""
    return running.read(data_dir or datadir.default_path())


def chosen(*, data_dir: Path | None, clusters: str | None) -> Chosen:
    """Contexts for a command: the running `up`'s, narrowed by `--clusters`; else the user's kubeconfig.

    Raises NotRunning for `sandbox` without an `up`, UnknownContext, ConfigError.
    """
    book = find_running(data_dir)
    if book is not None and (clusters is None or (clusters == contexts.SANDBOX and book.sandbox)):
        return contexts.of_files(book.kubeconfig, book.clusters, sandbox=book.sandbox)
    if clusters == contexts.SANDBOX:
        raise not_running("The sandbox is not running", data_dir)
    names = [name.strip() for name in (clusters or "").split(",") if name.strip()]
    if book is not None and names and set(names) <= set(book.clusters):
        return contexts.of_files(book.kubeconfig, names, sandbox=book.sandbox)
    try:
        return contexts.of_user(clusters or contexts.KUBECONFIG)
    except ConfigError as error:
        if clusters is not None or error.file:
            raise
        raise not_running(error.sentence.rstrip("."), data_dir) from error


@contextlib.asynccontextmanager
async def fleet(*, data_dir: Path | None, clusters: str | None) -> AsyncIterator[Fleet]:
    """The fleet that a command works on."""
    found = chosen(data_dir=data_dir, clusters=clusters)
    where = data_dir or datadir.default_path()
    async with Fleet(found.contexts, sandbox=found.sandbox) as opened:
        with namespaces.remembered(opened, where):
            yield opened


def silent(opened: Fleet) -> list[str]:
    """The sentence of each cluster that does not answer now."""
    return [cluster.state.sentence for cluster in opened.clusters.values() if not cluster.state.answers]


def unseen(opened: Fleet) -> list[str]:
    """What may not be seen, a sentence a cluster; empty for whoever may see everything. Raises NotAllowed when no
    cluster that answers may be looked into at all: then an empty list would be a lie."""
    from sealane.console.real.rights import RealRights

    sights = [sight for sight in RealRights(opened).sights() if sight.models != "all"]
    answering = [cluster.name for cluster in opened.clusters.values() if cluster.state.answers]
    if answering and sum(sight.models == "none" for sight in sights) == len(answering):
        steps = (
            NextStep(title="Name a namespace in which you have a role", command="sealane models -n NAMESPACE"),
            NextStep(title="See what you may do", command=f"kubectl --context {answering[0]} auth can-i --list"),
        )
        raise NotAllowed(" ".join(sight.sentence for sight in sights), next_steps=steps)
    return [sight.sentence for sight in sights]


async def doctor(*, data_dir: Path | None, clusters: str | None) -> Sequence[DoctorCheck]:
    """Every check; a kubeconfig that cannot be read is one of them and hides none of the others."""
    from sealane.runtime.doctor import Doctor

    where = data_dir or datadir.default_path()
    book = find_running(data_dir)
    try:
        found: Sequence[Context] = chosen(data_dir=data_dir, clusters=clusters).contexts
    except SealaneError:
        if clusters is not None:
            raise
        found = ()
    async with Fleet(found) as opened:
        return await Doctor(
            opened, data_dir=where, gateway_url=book.gateway.removesuffix("/v1") if book else ""
        ).checks()


def not_running(what: str, data_dir: Path | None) -> NotRunning:
    """The error for a command that needs a running `up`."""
    option = f" --data-dir {data_dir}" if data_dir else ""
    return NotRunning(
        f"{what}: no `sealane up` uses the data directory {data_dir or datadir.default_path()}.",
        next_steps=(NextStep(title="Start it", command=f"sealane up{option}"),),
    )
