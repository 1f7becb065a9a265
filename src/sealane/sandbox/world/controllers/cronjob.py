"""CronJob: starts jobs by the clock on the wall, keeps what its policy allows running, forgets old ones.

A job's name is made of the minute it was due, so that a restart cannot start it twice. Time is wall time, as timestamps
in objects are; only waiting for the next moment goes through the sandbox's clock, and is never longer than a minute, so
that a fast sandbox does not run ahead of the schedule.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterable
from typing import Final

from sealane.sandbox.api import schedules
from sealane.sandbox.world import objects
from sealane.sandbox.world.clock import stamp
from sealane.sandbox.world.cluster import AdmissionDenied
from sealane.sandbox.world.controllers.job import finished
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT: Final = "cronjob-controller"
SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_LONGEST_WAIT = 60.0
_MOST_MISSED = 100


class CronJobController(Controller):
    """Keyed by CronJob; jobs lead back to theirs."""

    name = "cronjob"
    kinds = ("cronjobs", "jobs")

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "cronjobs":
            return (objects.key(obj),)
        reference = objects.controller_of(obj)
        if reference is None or reference["kind"] != "CronJob":
            return ()
        return ((obj["metadata"]["namespace"], reference["name"]),)

    def reconcile(self, key: Key) -> float | None:
        cron = self.cluster.get("cronjobs", key[0], key[1])
        if cron is None or objects.deleting(cron):
            return None
        jobs = [job for job in self.cluster.list("jobs", key[0]) if objects.owned_by(job, objects.uid(cron))]
        self._clean(cron, jobs)
        running = [job for job in jobs if not finished(job)]
        wait = None
        try:
            wait = self._start_due(cron, running)
        except schedules.BadSchedule as problem:
            text = f'unparseable schedule: "{cron["spec"]["schedule"]}" : {problem}'
            self.cluster.event(cron, "UnparseableSchedule", text, type="Warning", component=COMPONENT)
        self._status(cron)
        return wait

    def _start_due(self, cron: Obj, running: list[Obj]) -> float | None:
        """Start what is due; seconds until the next look, None while it is suspended."""
        spec = cron["spec"]
        if spec.get("suspend"):
            return None
        zone = schedules.zone(spec.get("timeZone", ""))
        if zone is None:
            text = f'invalid timeZone: "{spec["timeZone"]}"'
            self.cluster.event(cron, "UnknownTimeZone", text, type="Warning", component=COMPONENT)
            return None
        schedule, now = schedules.read(spec["schedule"]), self.cluster.clock.now()
        due = self._last_due(cron, schedule, now, zone)
        if due is not None and self._may_start(cron, due, now, running):
            self._start(cron, due)
        following = schedule.after(now.astimezone(zone))
        return None if following is None else self._until(following, now)

    def _until(self, moment: datetime.datetime, now: datetime.datetime) -> float:
        """Simulated seconds to wait: the wall decides, so that the wait is short in a fast sandbox too."""
        left = (moment - now).total_seconds()
        return max(0.1, min(left, _LONGEST_WAIT) * self.cluster.clock.speed)

    def _last_due(
        self, cron: Obj, schedule: schedules.Schedule, now: datetime.datetime, zone: datetime.tzinfo
    ) -> datetime.datetime | None:
        """The latest moment that has passed and was not served."""
        since = (cron.get("status") or {}).get("lastScheduleTime") or cron["metadata"]["creationTimestamp"]
        moment = datetime.datetime.fromisoformat(since).astimezone(zone)
        limit = cron["spec"].get("startingDeadlineSeconds")
        if limit is not None:
            moment = max(moment, now.astimezone(zone) - datetime.timedelta(seconds=limit))
        due, missed = None, 0
        while (following := schedule.after(moment)) is not None and following <= now:
            due, moment, missed = following, following, missed + 1
            if missed > _MOST_MISSED:
                text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
                self.cluster.event(cron, "TooManyMissedTimes", text, type="Warning", component=COMPONENT)
                moment = now.astimezone(zone) - datetime.timedelta(minutes=2)
                missed = -_MOST_MISSED
        return due

    def _may_start(self, cron: Obj, due: datetime.datetime, now: datetime.datetime, running: list[Obj]) -> bool:
        spec = cron["spec"]
        limit = spec.get("startingDeadlineSeconds")
        if limit is not None and due + datetime.timedelta(seconds=limit) < now:
            text = f"Missed scheduled time to start a job: {due.strftime('%a, %d %b %Y %H:%M:%S %z')}"
            self.cluster.event(cron, "MissSchedule", text, type="Warning", component=COMPONENT)
            return False
        if self.cluster.get("jobs", cron["metadata"]["namespace"], _job_name(cron, due)) is not None:
            return False
        policy = spec.get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and running:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.cluster.event(cron, "JobAlreadyActive", text, component=COMPONENT)
            return False
        if policy == "Replace":
            for job in running:
                self.cluster.delete("jobs", job)
                self.cluster.event(
                    cron, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}", component=COMPONENT
                )
        return True

    def _start(self, cron: Obj, due: datetime.datetime) -> None:
        template = copy.deepcopy(cron["spec"]["jobTemplate"])
        meta = template.get("metadata") or {}
        notes = dict(meta.get("annotations") or {})
        notes[SCHEDULED] = stamp(due) if not cron["spec"].get("timeZone") else due.isoformat()
        name = _job_name(cron, due)
        job: Obj = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": cron["metadata"]["namespace"],
                "labels": dict(meta.get("labels") or {}),
                "annotations": notes,
                "ownerReferences": [objects.owner_reference(cron, api_version="batch/v1", kind="CronJob")],
            },
            "spec": template["spec"],
        }
        try:
            self.cluster.create("jobs", job)
        except AdmissionDenied as denied:
            text = f"Error creating job: {denied}"
            self.cluster.event(cron, "FailedCreate", text, type="Warning", component=COMPONENT)
            return
        self.cluster.event(cron, "SuccessfulCreate", f"Created job {name}", component=COMPONENT)
        scheduled = stamp(due)

        def change(obj: Obj) -> None:
            obj.setdefault("status", {})["lastScheduleTime"] = scheduled

        self.cluster.change("cronjobs", *objects.key(cron), change, subresource="status")

    def _clean(self, cron: Obj, jobs: list[Obj]) -> None:
        """Forget the oldest finished jobs beyond the two limits of the history, and tell of those that finished."""
        spec = cron["spec"]
        active = {item.get("uid") for item in (cron.get("status") or {}).get("active") or ()}
        for kind, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            done = [job for job in jobs if finished(job) == kind]
            for job in done:
                if objects.uid(job) in active:
                    text = f"Saw completed job: {job['metadata']['name']}, condition: {kind}"
                    self.cluster.event(cron, "SawCompletedJob", text, component=COMPONENT)
            keep = int(spec.get(limit, 3 if kind == "Complete" else 1))
            for job in sorted(done, key=_begun)[: max(0, len(done) - keep)]:
                self.cluster.delete("jobs", job)
                text = f"Deleted job {job['metadata']['name']}"
                self.cluster.event(cron, "SuccessfulDelete", text, component=COMPONENT)

    def _status(self, cron: Obj) -> None:
        namespace = cron["metadata"]["namespace"]
        jobs = [job for job in self.cluster.list("jobs", namespace) if objects.owned_by(job, objects.uid(cron))]
        active = [_reference(job) for job in jobs if not finished(job) and not objects.deleting(job)]
        ended = [job["status"]["completionTime"] for job in jobs if job.get("status", {}).get("completionTime")]

        def change(obj: Obj) -> None:
            status = obj.setdefault("status", {})
            if active:
                status["active"] = active
            else:
                status.pop("active", None)
            latest = max([*ended, status.get("lastSuccessfulTime", "")])
            if latest:
                status["lastSuccessfulTime"] = latest

        self.cluster.change("cronjobs", *objects.key(cron), change, subresource="status")


def _job_name(cron: Obj, due: datetime.datetime) -> str:
    return f"{cron['metadata']['name']}-{int(due.timestamp()) // 60}"


def _begun(job: Obj) -> str:
    return str((job.get("status") or {}).get("startTime") or job["metadata"].get("creationTimestamp", ""))


def _reference(job: Obj) -> Obj:
    meta = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": meta["name"],
        "namespace": meta["namespace"],
        "resourceVersion": meta["resourceVersion"],
        "uid": meta["uid"],
    }
