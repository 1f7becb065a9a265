"""What the three clusters hold when they are new: nodes, rights, KAI, queues, workloads, models that already run.

Read from `data/*.yaml`; nothing is seeded into a cluster that has nodes already (a sandbox that was stopped and is
started again). Every node says that it is simulated. Hosted models are made in `modelseeds`.
"""

from __future__ import annotations

import importlib.resources
from typing import Any

import yaml

from sealane.sandbox.world import kaiseeds, modelseeds, objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj

SIMULATED = "sandbox.sealane.dev/simulated"
CLUSTERS = ("harbor-eu", "atlas-us", "bench")
_SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")
_VERSION = "v1.34.1"
_RBAC = "rbac.authorization.k8s.io"


def data(name: str) -> dict[str, Any]:
    """One data file of the package."""
    text = importlib.resources.files("sealane.sandbox.world").joinpath(f"data/{name}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def plant(cluster: Cluster, plan: dict[str, Any]) -> bool:
    """Fill a new cluster; False, and nothing done, where there are nodes already."""
    if plan["kai"]:
        kaiseeds.serve(cluster)
    if cluster.list("nodes"):
        return False
    for name in _SYSTEM:
        _namespace(cluster, {"name": name})
    for entry in plan["namespaces"]:
        _namespace(cluster, entry)
    _rights(cluster)
    for number, entry in enumerate(plan["nodes"], start=1):
        _node(cluster, entry, plan, number)
    _put(cluster, "storageclasses", _storage_class())
    for entry in plan.get("quotas", ()):
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": entry["hard"]}}
        _put(cluster, "resourcequotas", body | {"metadata": {"name": entry["name"], "namespace": entry["namespace"]}})
    if plan.get("system", True):
        _system_workloads(cluster)
    if plan["kai"]:
        for plural, body in kaiseeds.objects_of(data("kai"), plan):
            _put(cluster, plural, body)
        for entry in kaiseeds.programs(data("kai")) if plan.get("system", True) else ():
            _deployment(cluster, entry)
    _workloads(cluster, plan)
    return True


def _workloads(cluster: Cluster, plan: dict[str, Any]) -> None:
    for entry in plan["models"]:
        if not entry.get("late"):
            _model(cluster, entry, kai=plan["kai"])
    for entry in plan["deployments"]:
        _deployment(cluster, entry)
    for entry in plan["jobs"]:
        if not entry.get("late"):
            _put(cluster, "jobs", _job(entry))


def plant_late(cluster: Cluster, plan: dict[str, Any]) -> None:
    """What must come after all else runs: the model and the job that find their queue full."""
    for entry in plan["models"]:
        if entry.get("late"):
            _model(cluster, entry, kai=plan["kai"])
    for entry in plan["jobs"]:
        if entry.get("late"):
            _put(cluster, "jobs", _job(entry))


def _model(cluster: Cluster, entry: dict[str, Any], *, kai: bool) -> None:
    for plural, body in modelseeds.manifests(entry, kai=kai):
        _put(cluster, plural, body, manager="sealane")


def _put(cluster: Cluster, plural: str, body: Obj, *, manager: str = "kubectl-client-side-apply") -> Obj:
    """Create unless it is there; a status in the body is written apart, as the API demands."""
    namespace, name = objects.key(body)
    if cluster.get(plural, namespace, name) is None:
        cluster.create(plural, body, manager=manager)
    status = body.get("status")
    if status:

        def change(obj: Obj) -> None:
            obj["status"] = status

        cluster.change(plural, namespace, name, change, manager=manager, subresource="status")
    return cluster.get(plural, namespace, name) or body


def _namespace(cluster: Cluster, entry: dict[str, Any]) -> None:
    labels = {"kubernetes.io/metadata.name": entry["name"]}
    if entry.get("enforce"):
        labels |= {f"pod-security.kubernetes.io/{mode}": entry["enforce"] for mode in ("enforce", "warn")}
    _put(
        cluster,
        "namespaces",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": entry["name"], "labels": labels},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        },
    )


def _node(cluster: Cluster, entry: dict[str, Any], plan: dict[str, Any], number: int) -> None:
    name = entry["name"]
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": plan["region"],
        "topology.kubernetes.io/zone": plan["zone"],
        SIMULATED: "true",
    }
    if entry.get("gpus"):
        labels |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.count": str(entry["gpus"]),
            "nvidia.com/gpu.memory": str(entry["gpu_mib"]),
            "nvidia.com/gpu.product": entry["product"],
        }
    notes = {SIMULATED: f"Sealane sandbox, {plan['city']}"}
    body: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": notes},
        "spec": {"podCIDR": f"{plan['address']}.{number}.0/24", "providerID": f"simulated://{cluster.name}/{name}"},
        "status": _node_status(entry, address=f"{plan['address']}.0.{number}", now=cluster.clock.stamp()),
    }
    _put(cluster, "nodes", body, manager="kubelet")


