"""What stands behind a pod: its logs and what answers on its ports. The world provides it, tests a small one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from sealane.sandbox.streams.console import Process

Message = MutableMapping[str, Any]
ASGIApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class NotListening(Exception):
    """Nothing answers on that port of that pod; the text says why, as a dial error would."""


class NoLogs(Exception):
    """There are no logs (yet), and why: what the kubelet answers with a 400."""


class PodBackend(Protocol):
    """The kubelet's side of a pod."""

    def logs(
        self,
        pod: dict[str, Any],
        *,
        container: str,
        follow: bool,
        tail_lines: int | None,
        previous: bool,
        timestamps: bool,
        since_seconds: float | None,
    ) -> AsyncIterator[bytes]:
        """The log of a container in pieces; ends when it is read (or, following, when the container ends).
        Raises NoLogs."""

    def proxy(self, pod: dict[str, Any], port: int) -> ASGIApp:
        """What answers on that port. Raises NotListening."""

    def exec(self, pod: dict[str, Any], *, container: str, command: Sequence[str]) -> Process:
        """What a command does in a container. Raises NoContainer; the process may raise CannotStart."""

    def attach(self, pod: dict[str, Any], *, container: str) -> Process:
        """The container's own process, seen from outside. Raises NoContainer."""
