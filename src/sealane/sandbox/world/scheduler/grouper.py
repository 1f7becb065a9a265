"""KAI's podgrouper: every pod that is handed to KAI gets a PodGroup, and the annotation that names it.

A Deployment's pods get one group each (`pg-<pod>-<uid>`), owned by the pod; a Job's pods share one. The group copies
labels and annotations of the workload at the top and says where it came from. Defaults of priority are KAI's: what a
Deployment makes is `inference` and thereby cannot be preempted; all else is `train`.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import queues

SCHEDULER = "kai-scheduler"
GROUP_NAME = "pod-group-name"
TOP_OWNER = "kai.scheduler/top-owner-metadata"
MIN_MEMBER = "kai.scheduler/batch-min-member"
DEFAULT_QUEUE = "default-queue"
_PLURALS = {"ReplicaSet": "replicasets", "Deployment": "deployments", "Job": "jobs", "StatefulSet": "statefulsets",
            "DaemonSet": "daemonsets"}  # fmt: skip


class PodGrouper(Controller):
    """Makes PodGroups."""

    name = "podgrouper"
    kinds = ("pods",)
    pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        handed = obj["spec"].get("schedulerName") == SCHEDULER
        return (objects.key(obj),) if handed and change != "DELETED" else ()

    def reconcile(self, key: Key) -> float | None:
        pod = self.cluster.get("pods", key[0], key[1])
        if pod is None or objects.deleting(pod) or objects.notes(pod).get(GROUP_NAME):
            return None
        top, kind, api_version = self._top_owner(pod)
        per_job = kind == "Job"
        name = (
            f"pg-{top['metadata']['name']}-{objects.uid(top)}"
            if per_job
            else f"pg-{pod['metadata']['name']}-{objects.uid(pod)}"
        )
        if self.cluster.get("podgroups", key[0], name) is None:
            owner = (top, kind, api_version) if per_job else (pod, "Pod", "v1")
            body = _group(pod, top, kind=kind, api_version=api_version, name=name)
            reference = objects.owner_reference(owner[0], api_version=owner[2], kind=owner[1], controller=False)
            body["metadata"]["ownerReferences"] = [reference]
            self.cluster.create("podgroups", body, manager="podgrouper")

        def note(obj: Obj) -> None:
            obj["metadata"].setdefault("annotations", {})[GROUP_NAME] = name

        self.cluster.change("pods", key[0], key[1], note, manager="podgrouper")
        return None

    def _top_owner(self, pod: Obj) -> tuple[Obj, str, str]:
        current, kind, api_version = pod, "Pod", "v1"
        while (reference := objects.controller_of(current)) is not None:
            plural = _PLURALS.get(reference["kind"])
            found = plural and self.cluster.get(plural, pod["metadata"]["namespace"], reference["name"])
            if not found:
                break
            current, kind, api_version = found, reference["kind"], reference["apiVersion"]
        return current, kind, api_version


def _group(pod: Obj, top: Obj, *, kind: str, api_version: str, name: str) -> Obj:
    labels = {**objects.labels(pod), **objects.labels(top)}
    group, _, version = api_version.rpartition("/")
    origin = {
        "name": top["metadata"]["name"],
        "uid": objects.uid(top),
        "group": group,
        "version": version,
        "kind": kind,
    }
    default = "inference" if kind == "Deployment" else "train"
    spec: Obj = {
        "minMember": int(objects.notes(top).get(MIN_MEMBER, "1")),
        "priorityClassName": queues.priority_class(labels, default),
        "queue": labels.get("kai.scheduler/queue") or labels.get("project") or DEFAULT_QUEUE,
        "topologyConstraint": {},
    }
    if labels.get("kai.scheduler/preemptibility"):
        spec["preemptibility"] = labels["kai.scheduler/preemptibility"]
    return {
        "apiVersion": "scheduling.run.ai/v2alpha2",
        "kind": "PodGroup",
        "metadata": {
            "name": name,
            "namespace": pod["metadata"]["namespace"],
            "labels": dict(objects.labels(top)),
            "annotations": {**objects.notes(top), TOP_OWNER: yaml.safe_dump(origin, sort_keys=True)},
        },
        "spec": spec,
    }
