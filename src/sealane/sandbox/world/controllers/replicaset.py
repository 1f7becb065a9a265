"""ReplicaSet: as many pods as asked, made and ended in the real order, with the real events.

Pods that fail admission leave `ReplicaFailure` on the ReplicaSet (the Deployment copies it) and a FailedCreate event:
that is where a person finds out that a share was refused.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from sealane.kube import selectors
from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import AdmissionDenied, Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT = "replicaset-controller"


class ReplicaSetController(Controller):
    """Keeps `spec.replicas` active pods per ReplicaSet."""

    name = "replicaset"
    kinds = ("replicasets", "pods")

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "replicasets":
            return (objects.key(obj),)
        reference = objects.controller_of(obj)
        if reference is None or reference["kind"] != "ReplicaSet":
            return ()
        return ((obj["metadata"]["namespace"], reference["name"]),)

    def reconcile(self, key: Key) -> float | None:
        replica_set = self.cluster.get("replicasets", key[0], key[1])
        if replica_set is None:
            return None
        if not objects.deleting(replica_set):
            adopt(self.cluster, replica_set, "pods", api_version="apps/v1", kind="ReplicaSet")
        pods = owned_pods(self.cluster.list("pods", key[0]), replica_set)
        alive = [pod for pod in pods if objects.active(pod)]
        again = None
        failure = ""
        if not objects.deleting(replica_set):
            missing = int(replica_set["spec"].get("replicas", 1)) - len(alive)
            if missing > 0:
                failure = self._create(replica_set, missing)
                again = 10.0 if failure else None
            elif missing < 0:
                self._remove(replica_set, sorted(alive, key=_removal_rank)[:-missing])
        self._status(replica_set, failure)
        return again

    def _create(self, replica_set: Obj, count: int) -> str:
        for _ in range(count):
            pod = pod_from(replica_set, api_version="apps/v1", kind="ReplicaSet")
            pod["metadata"]["name"] = f"{replica_set['metadata']['name']}-{self.cluster.suffix()}"
            pod["metadata"]["generateName"] = f"{replica_set['metadata']['name']}-"
            try:
                made = self.cluster.create("pods", pod)
            except AdmissionDenied as denied:
                self.cluster.event(
                    replica_set, "FailedCreate", f"Error creating: {denied}", type="Warning", component=COMPONENT
                )
                return str(denied)
            text = f"Created pod: {made['metadata']['name']}"
            self.cluster.event(replica_set, "SuccessfulCreate", text, component=COMPONENT)
        return ""

    def _remove(self, replica_set: Obj, pods: Iterable[Obj]) -> None:
        for pod in pods:
            self.cluster.delete("pods", pod)
            text = f"Deleted pod: {pod['metadata']['name']}"
            self.cluster.event(replica_set, "SuccessfulDelete", text, component=COMPONENT)

    def _status(self, replica_set: Obj, failure: str) -> None:
        namespace, name = objects.key(replica_set)
        pods = owned_pods(self.cluster.list("pods", namespace), replica_set)
        alive = [pod for pod in pods if objects.active(pod)]
        leaving = [pod for pod in pods if objects.deleting(pod)]
        ready = sum(objects.ready(pod) for pod in alive)
        now = self.cluster.clock.stamp()

        def change(obj: Obj) -> None:
            status = obj.setdefault("status", {})
            status.update(replicas=len(alive), observedGeneration=obj["metadata"].get("generation", 1))
            for field, value in (
                ("fullyLabeledReplicas", len(alive)),
                ("readyReplicas", ready),
                ("availableReplicas", ready),
                ("terminatingReplicas", len(leaving)),
            ):
                if value:
                    status[field] = value
                else:
                    status.pop(field, None)
            if failure:
                objects.set_condition(obj, "ReplicaFailure", "True", now=now, reason="FailedCreate", message=failure)
            elif objects.condition(obj, "ReplicaFailure"):
                objects.drop_condition(obj, "ReplicaFailure")
                if not status["conditions"]:
                    del status["conditions"]

        self.cluster.change("replicasets", namespace, name, change, subresource="status")


def adopt(cluster: Cluster, owner: Obj, plural: str, *, api_version: str, kind: str) -> None:
    """Take over what the owner's selector selects and nobody controls, as after a deletion that left it behind."""
    reference = objects.owner_reference(owner, api_version=api_version, kind=kind)

    def change(obj: Obj) -> None:
        obj["metadata"].setdefault("ownerReferences", []).append(reference)

    for obj in matching(cluster.list(plural, owner["metadata"]["namespace"]), owner["spec"]["selector"]):
        finished = obj.get("status", {}).get("phase") in objects.FINISHED
        if objects.controller_of(obj) is None and not objects.deleting(obj) and not finished:
            cluster.change(plural, *objects.key(obj), change)


def owned_pods(pods: Iterable[Obj], owner: Obj) -> list[Obj]:
    """The pods that this owner controls."""
    return [pod for pod in pods if objects.owned_by(pod, objects.uid(owner))]


def matching(objects_: Iterable[Obj], selector: Obj) -> list[Obj]:
    """Those whose labels a LabelSelector selects."""
    wanted = selectors.of_object(selector)
    return [obj for obj in objects_ if wanted.matches(objects.labels(obj))]


def pod_from(owner: Obj, *, api_version: str, kind: str) -> Obj:
    """A pod of the owner's template, owned by it, still without a name."""
    template = copy.deepcopy(owner["spec"]["template"])
    meta = template.get("metadata") or {}
    pod_meta: Obj = {
        "namespace": owner["metadata"]["namespace"],
        "labels": dict(meta.get("labels") or {}),
        "ownerReferences": [objects.owner_reference(owner, api_version=api_version, kind=kind)],
    }
    if meta.get("annotations"):
        pod_meta["annotations"] = dict(meta["annotations"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": pod_meta, "spec": template["spec"]}


def _removal_rank(pod: Obj) -> tuple[bool, bool, str]:
    """Unbound first, then not ready, then the youngest: the order of the real controller."""
    created = pod["metadata"].get("creationTimestamp", "")
    inverted = "".join(chr(255 - ord(letter)) for letter in created)
    return bool(pod["spec"].get("nodeName")), objects.ready(pod), inverted
