"""Checks of Ingress and NetworkPolicy: paths, hosts, backends, peers and ports."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from sealane.sandbox.api.causes import (
    PORT_WORDS,
    SUBDOMAIN,
    SUBDOMAIN_WORDS,
    forbidden,
    invalid,
    label_selector,
    required,
    unsupported,
)
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_CIDR: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def ingress(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with an Ingress."""
    spec = new.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        causes.append(invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend"):
        _backend(spec["defaultBackend"], "spec.defaultBackend", causes)
    for index, rule in enumerate(spec.get("rules") or ()):
        place = f"spec.rules[{index}]"
        _host(str(rule.get("host") or ""), f"{place}.host", causes)
        if rule.get("http") is not None:
            paths = rule["http"].get("paths") or ()
            if not paths:
                causes.append(required(f"{place}.http.paths"))
            for number, path in enumerate(paths):
                _path(path, f"{place}.http.paths[{number}]", causes)


def _host(host: str, place: str, causes: list[Cause]) -> None:
    if not host:
        return
    if _is_address(host):
        causes.append(invalid(place, host, "must be a DNS name, not an IP address"))
    elif not re.fullmatch(SUBDOMAIN, host.removeprefix("*.")):
        causes.append(invalid(place, host, SUBDOMAIN_WORDS))


def _path(path: Obj, place: str, causes: list[Cause]) -> None:
    kind = path.get("pathType")
    if not kind:
        causes.append(required(f"{place}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        causes.append(unsupported(f"{place}.pathType", kind, _PATH_TYPES))
    elif not str(path.get("path") or "").startswith("/") and (kind != "ImplementationSpecific" or path.get("path")):
        causes.append(invalid(f"{place}.path", path.get("path") or "", "must be an absolute path"))
    _backend(path.get("backend") or {}, f"{place}.backend", causes)


def _backend(backend: Obj, place: str, causes: list[Cause]) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        causes.append(invalid(place, "", "cannot set both resource and service backends"))
    elif not service and not resource:
        causes.append(required(place, "resource or service backend is required"))
    elif service:
        port = service.get("port") or {}
        if not service.get("name"):
            causes.append(required(f"{place}.service.name"))
        if port.get("name") and port.get("number"):
            causes.append(invalid(place, "", "cannot set both port name & port number"))
        elif not port.get("name") and not port.get("number"):
            causes.append(required(place, "port name or number is required"))
        elif port.get("number") and not 1 <= port["number"] <= 65535:
            causes.append(invalid(f"{place}.service.port.number", port["number"], PORT_WORDS))


def policy(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a NetworkPolicy."""
    spec = new.get("spec") or {}
    label_selector(spec.get("podSelector"), "spec.podSelector", causes)
    for way, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(way) or ()):
            place = f"spec.{way}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                _port(port, f"{place}.ports[{number}]", causes)
            for number, peer in enumerate(rule.get(peers) or ()):
                _peer(peer, f"{place}.{peers}[{number}]", causes)
    types = spec.get("policyTypes") or ()
    if len(types) > 2:
        causes.append(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
        return
    for index, kind in enumerate(types):
        if kind not in {"Ingress", "Egress"}:
            causes.append(unsupported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress"), as_given=True))


def _port(port: Obj, place: str, causes: list[Cause]) -> None:
    if port.get("protocol") not in _PROTOCOLS:
        causes.append(unsupported(f"{place}.protocol", port.get("protocol"), _PROTOCOLS, as_given=True))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        if not 1 <= number <= 65535:
            causes.append(invalid(f"{place}.port", number, PORT_WORDS))
        if end is not None and end < number:
            causes.append(invalid(f"{place}.endPort", number, "must be greater than or equal to `port`"))
    elif end is not None:
        if number is None:
            causes.append(required(f"{place}.endPort", "`port` must be specified when `endPort` is set"))
        else:
            causes.append(invalid(f"{place}.endPort", end, "may not be specified when `port` is non-numeric"))


def _peer(peer: Obj, place: str, causes: list[Cause]) -> None:
    chosen = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(key) is not None]
    for key in chosen:
        if key != "ipBlock":
            label_selector(peer[key], f"{place}.{key}", causes)
    if not chosen:
        causes.append(required(place, "must specify a peer"))
    elif "ipBlock" in chosen and len(chosen) > 1:
        causes.append(forbidden(place, "may not specify both ipBlock and another peer"))
    elif "ipBlock" in chosen:
        _block(peer["ipBlock"], f"{place}.ipBlock", causes)


def _block(block: Obj, place: str, causes: list[Cause]) -> None:
    whole = _range(block.get("cidr"))
    if not block.get("cidr"):
        causes.append(required(f"{place}.cidr"))
    elif whole is None:
        causes.append(invalid(f"{place}.cidr", block["cidr"], _CIDR))
    if whole is None:
        return
    for index, text in enumerate(block.get("except") or ()):
        part = _range(text)
        if part is None:
            causes.append(invalid(f"{place}.except[{index}]", text, _CIDR))
        elif part.version != whole.version or part == whole or not _inside(part, whole):
            causes.append(invalid(f"{place}.except[{index}]", text, "must be a strict subset of `cidr`"))


def _inside(part: Any, whole: Any) -> bool:
    return bool(part.subnet_of(whole))


def _range(text: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not isinstance(text, str) or "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
