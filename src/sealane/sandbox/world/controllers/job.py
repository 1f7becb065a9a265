"""Job: runs pods until enough have succeeded, too many have failed, or the time is over.

Parallelism, completions (numbered ones too), suspension, the deadline and the time to live are all here, with the
conditions and events that `kubectl describe job` shows. A failed pod is replaced after a pause that doubles, so that a
job that cannot work fails slowly enough to be watched.
"""

from __future__ import annotations

import datetime
from typing import Final

from sealane.sandbox.world import objects
from sealane.sandbox.world.controllers.replicaset import owned_pods, pod_from
from sealane.sandbox.world.controllers.workloads import OwnerOfPods
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Key

INDEX: Final = "batch.kubernetes.io/job-completion-index"
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 600.0
_DONE: Final = ("CompletionsReached", "Reached expected number of succeeded pods")
_TOO_OFTEN: Final = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_TOO_LONG: Final = ("DeadlineExceeded", "Job was active longer than specified deadline")


class JobController(OwnerOfPods):
    """Keyed by Job; its pods lead back to it."""

    name = "job"
    kinds = ("jobs", "pods")
    plural = "jobs"
    owner_kind = "Job"
    api_version = "batch/v1"
    component = "job-controller"

    def reconcile(self, key: Key) -> float | None:
        job = self.cluster.get("jobs", key[0], key[1])
        if job is None or objects.deleting(job):
            return None
        if finished(job):
            return self._expire(job)
        pods = owned_pods(self.cluster.list("pods", key[0]), job)
        if job["spec"].get("suspend"):
            self._end(job, pods)
            self._write(job, words=None)
            return None
        if not job.get("status", {}).get("startTime"):
            self._begin(job)
            job = self.cluster.get("jobs", key[0], key[1]) or job
        words = self._verdict(job, pods)
        again = None
        if words is None:
            again = self._keep_going(job, pods)
        elif words is not _DONE:
            self._end(job, pods)
        self._write(job, words=words)
        return self._soonest(again, self._deadline(job)) if words is None else self._expire(job)

    def _verdict(self, job: Obj, pods: list[Obj]) -> tuple[str, str] | None:
        """`(reason, message)` of the end, None while it goes on."""
        spec = job["spec"]
        left = self._deadline(job)
        if left is not None and left <= 0:
            return _TOO_LONG
        again = sum(_restarts(pod) for pod in pods) if _template(job).get("restartPolicy") == "OnFailure" else 0
        if sum(_phase(pod) == "Failed" for pod in pods) + again > int(spec.get("backoffLimit", 6)):
            return _TOO_OFTEN
        done = _succeeded(job, pods)
        if spec.get("completions") is None:
            return _DONE if done and not any(objects.active(pod) for pod in pods) else None
        return _DONE if done >= int(spec["completions"]) else None

    def _keep_going(self, job: Obj, pods: list[Obj]) -> float | None:
        """Start what may run beside what runs; seconds until a failed pod may be replaced."""
        spec = job["spec"]
        parallel, done = int(spec.get("parallelism", 1)), _succeeded(job, pods)
        alive = [pod for pod in pods if objects.active(pod)]
        completions = spec.get("completions")
        if completions is None:
            wanted = parallel if not done else len(alive)
        else:
            wanted = min(parallel, int(completions) - done)
        for pod in alive[max(0, wanted) :]:
            self._delete(job, pod)
        missing = max(0, wanted - len(alive))
        pause = self._pause(pods)
        if missing and pause > 0:
            return pause
        numbers = _free_numbers(job, pods) if spec.get("completionMode") == "Indexed" else [None] * missing
        for number in numbers[:missing]:
            if self.make(job, self._pod(job, number)):
                return 10.0
        return None

    def _pause(self, pods: list[Obj]) -> float:
        """Seconds left of the pause after the last failure."""
        ends = sorted(_ended(pod) for pod in pods if _phase(pod) == "Failed")
        if not ends or not ends[-1]:
            return 0.0
        pause = min(_FIRST_PAUSE * 2.0 ** (len(ends) - 1), _LONGEST_PAUSE)
        since = self.cluster.clock.now() - datetime.datetime.fromisoformat(ends[-1])
        return max(0.0, pause - since.total_seconds() * self.cluster.clock.speed)

    def _pod(self, job: Obj, number: int | None) -> Obj:
        name = job["metadata"]["name"]
        pod = pod_from(job, api_version="batch/v1", kind="Job")
        pod["metadata"]["generateName"] = f"{name}-" if number is None else f"{name}-{number}-"
        pod["metadata"]["name"] = pod["metadata"]["generateName"] + self.cluster.suffix()
        pod["metadata"]["labels"] |= {
            "batch.kubernetes.io/job-name": name,
            "job-name": name,
            "batch.kubernetes.io/controller-uid": objects.uid(job),
            "controller-uid": objects.uid(job),
        }
        pod["spec"].setdefault("restartPolicy", "Never")
        if number is not None:
            pod["metadata"]["labels"][INDEX] = str(number)
            pod["metadata"].setdefault("annotations", {})[INDEX] = str(number)
            pod["spec"].setdefault("hostname", f"{name}-{number}")
            source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
            for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
                container.setdefault("env", []).append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
        return pod

    def _begin(self, job: Obj) -> None:
        """It starts, or goes on after it was suspended."""
        now = self.cluster.clock.stamp()
        was = objects.condition(job, "Suspended")

        def change(obj: Obj) -> None:
            obj.setdefault("status", {})["startTime"] = now
            if was is not None:
                _set(obj, "Suspended", "False", ("JobResumed", "Job resumed"), now)

        self.cluster.change("jobs", *objects.key(job), change, subresource="status")
        if was is not None and was["status"] == "True":
            self.cluster.event(job, "Resumed", "Job resumed", component=self.component)

    def _end(self, job: Obj, pods: list[Obj]) -> None:
        for pod in pods:
            if objects.active(pod):
                self._delete(job, pod)

    def _delete(self, job: Obj, pod: Obj) -> None:
        self.cluster.delete("pods", pod)
        text = f"Deleted pod: {pod['metadata']['name']}"
        self.cluster.event(job, "SuccessfulDelete", text, component=self.component)

    def _deadline(self, job: Obj) -> float | None:
        """Simulated seconds left of the deadline, None without one."""
        limit, started = job["spec"].get("activeDeadlineSeconds"), job.get("status", {}).get("startTime")
        if limit is None or not started:
            return None
        since = (self.cluster.clock.now() - datetime.datetime.fromisoformat(started)).total_seconds()
        return float(limit) - since * self.cluster.clock.speed

    def _expire(self, job: Obj) -> float | None:
        """Delete a finished job when its time to live is over."""
        job = self.cluster.get("jobs", *objects.key(job)) or job
        limit = job["spec"].get("ttlSecondsAfterFinished")
        found = next((item for kind in ("Complete", "Failed") if (item := objects.condition(job, kind))), None)
        if limit is None or found is None:
            return None
        since = self.cluster.clock.now() - datetime.datetime.fromisoformat(found["lastTransitionTime"])
        left = float(limit) - since.total_seconds() * self.cluster.clock.speed
        if left > 0:
            return left
        self.cluster.delete("jobs", job, propagation="Foreground")
        return None

    def _soonest(self, *waits: float | None) -> float | None:
        return min((wait for wait in waits if wait is not None), default=None)

    def _write(self, job: Obj, *, words: tuple[str, str] | None) -> None:
        now = self.cluster.clock.stamp()
        pods = owned_pods(self.cluster.list("pods", job["metadata"]["namespace"]), job)
        suspended = bool(job["spec"].get("suspend"))
        was = objects.condition(job, "Suspended")

        def change(obj: Obj) -> None:
            _counts(obj, pods)
            status = obj["status"]
            if suspended:
                status.pop("startTime", None)
                _set(obj, "Suspended", "True", ("JobSuspended", "Job suspended"), now)
            if words is _DONE:
                _set(obj, "SuccessCriteriaMet", "True", words, now)
                _set(obj, "Complete", "True", words, now)
                status["completionTime"] = now
            elif words is not None:
                _set(obj, "FailureTarget", "True", words, now)
                _set(obj, "Failed", "True", words, now)

        self.cluster.change("jobs", *objects.key(job), change, subresource="status")
        if suspended and (was is None or was["status"] != "True"):
            self.cluster.event(job, "Suspended", "Job suspended", component=self.component)
        if words is _DONE:
            self.cluster.event(job, "Completed", "Job completed", component=self.component)
        elif words is not None:
            self.cluster.event(job, *words, type="Warning", component=self.component)


