"""Addresses and ports that the server gives out: service addresses (10.96.0.0/16) and node ports (30000 to 32767)."""

from __future__ import annotations

import secrets
from typing import Final

from sealane.sandbox.api import kinds
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj

_NODE_PORTS: Final = range(30000, 32768)


def free_cluster_ip(store: Store) -> str:
    """An address that no service of the cluster has. Raises StatusError when all are taken."""
    taken = {(item.get("spec") or {}).get("clusterIP") for item in store.list(kinds.SERVICES)}
    for _ in range(1000):
        address = f"10.96.{secrets.randbelow(255)}.{1 + secrets.randbelow(254)}"
        if address not in taken:
            return address
    raise StatusError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def free_node_port(store: Store, also: Obj) -> int:
    """A node port that no service has, nor the one being made. Raises StatusError when all are taken."""
    specs = [item.get("spec") or {} for item in store.list(kinds.SERVICES)]
    taken = {port.get("nodePort") for spec in (*specs, also) for port in spec.get("ports") or ()}
    left = [port for port in _NODE_PORTS if port not in taken]
    if not left:
        raise StatusError(500, "InternalError", "failed to allocate a nodePort: range is full")
    return secrets.choice(left)
