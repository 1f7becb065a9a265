"""Columns of the built-in kinds, as `kubectl get` shows them, and which function fills them.

Names and order follow the server's own printers; columns of priority 1 appear only with `-o wide`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from sealane.sandbox.api import cells, kinds
from sealane.sandbox.api.values import Obj


class Column(msgspec.Struct, frozen=True):
    """One column of a table."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    about: str = ""

    def definition(self) -> Obj:
        """As a table describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.about or self.name,
            "priority": self.priority,
        }


_TYPES: Final = {"i": "integer", "b": "boolean", "d": "date"}
NAME: Final = Column("Name", format="name", about="Name of the object, unique in its namespace.")
AGE: Final = Column("Age", about="Time since it was created.")
Cells = Callable[[Obj, datetime.datetime], Sequence[Any]]


def _columns(text: str) -> list[Column]:
    """`Name,Ready,Up-to-date:i,Images:w` → columns; `i` `b` `d` mark numbers, booleans and dates, `n` a name,
    `w` what only `-o wide` shows."""
    made = []
    for part in text.split(","):
        name, _, mark = part.partition(":")
        known = {"Name": NAME, "Age": AGE}.get(name)
        kind = next((_TYPES[letter] for letter in mark if letter in _TYPES), "string")
        plain = Column(name, kind, format="name" if "n" in mark else "", priority=1 if "w" in mark else 0)
        made.append(plain if mark or known is None else known)
    return made


SCALE: Final[Sequence[Column]] = _columns("Name,Desired:i,Available:i,Age")
_WIDE = "Containers:w,Images:w,Selector:w"
PLAIN: Final[tuple[Sequence[Column], Cells]] = (_columns("Name,Age"), cells.plain)
PRINTERS: Final[dict[tuple[str, str], tuple[Sequence[Column], Cells]]] = {
    kind.key: (_columns(columns), fill)
    for kind, columns, fill in (
        (kinds.PODS, "Name,Ready,Status,Restarts,Age,IP:w,Node:w,Nominated Node:w,Readiness Gates:w", cells.pod),
        (kinds.DEPLOYMENTS, f"Name,Ready,Up-to-date,Available,Age,{_WIDE}", cells.deployment),
        (kinds.REPLICASETS, f"Name,Desired:i,Current:i,Ready:i,Age,{_WIDE}", cells.replicaset),
        (kinds.STATEFULSETS, "Name,Ready,Age,Containers:w,Images:w", cells.statefulset),
        (
            kinds.DAEMONSETS,
            f"Name,Desired:i,Current:i,Ready:i,Up-to-date:i,Available:i,Node Selector,Age,{_WIDE}",
            cells.daemonset,
        ),
        (kinds.JOBS, f"Name,Status,Completions,Duration,Age,{_WIDE}", cells.job),
        (kinds.CRONJOBS, f"Name,Schedule,Timezone,Suspend,Active:i,Last Schedule,Age,{_WIDE}", cells.cronjob),
        (kinds.SERVICES, "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector:w", cells.service),
        (kinds.NAMESPACES, "Name,Status,Age", cells.namespace),
        (
            kinds.NODES,
            "Name,Status,Roles,Age,Version,Internal-IP:w,External-IP:w,OS-Image:w,Kernel-Version:w,Container-Runtime:w",
            cells.node,
        ),
        (
            kinds.PVCS,
            "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode:w",
            cells.pvc,
        ),
        (
            kinds.PVS,
            "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,"
            "VolumeMode:w",
            cells.pv,
        ),
        (
            kinds.STORAGECLASSES,
            "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age",
            cells.storageclass,
        ),
        (
            kinds.EVENTS,
            "Last Seen,Type,Reason,Object,Subobject:w,Source:w,Message,First Seen:w,Count:w,Name:wn",
            cells.event,
        ),
        (kinds.CONFIGMAPS, "Name,Data,Age", cells.configmap),
        (kinds.SECRETS, "Name,Type,Data,Age", cells.secret),
        (kinds.SERVICEACCOUNTS, "Name,Secrets,Age", cells.serviceaccount),
        (kinds.RESOURCEQUOTAS, "Name,Request,Limit,Age", cells.quota),
        (kinds.ENDPOINTS, "Name,Endpoints,Age", cells.endpoints),
        (kinds.ENDPOINTSLICES, "Name,AddressType,Ports,Endpoints,Age", cells.endpoint_slice),
        (kinds.PRIORITYCLASSES, "Name,Value:i,Global-Default:b,Age,PreemptionPolicy", cells.priority),
        (kinds.CRDS, "Name,Created At:d", cells.created_at),
        (kinds.LIMITRANGES, "Name,Created At:d", cells.created_at),
        (kinds.ROLES, "Name,Created At:d", cells.created_at),
        (kinds.CLUSTERROLES, "Name,Created At:d", cells.created_at),
        (kinds.ROLEBINDINGS, "Name,Role,Age,Users:w,Groups:w,ServiceAccounts:w", cells.binding),
        (kinds.CLUSTERROLEBINDINGS, "Name,Role,Age,Users:w,Groups:w,ServiceAccounts:w", cells.binding),
        (kinds.LEASES, "Name,Holder,Age", cells.lease),
        (kinds.PDBS, "Name,Min Available,Max Unavailable,Allowed Disruptions:i,Age", cells.budget),
        (kinds.NETWORKPOLICIES, "Name,Pod-Selector,Age", cells.network_policy),
        (kinds.HPAS, "Name,Reference,Targets,MinPods,MaxPods,Replicas:i,Age", cells.autoscaler),
        (kinds.CONTROLLERREVISIONS, "Name,Controller,Revision:i,Age", cells.revision),
        (kinds.INGRESSES, "Name,Class,Hosts,Address,Ports,Age", cells.ingress),
    )
}