def _node_status(entry: dict[str, Any], *, address: str, now: str) -> Obj:
    name = entry["name"]
    capacity = {"cpu": entry["cpu"], "memory": entry["memory"], "pods": "110", "ephemeral-storage": "500Gi"}
    if entry.get("gpus"):
        capacity["nvidia.com/gpu"] = str(entry["gpus"])
    words = {"Ready": ("True", "KubeletReady", "kubelet is posting ready status")}
    for pressure in ("Memory", "Disk", "PID"):
        text = f"kubelet has no {pressure.lower()} pressure"
        words[f"{pressure}Pressure"] = ("False", f"KubeletHasNo{pressure}Pressure", text)
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [
            {"type": kind, "status": status, "reason": reason, "message": text, **times}
            for kind, (status, reason, text) in words.items()
        ],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "kubeletVersion": _VERSION,
            "kubeProxyVersion": "",
            "osImage": "Sealane sandbox (simulated)",
            "architecture": "amd64",
            "operatingSystem": "linux",
            "kernelVersion": "simulated",
            "containerRuntimeVersion": "simulated://1",
            "machineID": name,
            "systemUUID": name,
            "bootID": name,
        },
    }


def _storage_class() -> Obj:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "csi.sandbox.sealane.dev",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }


def _rights(cluster: Cluster) -> None:
    roles = data("roles")
    for name, rules in roles["aggregated"].items():
        _aggregated(cluster, name, rules)
    for name, rules in roles["cluster_roles"].items():
        body = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
        _put(cluster, "clusterroles", body)
    for entry in roles["cluster_bindings"]:
        _put(cluster, "clusterrolebindings", _binding(entry, "ClusterRoleBinding"))
    for entry in roles["bindings"]:
        if cluster.get("namespaces", "", entry["namespace"]) is not None:
            _put(cluster, "rolebindings", _binding(entry, "RoleBinding"))


def _aggregated(cluster: Cluster, name: str, rules: list[Obj]) -> None:
    """admin, edit and view: made of all ClusterRoles that are labelled for them, so that others can add rights."""
    prefix = f"{_RBAC}/aggregate-to-"
    above = {"view": "edit", "edit": "admin"}
    head = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole"}
    part = {"name": f"system:aggregate-to-{name}", "labels": {f"{prefix}{name}": "true"}}
    _put(cluster, "clusterroles", {**head, "metadata": part, "rules": rules})
    meta: Obj = {"name": name} | ({"labels": {f"{prefix}{above[name]}": "true"}} if name in above else {})
    chosen = {"clusterRoleSelectors": [{"matchLabels": {f"{prefix}{name}": "true"}}]}
    _put(cluster, "clusterroles", {**head, "metadata": meta, "aggregationRule": chosen, "rules": rules})


