"""What a reflector needs: calls to a server, and how long it waits for what.

The calls are `kube.client.Client`'s; named here so that a test hands over a server that lives in memory. The waits are
values, so that a test can make them short and a reader can see them together.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from sealane.kube.config import Context
from sealane.kube.resources import Resource
from sealane.kube.wire import RawEvent, RawPage


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `watch`: a watch's length (once to twice it); `silence`: API servers send a bookmark each minute;
    `opening`: until a watch is accepted (a hung etcd holds it back for a minute); `initial`: without a new object
    before the initial events are complete; `unproved`: between full answers of a server that sends no bookmarks;
    `first`, `longest`: waits after failures, doubling (short enough to be back within five seconds of a restart);
    `denied`: the longest wait for rights or a kind; `asked`: the longest that a server may ask for."""

    watch: float = 300.0
    silence: float = 75.0
    opening: float = 15.0
    initial: float = 20.0
    unproved: float = 300.0
    first: float = 0.5
    longest: float = 4.0
    denied: float = 30.0
    asked: float = 60.0


class Source(Protocol):
    """What a reflector needs of a client."""

    @property
    def context(self) -> Context:
        """Whose server it is, for sentences."""

    def list_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[RawPage]:
        """Pages of one consistent list."""

    def watch_raw(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        resource_version: str = "",
        initial_events: bool = False,
        seconds: int = 300,
        silence: float = 75.0,
    ) -> contextlib.AbstractAsyncContextManager[AsyncIterator[list[RawEvent]]]:
        """One watch connection: entered when the server has accepted it."""
