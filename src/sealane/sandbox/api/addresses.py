"""Addresses and ports that the server gives out: service addresses (10.96.0.0/16) and node ports (30000 to 32767)."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Final

from sealane.sandbox.api import errors, kinds
from sealane.sandbox.api.causes import invalid
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj

_SERVICES: Final = ipaddress.ip_network("10.96.0.0/16")
_NODE_PORTS: Final = range(30000, 32768)


def free_cluster_ip(store: Store) -> str:
    """An address that no service of the cluster has. Raises StatusError when all are taken."""
    taken = {(item.get("spec") or {}).get("clusterIP") for item in store.list(kinds.SERVICES)}
    for _ in range(1000):
        address = f"10.96.{secrets.randbelow(255)}.{1 + secrets.randbelow(254)}"
        if address not in taken:
            return address
    raise StatusError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def check_cluster_ip(service: Obj) -> None:
    """Raises StatusError (422) for an address that is not of the services' range."""
    text = service["spec"].get("clusterIP") or "None"
    if text == "None":
        return
    try:
        within = ipaddress.ip_address(text) in _SERVICES
    except ValueError:
        return  # the checks of fields say what is wrong with it
    if not within:
        why = f"failed to allocate IP {text}: the provided network does not match the current range"
        cause = invalid("spec.clusterIPs", [text], why)
        raise errors.invalid("", "Service", service["metadata"].get("name", ""), [cause])


def check_node_ports(store: Store, service: Obj) -> None:
    """Raises StatusError (422) for a node port outside of the range, or of another service."""
    own = service["metadata"].get("uid")
    others = [each for each in store.list(kinds.SERVICES) if each["metadata"].get("uid") != own]
    taken = {port.get("nodePort") for each in others for port in (each.get("spec") or {}).get("ports") or ()}
    causes = []
    for index, port in enumerate(service["spec"].get("ports") or ()):
        number = port.get("nodePort")
        why = "provided port is already allocated" if number in taken else ""
        if number and number not in _NODE_PORTS:
            why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        if number and why:
            causes.append(invalid(f"spec.ports[{index}].nodePort", number, why))
    if causes:
        raise errors.invalid("", "Service", service["metadata"].get("name", ""), causes)


def free_node_port(store: Store, also: Obj) -> int:
    """A node port that no service has, nor the one being made. Raises StatusError when all are taken."""
    specs = [item.get("spec") or {} for item in store.list(kinds.SERVICES)]
    taken = {port.get("nodePort") for spec in (*specs, also) for port in spec.get("ports") or ()}
    left = [port for port in _NODE_PORTS if port not in taken]
    if not left:
        raise StatusError(500, "InternalError", "failed to allocate a nodePort: range is full")
    return secrets.choice(left)
