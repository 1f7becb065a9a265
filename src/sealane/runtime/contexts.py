"""Which clusters: `sandbox`, `kubeconfig` (every context of the user's own), or context names.

The choice is a value that can be remembered; turning it into contexts reads kubeconfig files and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sealane.kube import config
from sealane.kube.config import Context
from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep, SealaneError

SANDBOX = "sandbox"
KUBECONFIG = "kubeconfig"


class UnknownContext(SealaneError):
    """A context was named that no kubeconfig has."""

    code = "unknown-context"
    exit_code = 2
    http_status = 404


class NoContexts(SealaneError):
    """The kubeconfig names no cluster."""

    code = "kubeconfig-empty"
    exit_code = 2
    http_status = 404


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Contexts to work with, where they were read, and whether they are simulated."""

    contexts: tuple[Context, ...]
    kubeconfig: str
    sandbox: bool


def of_sandbox(kubeconfig: str, clusters: Sequence[str]) -> Chosen:
    """The sandbox's own clusters, from the kubeconfig that it wrote."""
    return Chosen(contexts=_pick([Path(kubeconfig)], tuple(clusters)), kubeconfig=kubeconfig, sandbox=True)


def of_user(choice: str) -> Chosen:
    """The user's clusters: `kubeconfig` for all of them, else context names parted by commas.

    Raises ConfigError for a broken file, UnknownContext with the nearest names, NoContexts.
    """
    names = () if choice == KUBECONFIG else _names(choice)
    paths = [path.absolute() for path in config.default_paths()]
    return Chosen(contexts=_pick(paths, names), kubeconfig=os.pathsep.join(map(str, paths)), sandbox=False)


def of_files(kubeconfig: str, names: Sequence[str], *, sandbox: bool) -> Chosen:
    """Named contexts out of kubeconfig files, as a running `up` wrote them down."""
    paths = [Path(part) for part in kubeconfig.split(os.pathsep)]
    return Chosen(contexts=_pick(paths, tuple(names)), kubeconfig=kubeconfig, sandbox=sandbox)


def again(paths: Sequence[Path], choice: str) -> tuple[Chosen, SealaneError | None]:
    """What the choice of a running `up` means by now. Named contexts that are gone are left out, with the error that
    says so; it is raised when nothing is left, as are ConfigError and NoContexts."""
    kubeconfig = os.pathsep.join(map(str, paths))
    if choice == KUBECONFIG:
        return Chosen(contexts=_pick(paths, ()), kubeconfig=kubeconfig, sandbox=False), None
    known = config.load(paths).contexts
    names = _names(choice)
    found = tuple(known[name] for name in names if name in known)
    missing = next((_unknown(name, known, paths) for name in names if name not in known), None) if known else None
    if missing is not None and not found:
        raise missing
    return Chosen(contexts=found or _pick(paths, names), kubeconfig=kubeconfig, sandbox=False), missing


def _names(choice: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in choice.split(",") if name.strip())


def _pick(paths: Sequence[Path], names: tuple[str, ...]) -> tuple[Context, ...]:
    known = config.load(paths).contexts
    if not known:
        raise NoContexts(
            f"No cluster is named in {text.listing(map(str, paths))}.",
            next_steps=(NextStep(title="Use the sandbox meanwhile", command="sealane up --clusters sandbox"),),
        )
    for name in names:
        if name not in known:
            raise _unknown(name, known, paths)
    return tuple(known[name] for name in names or known)


def _unknown(name: str, known: dict[str, Context], paths: Sequence[Path]) -> UnknownContext:
    near = text.nearest(name, known) or list(known)[:5]
    return UnknownContext(
        f"No context named {name} in {text.listing(map(str, paths))}; there {'is' if len(known) == 1 else 'are'} "
        f"{text.listing(near)}{' and others' if len(known) > len(near) else ''}.",
        evidence=tuple(Evidence(label="context", value=item) for item in near),
        next_steps=(NextStep(title="Name one of these", command=f"--clusters {near[0]}"),),
    )