def _binding(entry: dict[str, Any], kind: str) -> Obj:
    who = ("Group", entry["group"]) if "group" in entry else ("User", entry["user"])
    meta = {"name": entry["name"], **({"namespace": entry["namespace"]} if "namespace" in entry else {})}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": meta,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": entry["role"]},
        "subjects": [{"apiGroup": _RBAC, "kind": who[0], "name": who[1]}],
    }


def _system_workloads(cluster: Cluster) -> None:
    images = {"coredns": "coredns/coredns:v1.12.1", "csi-provisioner": "sig-storage/csi-provisioner:v5.3.0"}
    for name, image in images.items():
        entry = {"name": name, "namespace": "kube-system", "image": f"registry.k8s.io/{image}"}
        extra: dict[str, Any] = {"replicas": 2, "port": 53} if name == "coredns" else {}
        _deployment(cluster, entry | {"cpu": "100m", "memory": "70Mi"} | extra)
    labels = {"k8s-app": "kube-proxy"}
    container = {"name": "kube-proxy", "image": f"registry.k8s.io/kube-proxy:{_VERSION}"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [container], "hostNetwork": True, "tolerations": [{"operator": "Exists"}]},
        },
    }
    meta = {"name": "kube-proxy", "namespace": "kube-system", "labels": labels}
    _put(cluster, "daemonsets", {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": spec})


def _deployment(cluster: Cluster, entry: dict[str, Any]) -> None:
    name, namespace = entry["name"], entry["namespace"]
    labels = {"app.kubernetes.io/name": name}
    if entry.get("managed_by"):
        labels["app.kubernetes.io/managed-by"] = entry["managed_by"]
    selector = {"app.kubernetes.io/name": name}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels | _queue_labels(entry)},
        "spec": {
            "replicas": entry.get("replicas", 1),
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels | _queue_labels(entry)},
                "spec": _pod(entry, restart="Always"),
            },
        },
    }
    _put(cluster, "deployments", body)
    if entry.get("port"):
        port = {"name": "http", "port": 80, "targetPort": entry["port"], "protocol": "TCP"}
        meta = {"name": name, "namespace": namespace, "labels": labels}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": meta}
        _put(cluster, "services", service | {"spec": {"selector": selector, "ports": [port], "type": "ClusterIP"}})


def _job(entry: dict[str, Any]) -> Obj:
    count = entry["pods"]
    notes = {"sandbox.sealane.dev/runs-for": str(entry.get("runs_for", 31_536_000))}
    gang = {"kai.scheduler/batch-min-member": str(count)} if entry.get("gang") else {}
    labels = {"app.kubernetes.io/name": entry["name"]} | _queue_labels(entry)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": entry["name"],
            "namespace": entry["namespace"],
            "labels": labels,
            "annotations": gang,
        },
        "spec": {
            "parallelism": count,
            "completions": count,
            "template": {
                "metadata": {"labels": dict(labels), "annotations": notes},
                "spec": _pod(entry, restart="Never"),
            },
        },
    }


def _queue_labels(entry: dict[str, Any]) -> dict[str, str]:
    labels = {"kai.scheduler/queue": entry["queue"]} if entry.get("queue") else {}
    return labels | ({"priorityClassName": entry["priority"]} if entry.get("priority") else {})


def _pod(entry: dict[str, Any], *, restart: str) -> Obj:
    resources: Obj = {"requests": {"cpu": entry["cpu"], "memory": entry["memory"]}}
    if entry.get("gpus"):
        resources["limits"] = {"nvidia.com/gpu": str(entry["gpus"])}
    container: Obj = {"name": entry["name"], "image": entry["image"], "resources": resources}
    if entry.get("port"):
        container["ports"] = [{"name": "http", "containerPort": entry["port"]}]
    if entry.get("args"):
        container["args"] = entry["args"]
    spec: Obj = {"containers": [container], "restartPolicy": restart}
    if entry.get("queue"):
        spec["schedulerName"] = "kai-scheduler"
    if entry.get("node"):
        spec["nodeSelector"] = {"kubernetes.io/hostname": entry["node"]}
    return spec
