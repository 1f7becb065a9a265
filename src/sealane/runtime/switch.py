"""Leaving the sandbox for the user's own clusters, and coming back, while the console stays open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sealane.console.services import ContextRow
from sealane.kube import config
from sealane.runtime import contexts
from sealane.runtime.contexts import Chosen


class Switch:
    """What the Clusters page offers. Nothing is sent to a cluster by listing it."""

    def __init__(self, chosen: Chosen, request: Callable[[str], None]) -> None:
        self._chosen = chosen
        self._request = request

    def contexts(self) -> Sequence[ContextRow]:
        """The contexts of the user's own kubeconfig. Raises ConfigError with file and line."""
        active = set() if self._chosen.sandbox else {context.name for context in self._chosen.contexts}
        return [
            ContextRow(
                name=context.name,
                server=context.server,
                user=context.user,
                namespace=context.namespace,
                active=context.name in active,
                warnings=context.warnings,
            )
            for context in config.load().contexts.values()
        ]

    async def use(self, clusters: str) -> None:
        """Ask for another choice; the console answers over it a moment later. Raises as `contexts.of_user` does."""
        if clusters != contexts.SANDBOX:
            contexts.of_user(clusters)
        self._request(clusters)
