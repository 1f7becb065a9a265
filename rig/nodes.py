"""The machines of a cluster: Node objects with GPUs, and the heartbeat that keeps them Ready.

The GPUs exist in the labels and capacities alone, which is all that schedulers look at. A node whose heartbeat is held
back goes NotReady the way a lost machine does: after the controller manager's grace period, with its taints.
"""

from __future__ import annotations

import datetime
import http.client
import logging
import threading
from dataclasses import dataclass, field

from rig import namespace
from rig.api import Api, JsonObject, Refused

_LOG = logging.getLogger(__name__)
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_BEAT = 3.0  # seconds; the lease lives for 40


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a machine offers. `gpu_memory` is MiB per GPU; `zone` is `REGION-ZONE` as clouds name them."""

    name: str
    gpus: int = 0
    gpu_memory: int = 0
    product: str = ""
    region: str = "eu-central-1"
    zone: str = "eu-central-1a"
    cpu: str = "32"
    memory: str = "256Gi"


GPU_NODES = (
    Node(name="gpu-a", gpus=4, gpu_memory=81559, product="NVIDIA-H100-80GB-HBM3"),
    Node(name="gpu-b", gpus=2, gpu_memory=24564, product="NVIDIA-GeForce-RTX-4090", zone="eu-central-1b"),
)


def stamp(*, micro: bool = False) -> str:
    """Now, as Kubernetes writes Time (or MicroTime)."""
    now = datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def register(api: Api, node: Node, *, address: str) -> None:
    """Create the Node and report it Ready; its kubelet listens on `address`, which is added to the rig's network."""
    namespace.add_address(f"{address}/32")
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": _labels(node)}}
    api.apply(f"/api/v1/nodes/{node.name}", body)
    capacity = {"cpu": node.cpu, "memory": node.memory, "pods": "110", "ephemeral-storage": "500Gi"}
    if node.gpus:
        capacity["nvidia.com/gpu"] = str(node.gpus)
    status = {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [_condition(name) for name in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": node.name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": _info(node),
    }
    api.patch(f"/api/v1/nodes/{node.name}/status", {"status": status})


def _labels(node: Node) -> dict[str, str]:
    labels = {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": node.region,
        "topology.kubernetes.io/zone": node.zone,
    }
    if node.gpus:
        labels |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.count": str(node.gpus),
            "nvidia.com/gpu.memory": str(node.gpu_memory),
            "nvidia.com/gpu.product": node.product,
        }
    return labels


def _condition(kind: str) -> JsonObject:
    status = "True" if kind == "Ready" else "False"
    now = stamp()
    return {"type": kind, "status": status, "reason": "Rig", "lastHeartbeatTime": now, "lastTransitionTime": now}


def _info(node: Node) -> dict[str, str]:
    names = ("machineID", "systemUUID", "bootID")
    return dict.fromkeys(names, node.name) | {
        "kubeletVersion": "v1.34.1",
        "kubeProxyVersion": "",
        "osImage": "rig",
        "architecture": "amd64",
        "operatingSystem": "linux",
        "kernelVersion": "6",
        "containerRuntimeVersion": "rig://1",
    }


@dataclass
class Heartbeat:
    """Renews the leases of `names` until stopped; a name in `silent` is left to die."""

    api: Api
    names: tuple[str, ...]
    silent: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="rig-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """End within a beat."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            for name in self.names:
                if name not in self.silent:
                    self._beat(name)
            self._stop.wait(_BEAT)

    def _beat(self, name: str) -> None:
        try:
            self._renew(name)
            conditions = self.api.get(f"/api/v1/nodes/{name}")["status"].get("conditions", [])
            if any(c["type"] == "Ready" and c["status"] != "True" for c in conditions):
                fresh = [_condition(c["type"]) for c in conditions]  # set back by the node controller
                self.api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": fresh}})
        except (OSError, http.client.HTTPException, Refused) as error:
            _LOG.debug("no heartbeat for %s: %s", name, error)  # the control plane may be down on purpose

    def _renew(self, name: str) -> None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": stamp(micro=True)}
        try:
            self.api.patch(f"{_LEASES}/{name}", {"spec": spec})
        except Refused as error:
            if error.status != 404:
                raise
            self.api.post(_LEASES, {"metadata": {"name": name}, "spec": spec})
