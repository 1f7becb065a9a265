"""StatefulSet, DaemonSet and Job, simply: enough that they behave as their owners expect.

StatefulSets are ordered (one pod after the other, highest ordinal first when shrinking), DaemonSets put one pod on
every schedulable node, Jobs run to completion with `parallelism`, `completions` and `backoffLimit`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.controllers.replicaset import owned_pods, pod_from
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import fitting


class _OwnerOfPods(Controller):
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


class StatefulSetController(_OwnerOfPods):
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
        revision = f"{found['metadata']['name']}-{objects.template_hash(found['spec']['template'])}"
        again = self._step(found, revision)
        self._status(found, revision)
        return again

    def _step(self, owner: Obj, revision: str) -> float | None:
        pods = {pod["metadata"]["name"]: pod for pod in owned_pods(self._pods(owner), owner)}
        wanted = int(owner["spec"].get("replicas", 1))
        name = owner["metadata"]["name"]
        at_once = owner["spec"].get("podManagementPolicy") == "Parallel"
        for ordinal in range(wanted):
            pod = pods.pop(f"{name}-{ordinal}", None)
            if pod is None:
                if self.make(owner, self._pod(owner, ordinal, revision)):
                    return 10.0
            elif objects.labels(pod).get("controller-revision-hash") != revision and objects.active(pod):
                self.cluster.delete("pods", pod)
                return None
            if not at_once and (pod is None or not objects.ready(pod)):
                return None
        for pod_name in sorted(pods, reverse=True)[:1]:
            if not objects.deleting(pods[pod_name]):
                self.cluster.delete("pods", pods[pod_name])
        return None

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
                currentReplicas=updated,
                updatedReplicas=updated,
                currentRevision=revision,
                updateRevision=revision,
                collisionCount=0,
            )

        self.cluster.change("statefulsets", *objects.key(owner), change, subresource="status")


class DaemonSetController(_OwnerOfPods):
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
        digest = objects.template_hash(found["spec"]["template"])
        pods = owned_pods(self.cluster.list("pods", key[0]), found)
        by_node = {_target(pod): pod for pod in pods}
        nodes = [node for node in self.cluster.list("nodes") if self._suits(found, node)]
        again = None
        for node in nodes:
            name = node["metadata"]["name"]
            pod = by_node.pop(name, None)
            if pod is None:
                again = 10.0 if self.make(found, self._pod(found, name, digest)) else again
            elif objects.labels(pod).get("controller-revision-hash") != digest and objects.active(pod):
                self.cluster.delete("pods", pod)
        for pod in by_node.values():
            if objects.active(pod):
                self.cluster.delete("pods", pod)
        self._status(found, len(nodes), digest)
        return again

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


class JobController(_OwnerOfPods):
    """Runs pods until enough of them have succeeded or too many have failed."""

    name = "job"
    kinds = ("jobs", "pods")
    plural = "jobs"
    owner_kind = "Job"
    api_version = "batch/v1"
    component = "job-controller"

    def reconcile(self, key: Key) -> float | None:
        found = self.cluster.get("jobs", key[0], key[1])
        if found is None or objects.deleting(found):
            return None
        if objects.condition(found, "Complete") or objects.condition(found, "Failed"):
            return None
        spec = found["spec"]
        pods = owned_pods(self.cluster.list("pods", key[0]), found)
        done = sum(_phase(pod) == "Succeeded" for pod in pods)
        failed = sum(_phase(pod) == "Failed" for pod in pods)
        alive = [pod for pod in pods if objects.active(pod)]
        parallel = int(spec.get("parallelism", 1))
        completions = int(spec.get("completions", 0)) or max(1, parallel)
        over = failed > int(spec.get("backoffLimit", 6))
        again = None
        if over or spec.get("suspend"):
            for pod in alive:
                self.cluster.delete("pods", pod)
        else:
            again = self._start(found, min(parallel, completions - done) - len(alive))
        self._status(found, alive=len(alive), done=done, failed=failed, completions=completions, over=over)
        return again

    def _start(self, job: Obj, count: int) -> float | None:
        for _ in range(max(0, count)):
            pod = pod_from(job, api_version="batch/v1", kind="Job")
            pod["metadata"]["name"] = f"{job['metadata']['name']}-{self.cluster.suffix()}"
            pod["metadata"]["labels"] |= {
                "batch.kubernetes.io/job-name": job["metadata"]["name"],
                "job-name": job["metadata"]["name"],
                "batch.kubernetes.io/controller-uid": objects.uid(job),
                "controller-uid": objects.uid(job),
            }
            pod["spec"].setdefault("restartPolicy", "Never")
            if self.make(job, pod):
                return 10.0
        return None

    def _status(self, job: Obj, *, alive: int, done: int, failed: int, completions: int, over: bool) -> None:
        now = self.cluster.clock.stamp()
        finished = "Failed" if over else "Complete" if done >= completions else ""
        ready = sum(objects.ready(pod) for pod in owned_pods(self.cluster.list("pods"), job))

        def change(obj: Obj) -> None:
            status = obj.setdefault("status", {})
            status.setdefault("startTime", now)
            status.update(ready=ready, uncountedTerminatedPods={}, terminating=0)
            for field, value in (("active", alive), ("succeeded", done), ("failed", failed)):
                if value:
                    status[field] = value
                else:
                    status.pop(field, None)
            if finished == "Complete":
                words = ("CompletionsReached", "Reached expected number of succeeded pods")
                objects.set_condition(obj, "SuccessCriteriaMet", "True", now=now, reason=words[0], message=words[1])
                objects.set_condition(obj, "Complete", "True", now=now, reason=words[0], message=words[1])
                status["completionTime"] = now
            elif finished:
                words = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
                objects.set_condition(obj, "Failed", "True", now=now, reason=words[0], message=words[1])

        self.cluster.change("jobs", *objects.key(job), change, subresource="status")
        if finished == "Complete":
            self.cluster.event(job, "Completed", "Job completed", component=self.component)
        elif finished:
            text = "Job has reached the specified backoff limit"
            self.cluster.event(job, "BackoffLimitExceeded", text, type="Warning", component=self.component)


def _phase(pod: Obj) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _target(pod: Obj) -> str:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    for term in terms:
        for field in term.get("matchFields") or ():
            return str(field["values"][0])
    return str(pod["spec"].get("nodeName", ""))
