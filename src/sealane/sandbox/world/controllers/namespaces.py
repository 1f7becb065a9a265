"""Namespaces: what a new one is given, and how an old one is emptied.

New: ServiceAccount `default` and ConfigMap `kube-root-ca.crt`. Going: phase Terminating, every namespaced object
deleted, and only then the finalizer `kubernetes` taken off, so that the API server may drop it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

ROOT_CA = "kube-root-ca.crt"


class NamespaceController(Controller):
    """`contents` names the namespaced plurals that a dying namespace is emptied of."""

    name = "namespace"
    kinds = ("namespaces", "serviceaccounts")

    def __init__(self, cluster: Cluster, *, contents: Callable[[], Sequence[str]], root_ca: str = "") -> None:
        super().__init__(cluster)
        self._contents = contents
        self._root_ca = root_ca

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "serviceaccounts":
            return (("", obj["metadata"]["namespace"]),) if change == "DELETED" else ()
        return (objects.key(obj),)

    def reconcile(self, key: Key) -> float | None:
        namespace = self.cluster.get("namespaces", "", key[1])
        if namespace is None:
            return None
        if objects.deleting(namespace):
            return self._empty(namespace)
        self._furnish(key[1])
        return None

    def _furnish(self, name: str) -> None:
        meta: Obj = {"name": "default", "namespace": name}
        if self.cluster.get("serviceaccounts", name, "default") is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
            self.cluster.create("serviceaccounts", account)
        if self.cluster.get("configmaps", name, ROOT_CA) is None:
            config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ROOT_CA, "namespace": name}}
            self.cluster.create("configmaps", config | {"data": {"ca.crt": self._root_ca}})

    def _empty(self, namespace: Obj) -> float | None:
        name = namespace["metadata"]["name"]
        self.cluster.change("namespaces", "", name, _terminating, subresource="status")
        left = 0
        for plural in self._contents():
            for obj in self.cluster.list(plural, name):
                if not objects.deleting(obj):
                    self.cluster.delete(plural, obj)
                left += self.cluster.get(plural, *objects.key(obj)) is not None
        if left:
            return 0.5
        self.cluster.change("namespaces", "", name, _release, subresource="finalize")
        return None


def _terminating(obj: Obj) -> None:
    obj.setdefault("status", {})["phase"] = "Terminating"


def _release(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    spec["finalizers"] = [item for item in spec.get("finalizers") or () if item != "kubernetes"]
    if not spec["finalizers"]:
        spec.pop("finalizers")
    kept = [item for item in obj["metadata"].get("finalizers") or () if item != "kubernetes"]
    if kept:
        obj["metadata"]["finalizers"] = kept
    else:
        obj["metadata"].pop("finalizers", None)
