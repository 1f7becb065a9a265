"""Leaving the sandbox for the user's own clusters, and coming back, while the console stays open."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sealane.console.services import ContextRow
from sealane.kube import config
from sealane.kube.config import Context
from sealane.lib.errors import SealaneError
from sealane.runtime import contexts
from sealane.runtime.contexts import Chosen
from sealane.runtime.kubeconfig import Following, Stamp, stamps


class Switch:
    """What the Clusters page offers. Nothing is sent to a cluster by listing it."""

    def __init__(
        self,
        chosen: Chosen,
        request: Callable[[str], None],
        *,
        followed: Callable[[], Collection[str]] | None = None,
        following: Following | None = None,
    ) -> None:
        self._chosen = chosen
        self._request = request
        self._followed = followed or (lambda: {context.name for context in chosen.contexts})
        self._following = following
        self._read: tuple[tuple[Stamp, ...], Sequence[Context]] | None = None

    def contexts(self) -> Sequence[ContextRow]:
        """The contexts of the user's own kubeconfig. Raises ConfigError with file and line."""
        active = set() if self._chosen.sandbox else set(self._followed())
        return [
            ContextRow(
                name=context.name,
                server=context.server,
                user=context.user,
                namespace=context.namespace,
                active=context.name in active,
                warnings=context.warnings,
            )
            for context in self._known()
        ]

    def problem(self) -> SealaneError | None:
        """Why the clusters do not follow the kubeconfig as it is now; None when they do."""
        return self._following.problem if self._following is not None else None

    def _known(self) -> Sequence[Context]:
        """The kubeconfig's contexts, read again only when a file changed: a live page asks five times a second."""
        now = stamps(config.default_paths())
        if self._read is None or self._read[0] != now:
            self._read = now, tuple(config.load().contexts.values())
        return self._read[1]

    async def use(self, clusters: str) -> None:
        """Ask for another choice; the console answers over it a moment later. Raises as `contexts.of_user` does."""
        if clusters != contexts.SANDBOX:
            contexts.of_user(clusters)
        self._request(clusters)
