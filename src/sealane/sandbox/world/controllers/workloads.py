"""StatefulSet and DaemonSet: ordered pods with names and claims of their own, and one pod on every node.

StatefulSets go one pod after the other (highest ordinal first when shrinking or updating, down to the partition), and
DaemonSets put one pod on every schedulable node. Both keep their past templates as ControllerRevisions, and with
`OnDelete` both leave old pods to who deletes them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.controllers import revisions
from sealane.sandbox.world.controllers.replicaset import owned_pods, pod_from
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import fitting

_SET_HASH = "controller-revision-hash"


class OwnerOfPods(Controller):
    """Keyed by the owning workload; pods lead back to it."""

    plural = ""
    owner_kind = ""
    api_version = "apps/v1"
    component = ""

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == self.plural:
            return (objects.key(obj),)
        reference = objects.controller_of(obj)
        if plural != "pods" or reference is None or reference["kind"] != self.owner_kind:
            return ()
        return ((obj["metadata"]["namespace"], reference["name"]),)

    def make(self, owner: Obj, pod: Obj) -> str:
        """Create a pod with the usual events; the refusal's text when admission says no."""
        kind = self.owner_kind
        try:
            made = self.cluster.create("pods", pod)
        except AdmissionDenied as denied:
            text = f"Error creating: {denied}"
            self.cluster.event(owner, "FailedCreate", text, type="Warning", component=self.component)
            return str(denied)
        name = made["metadata"]["name"]
        text = f"create Pod {name} in {kind} {owner['metadata']['name']} successful"
        text = text if kind == "StatefulSet" else f"Created pod: {name}"
        self.cluster.event(owner, "SuccessfulCreate", text, component=self.component)
        return ""


