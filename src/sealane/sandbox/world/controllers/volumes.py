"""Claims become volumes: dynamic provisioning for the StorageClasses of the cluster.

`Immediate` classes bind at once; `WaitForFirstConsumer` waits until a pod that uses the claim has a node. A claim
without a class, in a cluster without a default one, stays Pending, with the real events. Generic ephemeral volumes
get their claim here too. Reclaim policy Delete removes the volume with its claim; `gone` tells whoever keeps data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT = "persistentvolume-controller"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROTECTION = "kubernetes.io/pvc-protection"


class VolumeController(Controller):
    """Binds PersistentVolumeClaims."""

    name = "persistentvolume"
    kinds = ("persistentvolumeclaims", "pods", "storageclasses")
    pace = 0.2

    def __init__(self, cluster: Cluster, *, gone: Callable[[str, str], None] = lambda _namespace, _name: None) -> None:
        super().__init__(cluster)
        self._gone = gone

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "persistentvolumeclaims":
            return (objects.key(obj),)
        if plural == "storageclasses":
            return [objects.key(claim) for claim in self.cluster.list("persistentvolumeclaims")]
        namespace = obj["metadata"]["namespace"]
        if change != "DELETED":
            self._ephemeral(obj)
        return [(namespace, name) for name in claims_of(obj)]

    def reconcile(self, key: Key) -> float | None:
        claim = self.cluster.get("persistentvolumeclaims", key[0], key[1])
        if claim is None:
            self._remove_volume(key)
            self._gone(key[0], key[1])
            return None
        if objects.deleting(claim):
            self._let_go(claim)
            return None
        if claim.get("status", {}).get("phase") == "Bound":
            return None
        self._bind(claim)
        return None

    def _let_go(self, claim: Obj) -> None:
        """A claim in use stays until its last pod is gone (pvc-protection)."""
        namespace, name = objects.key(claim)
        if any(name in claims_of(pod) for pod in self.cluster.list("pods", namespace)):
            return

        def change(obj: Obj) -> None:
            kept = [item for item in obj["metadata"].get("finalizers") or () if item != PROTECTION]
            obj["metadata"]["finalizers"] = kept
            if not kept:
                del obj["metadata"]["finalizers"]

        if PROTECTION in (claim["metadata"].get("finalizers") or ()):
            self.cluster.change("persistentvolumeclaims", namespace, name, change)

    def _bind(self, claim: Obj) -> None:
        found = self._class_of(claim)
        wanted = claim["spec"].get("storageClassName")
        if found is None and wanted:
            text = f'storageclass.storage.k8s.io "{wanted}" not found'
            self.cluster.event(claim, "ProvisioningFailed", text, component=COMPONENT, type="Warning")
            self._pending(claim)
            return
        if found is None:
            text = "no persistent volumes available for this claim and no storage class is set"
            self.cluster.event(claim, "FailedBinding", text, component=COMPONENT)
            self._pending(claim)
            return
        namespace, name = objects.key(claim)
        if found.get("volumeBindingMode") == "WaitForFirstConsumer":
            node = self._node_of(namespace, name)
            if not node:
                text = "waiting for first consumer to be created before binding"
                self.cluster.event(claim, "WaitForFirstConsumer", text, component=COMPONENT)
                self._pending(claim)
                return
            self.cluster.change("persistentvolumeclaims", namespace, name, _chosen(node))
        self._provision(claim, found)

    def _provision(self, claim: Obj, found: Obj) -> None:
        namespace, name = objects.key(claim)
        volume = f"pvc-{objects.uid(claim)}"
        size = claim["spec"].get("resources", {}).get("requests", {}).get("storage", "1Gi")
        modes = claim["spec"].get("accessModes") or ["ReadWriteOnce"]
        class_name = found["metadata"]["name"]
        if self.cluster.get("persistentvolumes", "", volume) is None:
            self.cluster.create("persistentvolumes", _volume(claim, volume, found, size=size, modes=modes))

        def spec(obj: Obj) -> None:
            obj["spec"].update(volumeName=volume, storageClassName=class_name)
            obj["spec"].setdefault("volumeMode", "Filesystem")
            notes = obj["metadata"].setdefault("annotations", {})
            notes["pv.kubernetes.io/bind-completed"] = notes["pv.kubernetes.io/bound-by-controller"] = "yes"
            finalizers = obj["metadata"].setdefault("finalizers", [])
            if PROTECTION not in finalizers:
                finalizers.append(PROTECTION)

        def status(obj: Obj) -> None:
            obj["status"] = {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}}

        self.cluster.change("persistentvolumeclaims", namespace, name, spec)
        self.cluster.change("persistentvolumeclaims", namespace, name, status, subresource="status")
        text = f"Successfully provisioned volume {volume}"
        self.cluster.event(claim, "ProvisioningSucceeded", text, component=found["provisioner"])

    def _pending(self, claim: Obj) -> None:
        def change(obj: Obj) -> None:
            obj.setdefault("status", {})["phase"] = "Pending"

        self.cluster.change("persistentvolumeclaims", *objects.key(claim), change, subresource="status")

    def _class_of(self, claim: Obj) -> Obj | None:
        wanted = claim["spec"].get("storageClassName")
        if wanted == "":
            return None
        for found in self.cluster.list("storageclasses"):
            if wanted is None and objects.notes(found).get(DEFAULT_CLASS) == "true":
                return found
            if found["metadata"]["name"] == wanted:
                return found
        return None

    def _node_of(self, namespace: str, claim: str) -> str:
        for pod in self.cluster.list("pods", namespace):
            if claim in claims_of(pod) and pod["spec"].get("nodeName"):
                return str(pod["spec"]["nodeName"])
        return ""

    def _ephemeral(self, pod: Obj) -> None:
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or ():
            template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
            name = f"{pod['metadata']['name']}-{volume['name']}"
            if template is None or self.cluster.get("persistentvolumeclaims", namespace, name) is not None:
                continue
            reference = objects.owner_reference(pod, api_version="v1", kind="Pod")
            meta = {"name": name, "namespace": namespace, "ownerReferences": [reference]}
            claim: Obj = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta}
            self.cluster.create("persistentvolumeclaims", claim | {"spec": dict(template["spec"])})

    def _remove_volume(self, key: Key) -> None:
        for volume in self.cluster.list("persistentvolumes"):
            reference = volume["spec"].get("claimRef") or {}
            if (reference.get("namespace"), reference.get("name")) != key[:2]:
                continue
            if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
                self.cluster.delete("persistentvolumes", volume)


def claims_of(pod: Obj) -> list[str]:
    """Names of the claims that the pod's volumes use, ephemeral ones included."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(str(volume["persistentVolumeClaim"]["claimName"]))
        elif "ephemeral" in volume:
            found.append(f"{pod['metadata']['name']}-{volume['name']}")
    return found


def _volume(claim: Obj, name: str, found: Obj, *, size: str, modes: list[str]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": found["provisioner"]}},
        "spec": {
            "accessModes": modes,
            "capacity": {"storage": size},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": claim["metadata"]["name"],
                "namespace": claim["metadata"]["namespace"],
                "uid": objects.uid(claim),
            },
            "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
            "storageClassName": found["metadata"]["name"],
            "volumeMode": "Filesystem",
            "csi": {"driver": found["provisioner"], "volumeHandle": name},
        },
        "status": {"phase": "Bound"},
    }


def _chosen(node: str) -> Callable[[Obj], None]:
    def change(obj: Obj) -> None:
        obj["metadata"].setdefault("annotations", {})[SELECTED_NODE] = node

    return change