def finished(job: Obj) -> str:
    """Complete or Failed, nothing while it runs."""
    for kind in ("Complete", "Failed"):
        found = objects.condition(job, kind)
        if found is not None and found["status"] == "True":
            return kind
    return ""


def _counts(job: Obj, pods: list[Obj]) -> None:
    status = job.setdefault("status", {})
    alive = [pod for pod in pods if objects.active(pod)]
    leaving = sum(objects.deleting(pod) for pod in pods)
    status.update(ready=sum(objects.ready(pod) for pod in alive), uncountedTerminatedPods={}, terminating=leaving)
    failed = sum(_phase(pod) == "Failed" for pod in pods)
    for field, value in (("active", len(alive)), ("succeeded", _succeeded(job, pods)), ("failed", failed)):
        if value:
            status[field] = value
        else:
            status.pop(field, None)
    if job["spec"].get("completionMode") == "Indexed":
        status["completedIndexes"] = _ranges(_done_numbers(pods))


def _set(job: Obj, kind: str, state: str, words: tuple[str, str], now: str) -> None:
    """A condition of a job has a time of the last probe too."""
    known = objects.condition(job, kind)
    if known is not None and known["status"] == state:
        return
    objects.set_condition(job, kind, state, now=now, reason=words[0], message=words[1], lastProbeTime=now)


def _template(job: Obj) -> Obj:
    found: Obj = job["spec"]["template"]["spec"]
    return found


def _phase(pod: Obj) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _ended(pod: Obj) -> str:
    states = [item.get("state", {}).get("terminated") or {} for item in pod["status"].get("containerStatuses") or ()]
    return max((str(state.get("finishedAt", "")) for state in states), default="")


def _restarts(pod: Obj) -> int:
    return sum(int(item.get("restartCount", 0)) for item in pod.get("status", {}).get("containerStatuses") or ())


def _succeeded(job: Obj, pods: list[Obj]) -> int:
    if job["spec"].get("completionMode") == "Indexed":
        return len(_done_numbers(pods))
    return sum(_phase(pod) == "Succeeded" for pod in pods)


def _done_numbers(pods: list[Obj]) -> list[int]:
    return sorted({int(objects.notes(pod).get(INDEX, -1)) for pod in pods if _phase(pod) == "Succeeded"} - {-1})


def _free_numbers(job: Obj, pods: list[Obj]) -> list[int | None]:
    """Numbers that neither run nor are done, lowest first."""
    running = {int(objects.notes(pod).get(INDEX, -1)) for pod in pods if objects.active(pod)}
    taken = running | set(_done_numbers(pods))
    return [number for number in range(int(job["spec"].get("completions", 1))) if number not in taken]


def _ranges(numbers: list[int]) -> str:
    """`0-2,4` from `[0, 1, 2, 4]`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