class StatefulSetController(OwnerOfPods):
    """Ordinals 0..n-1, each after the one before is ready."""

    name = "statefulset"
    kinds = ("statefulsets", "pods")
    plural = "statefulsets"
    owner_kind = "StatefulSet"
    component = "statefulset-controller"

    def reconcile(self, key: Key) -> float | None:
        found = self.cluster.get("statefulsets", key[0], key[1])
        if found is None or objects.deleting(found):
            return None
        digest = revisions.current(self.cluster, found, kind="StatefulSet", hash_label=_SET_HASH)
        revision = f"{found['metadata']['name']}-{digest}"
        again = self._step(found, revision)
        self._status(found, revision)
        live = {digest} | {_digest(pod) for pod in owned_pods(self._pods(found), found)}
        revisions.forget(self.cluster, found, live=live, hash_label=_SET_HASH)
        return again

    def _step(self, owner: Obj, revision: str) -> float | None:
        pods = {pod["metadata"]["name"]: pod for pod in owned_pods(self._pods(owner), owner)}
        wanted = int(owner["spec"].get("replicas", 1))
        name = owner["metadata"]["name"]
        at_once = owner["spec"].get("podManagementPolicy") == "Parallel"
        kept: dict[int, Obj] = {}
        for ordinal in range(wanted):
            pod = pods.pop(f"{name}-{ordinal}", None)
            if pod is None and self.make(owner, self._pod(owner, ordinal, revision)):
                return 10.0
            if not at_once and (pod is None or not objects.ready(pod)) and not _is_stale(pod, revision):
                return None
            if pod is not None:
                kept[ordinal] = pod
        if not pods:
            return self._update(owner, kept, revision)
        for pod_name in sorted(pods, reverse=True)[:1]:
            if not objects.deleting(pods[pod_name]):
                self._delete(owner, pods[pod_name])
        return None

    def _update(self, owner: Obj, pods: dict[int, Obj], revision: str) -> float | None:
        """Replace one pod of an old template, the highest ordinal first, when those above it are ready again."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return None
        least = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        for ordinal in sorted(pods, reverse=True):
            pod = pods[ordinal]
            if ordinal < least:
                return None
            if _is_stale(pod, revision):
                if objects.active(pod):
                    self._delete(owner, pod)
                return None
            if not objects.ready(pod):
                return None
        return None

    def _delete(self, owner: Obj, pod: Obj) -> None:
        self.cluster.delete("pods", pod)
        text = f"delete Pod {pod['metadata']['name']} in StatefulSet {owner['metadata']['name']} successful"
        self.cluster.event(owner, "SuccessfulDelete", text, component=self.component)

    def _pods(self, owner: Obj) -> list[Obj]:
        return self.cluster.list("pods", owner["metadata"]["namespace"])

    def _pod(self, owner: Obj, ordinal: int, revision: str) -> Obj:
        pod = pod_from(owner, api_version="apps/v1", kind="StatefulSet")
        name = f"{owner['metadata']['name']}-{ordinal}"
        pod["metadata"]["name"] = name
        pod["metadata"]["labels"] |= {
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
            "controller-revision-hash": revision,
        }
        pod["spec"]["hostname"] = name
        for template in owner["spec"].get("volumeClaimTemplates") or ():
            claim = f"{template['metadata']['name']}-{name}"
            self._claim(owner, template, claim)
            volumes = pod["spec"].setdefault("volumes", [])
            volumes.append({"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim}})
        return pod

    def _claim(self, owner: Obj, template: Obj, name: str) -> None:
        namespace = owner["metadata"]["namespace"]
        if self.cluster.get("persistentvolumeclaims", namespace, name) is None:
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": copy.deepcopy(template["spec"])}
            labels = dict(owner["spec"]["selector"].get("matchLabels") or {})
            claim["metadata"] = {"name": name, "namespace": namespace, "labels": labels}
            self.cluster.create("persistentvolumeclaims", claim)

    def _status(self, owner: Obj, revision: str) -> None:
        pods = owned_pods(self._pods(owner), owner)
        alive = [pod for pod in pods if objects.active(pod)]
        ready = sum(objects.ready(pod) for pod in alive)
        updated = sum(objects.labels(pod).get("controller-revision-hash") == revision for pod in alive)

        def change(obj: Obj) -> None:
            obj.setdefault("status", {}).update(
                observedGeneration=obj["metadata"].get("generation", 1),
                replicas=len(alive),
                readyReplicas=ready,
                availableReplicas=ready,
                updatedReplicas=updated,
                updateRevision=revision,
                collisionCount=0,
            )
            status = obj["status"]
            if updated == len(alive) == ready and ready >= int(obj["spec"].get("replicas", 1)):
                status["currentRevision"] = revision  # the update is complete
            status.setdefault("currentRevision", revision)
            status["currentReplicas"] = sum(_revision(pod) == status["currentRevision"] for pod in alive)

        self.cluster.change("statefulsets", *objects.key(owner), change, subresource="status")


class DaemonSetController(OwnerOfPods):
    """One pod on every node that its selector and tolerations allow."""

    name = "daemonset"
    kinds = ("daemonsets", "pods", "nodes")
    plural = "daemonsets"
    owner_kind = "DaemonSet"
    component = "daemonset-controller"

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "nodes":
            return [objects.key(item) for item in self.cluster.list("daemonsets")] if change != "MODIFIED" else ()
        return super().keys(change, plural, obj)

    def reconcile(self, key: Key) -> float | None:
        found = self.cluster.get("daemonsets", key[0], key[1])
        if found is None or objects.deleting(found):
            return None
        digest = revisions.current(self.cluster, found, kind="DaemonSet", hash_label=_SET_HASH)
        pods = owned_pods(self.cluster.list("pods", key[0]), found)
        waits = (found["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
        by_node = {_target(pod): pod for pod in pods}
        nodes = [node for node in self.cluster.list("nodes") if self._suits(found, node)]
        again = None
        for node in nodes:
            name = node["metadata"]["name"]
            pod = by_node.pop(name, None)
            if pod is None:
                again = 10.0 if self.make(found, self._pod(found, name, digest)) else again
            elif _revision(pod) != digest and objects.active(pod) and not waits:
                self._delete(found, pod)
        for pod in by_node.values():
            if objects.active(pod):
                self._delete(found, pod)
        self._status(found, len(nodes), digest)
        revisions.forget(self.cluster, found, live={digest, *map(_revision, pods)}, hash_label=_SET_HASH)
        return again

    def _delete(self, owner: Obj, pod: Obj) -> None:
        self.cluster.delete("pods", pod)
        text = f"Deleted pod: {pod['metadata']['name']}"
        self.cluster.event(owner, "SuccessfulDelete", text, component=self.component)

    def _suits(self, owner: Obj, node: Obj) -> bool:
        template = {"metadata": {}, "spec": copy.deepcopy(owner["spec"]["template"]["spec"])}
        template["spec"].setdefault("tolerations", []).append(
            {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
        )
        return fitting.selects(template, node) and fitting.untolerated(template, node) is None

    def _pod(self, owner: Obj, node: str, digest: str) -> Obj:
        pod = pod_from(owner, api_version="apps/v1", kind="DaemonSet")
        pod["metadata"]["name"] = f"{owner['metadata']['name']}-{self.cluster.suffix()}"
        pod["metadata"]["labels"]["controller-revision-hash"] = digest
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        pod["spec"]["affinity"] = {"nodeAffinity": wanted}
        pod["spec"].setdefault("tolerations", []).extend(
            {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
            for name, effect in (
                ("not-ready", "NoExecute"),
                ("unreachable", "NoExecute"),
                ("unschedulable", "NoSchedule"),
            )
        )
        return pod

    def _status(self, owner: Obj, wanted: int, digest: str) -> None:
        pods = owned_pods(self.cluster.list("pods", owner["metadata"]["namespace"]), owner)
        alive = [pod for pod in pods if objects.active(pod)]
        ready = sum(objects.ready(pod) for pod in alive)
        updated = sum(objects.labels(pod).get("controller-revision-hash") == digest for pod in alive)

        def change(obj: Obj) -> None:
            obj.setdefault("status", {}).update(
                observedGeneration=obj["metadata"].get("generation", 1),
                desiredNumberScheduled=wanted,
                currentNumberScheduled=len(alive),
                numberMisscheduled=0,
                numberReady=ready,
                numberAvailable=ready,
                updatedNumberScheduled=updated,
            )

        self.cluster.change("daemonsets", *objects.key(owner), change, subresource="status")


def _revision(pod: Obj) -> str:
    """The revision that a pod was made of."""
    return str(objects.labels(pod).get(_SET_HASH, ""))


def _digest(pod: Obj) -> str:
    """The hash in it: pods of a StatefulSet carry the name of the revision."""
    return _revision(pod).rpartition("-")[2]


def _is_stale(pod: Obj | None, revision: str) -> bool:
    return pod is not None and _revision(pod) != revision


def _target(pod: Obj) -> str:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    for term in terms:
        for field in term.get("matchFields") or ():
            return str(field["values"][0])
    return str(pod["spec"].get("nodeName", ""))
