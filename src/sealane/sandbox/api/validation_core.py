"""What is wrong with the small objects of the core group: secrets, config maps, services, endpoints, nodes, leases.

Each check adds its causes in the order in which the server lists them. What needs the other objects of the cluster (an
address or a node port that is taken) is not here: the server's own fields are (`strategies`).
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from typing import Any, Final

from sealane.sandbox.api.causes import duplicate, forbidden, invalid, required, unsupported
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_ACCOUNT: Final = "kubernetes.io/service-account.name"
_FIXED: Final = "field is immutable when `immutable` is set"
_KEYS: Final = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_KEY_WORDS: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_OF_EVERY_VOLUME: Final = frozenset(
    {
        "capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions",
        "volumeMode", "nodeAffinity", "volumeAttributesClassName",
    }
)  # fmt: skip
_PORT_NAME_WORDS: Final = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
_ADDRESS_WORDS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def config(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """What is wrong with a ConfigMap."""
    both = set(new.get("data") or {}) & set(new.get("binaryData") or {})
    for key in new.get("data") or {}:
        _key(key, causes)
        if key in both:
            causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    _kept(new, old, causes)


def secret(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """What is wrong with a Secret: its type says which keys it has."""
    kind, data = new.get("type") or "Opaque", new.get("data") or {}
    for key in data:
        _key(key, causes)
    if old is not None and kind != (old.get("type") or "Opaque"):
        causes.append(invalid("type", kind, "field is immutable"))
    _kept(new, old, causes)
    if kind == "kubernetes.io/service-account-token" and not (new["metadata"].get("annotations") or {}).get(_ACCOUNT):
        causes.append(required(f"metadata.annotations[{_ACCOUNT}]"))
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        causes += [required("data[username]"), required("data[password]")]
    causes += [required(f"data[{key}]") for key in _KEYS.get(kind, ()) if key not in data]
    if kind.startswith("kubernetes.io/dockerc"):
        for key in _KEYS[kind]:
            if key in data and not _is_json(data[key]):
                causes.append(invalid(f"data[{key}]", "<secret contents redacted>", "is not JSON"))


def service_ports(spec: Obj, causes: list[Cause]) -> None:
    """What is wrong with the ports of a Service."""
    ports = spec.get("ports") or []
    names: set[str] = set()
    for index, port in enumerate(ports):
        place = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if len(ports) > 1 and not name:
            causes.append(required(f"{place}.name"))
        if name and name in names:
            causes.append(duplicate(f"{place}.name", name))
        names.add(name)
        if not 1 <= int(port["port"]) <= 65535:
            causes.append(invalid(f"{place}.port", port["port"], "must be between 1 and 65535, inclusive"))
        target = port.get("targetPort", port["port"])
        if isinstance(target, int) and not 1 <= target <= 65535:
            causes.append(invalid(f"{place}.targetPort", target, "must be between 1 and 65535, inclusive"))
        elif isinstance(target, str) and not re.fullmatch("[-a-z0-9]+", target):
            causes.append(invalid(f"{place}.targetPort", target, _PORT_NAME_WORDS))
    _same_ports(ports, causes)


def _same_ports(ports: list[Obj], causes: list[Cause]) -> None:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port["port"], port.get("protocol", "TCP"))
        if key in seen:
            shown = {
                "Name": "", "Protocol": key[1], "AppProtocol": None, "Port": key[0], "TargetPort": 0, "NodePort": 0
            }  # fmt: skip
            causes.append(duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)


def service_kind(spec: Obj, causes: list[Cause]) -> None:
    """What is wrong with how a Service is reached."""
    kind, policy, address = spec.get("type"), spec.get("externalTrafficPolicy"), spec.get("clusterIP")
    if kind == "ExternalName" and not spec.get("externalName"):
        causes.append(required("spec.externalName"))
    if policy and policy not in {"Cluster", "Local"}:
        causes.append(unsupported("spec.externalTrafficPolicy", policy, ("Cluster", "Local")))
    if address and address != "None" and not _is_address(address):
        causes.append(invalid("spec.clusterIPs[0]", address, _ADDRESS_WORDS))


def endpoints(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Addresses that nobody else could reach are refused."""
    for number, subset in enumerate(new.get("subsets") or ()):
        for index, each in enumerate(subset.get("addresses") or ()):
            text = each.get("ip") or ""
            field = f"subsets[{number}].addresses[{index}].ip"
            if not _is_address(text):
                causes.append(invalid(field, text, _ADDRESS_WORDS))
            elif ipaddress.ip_address(text).is_loopback:
                causes.append(invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))


def node(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """What is wrong with a Node: its taints, and a range of pod addresses that moves."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((new.get("spec") or {}).get("taints") or ()):
        field, key = f"metadata.taints[{index}]", (taint.get("key") or "", taint.get("effect") or "")
        if not key[1]:
            causes.append(required(f"{field}.effect"))
        elif key in seen:
            shown = {"Key": key[0], "Value": taint.get("value") or "", "Effect": key[1], "TimeAdded": None}
            text = duplicate(field, shown).message + ": taints must be unique by key and effect pair"
            causes.append(Cause("FieldValueDuplicate", text, field))
        seen.add(key)
    before = ((old or {}).get("spec") or {}).get("podCIDRs")
    if before and before != (new.get("spec") or {}).get("podCIDRs"):
        why = 'node updates may not change podCIDR except from "" to valid'
        causes.append(forbidden("spec.podCIDRs", why))


def volume(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """What is wrong with a PersistentVolume: it has a size, and something it is made of."""
    spec = new.get("spec") or {}
    if not spec.get("capacity"):
        causes += [required("spec.capacity"), unsupported("spec.capacity", None, ("storage",))]
    if not set(spec) - _OF_EVERY_VOLUME:
        causes.append(required("spec", "must specify a volume type"))


def lease(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """A lease lasts some time."""
    seconds = (new.get("spec") or {}).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))


def storage_class(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Who provisions volumes stays."""
    if old is not None and new.get("provisioner") != old.get("provisioner"):
        causes.append(forbidden("provisioner", "updates to provisioner are forbidden."))


def event(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """An event lies beside what it is about; one with a time of its own says more."""
    about = (new.get("involvedObject") or {}).get("namespace") or ""
    if about and about != new["metadata"].get("namespace"):
        causes.append(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    if old is None and new.get("eventTime"):
        if not new.get("action"):
            causes.append(required("action"))
        if new.get("type") not in {"Normal", "Warning"}:
            causes.append(invalid("type", "", f"has invalid value: {new.get('type') or ''}"))


def _key(key: str, causes: list[Cause]) -> None:
    if not re.fullmatch(r"[-._a-zA-Z0-9]+", key) or len(key) > 253:
        causes.append(invalid(f"data[{key}]", key, _KEY_WORDS))


def _kept(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """What is immutable stays, and stays so."""
    if old is None or not old.get("immutable"):
        return
    if not new.get("immutable"):
        causes.append(forbidden("immutable", _FIXED))
    if old.get("data") != new.get("data"):
        causes.append(forbidden("data", _FIXED))


def _is_json(text: str) -> bool:
    try:
        json.loads(base64.b64decode(text))
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
