"""What the server itself adds to an object and nobody owns: addresses, finalizers, the first status.

Defaults (`defaults`) belong to who wrote the object, as managedFields shows; these do not. A status starts as Go writes
an empty one: counts that are not optional are there as zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sealane.sandbox.api import addresses, kinds
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj

_ZEROS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    kinds.REPLICASETS.key: ("replicas",),
    kinds.STATEFULSETS.key: ("replicas", "availableReplicas"),
    kinds.DAEMONSETS.key: ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"),
}


def complete(store: Store, kind: Kind, new: Obj, old: Obj | None) -> None:
    """Add the server's own fields in place."""
    if kind.custom:
        return
    if old is None and kind.has_status:
        status = new.setdefault("status", {})
        for name in _ZEROS.get(kind.key, ()):
            status.setdefault(name, 0)
    strategy = _STRATEGIES.get(kind.key)
    if strategy is not None:
        strategy(store, new, old)


def quality_of_service(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, by the rules of the QoS classes (cpu and memory only)."""
    asked = False
    guaranteed = True
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            asked = asked or name in limits or name in requests
            guaranteed = guaranteed and name in limits and requests.get(name, limits[name]) == limits[name]
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _pod(_store: Store, new: Obj, old: Obj | None) -> None:
    if old is None and isinstance(new.get("spec"), dict):
        new["status"].setdefault("phase", "Pending")
        new["status"].setdefault("qosClass", quality_of_service(new["spec"]))


def _namespace(_store: Store, new: Obj, old: Obj | None) -> None:
    if old is None:
        spec = new.get("spec") or {}
        new["spec"] = spec | {"finalizers": spec.get("finalizers") or ["kubernetes"]}
        new["status"].setdefault("phase", "Active")


def _node(_store: Store, new: Obj, old: Obj | None) -> None:
    """A node that a person makes has the whole empty status that Go writes; nothing has reported yet."""
    if old is None:
        info = ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion")
        more = ("kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture")
        new["status"].setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
        new["status"].setdefault("nodeInfo", dict.fromkeys((*info, *more), ""))


def _statefulset(_store: Store, new: Obj, _old: Obj | None) -> None:
    new["spec"].setdefault("serviceName", "")


def _claim(_store: Store, new: Obj, old: Obj | None) -> None:
    if old is None:
        new["metadata"].setdefault("finalizers", ["kubernetes.io/pvc-protection"])
        new["status"].setdefault("phase", "Pending")


def _job(_store: Store, new: Obj, old: Obj | None) -> None:
    spec = new["spec"]
    if old is not None or spec.get("selector"):
        return
    uid, name = new["metadata"]["uid"], new["metadata"]["name"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    for labels in (template.setdefault("labels", {}), new["metadata"].setdefault("labels", {})):
        for prefix in ("batch.kubernetes.io/", ""):
            labels[f"{prefix}controller-uid"] = uid
            labels[f"{prefix}job-name"] = name


def _service(store: Store, new: Obj, old: Obj | None) -> None:
    spec = new["spec"]
    if old is None:
        new["status"].setdefault("loadBalancer", {})
    if spec["type"] == "ExternalName":
        return
    before = (old or {}).get("spec") or {}
    if old is None:
        addresses.check_cluster_ip(new)
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or addresses.free_cluster_ip(store)
    both = spec["clusterIP"] == "None" and not spec.get("selector")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", before.get("ipFamilies") or (["IPv4", "IPv6"] if both else ["IPv4"]))
    spec.setdefault("ipFamilyPolicy", before.get("ipFamilyPolicy") or ("RequireDualStack" if both else "SingleStack"))
    if before.get("type") in {"NodePort", "LoadBalancer"} and spec["type"] == "ClusterIP":
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
        spec.pop("externalTrafficPolicy", None)
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        addresses.check_node_ports(store, new)
        known = {port["port"]: port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = known.get(port["port"]) or addresses.free_node_port(store, spec)


_STRATEGIES: Final[dict[tuple[str, str], Callable[[Store, Obj, Obj | None], None]]] = {
    kinds.PODS.key: _pod,
    kinds.NAMESPACES.key: _namespace,
    kinds.NODES.key: _node,
    kinds.PVCS.key: _claim,
    kinds.STATEFULSETS.key: _statefulset,
    kinds.JOBS.key: _job,
    kinds.SERVICES.key: _service,
}
