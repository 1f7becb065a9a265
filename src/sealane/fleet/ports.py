"""What the fleet needs of `kube`, so that tests hand it a cluster that lives in memory.

Only the calls that this layer makes are named. `Reflect` is `kube.watch.reflect`: an endless stream of changes of
one kind that repairs itself and never raises for the cluster's or the network's faults.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.kube.resources import Resource
from sealane.kube.watch import Admit, Change
from sealane.lib.clock import Clock


class Reflect(Protocol):
    """`kube.watch.reflect`."""

    def __call__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        clock: Clock,
        admit: Admit,
    ) -> AsyncGenerator[Change, None]: ...


ClientFactory = Callable[[Context], Client]
