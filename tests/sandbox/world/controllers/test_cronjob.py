"""CronJobs start jobs by the clock, keep to their policy, and forget old ones."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


def cron(schedule: str = "* * * * *", *, command: str = "sleep 5", **spec: Any) -> Obj:
    container = {"name": "main", "image": "busybox:1", "command": ["sh", "-c", command]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    job = {"metadata": {"labels": {"made": "by-cron"}}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    wanted = {"schedule": schedule, "jobTemplate": job} | spec
    meta = {"name": "tick", "namespace": "team-a"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": wanted}


def jobs(sim: Any) -> list[Obj]:
    found: list[Obj] = sim.cluster.list("jobs", "team-a")
    return found


def status(sim: Any) -> Obj:
    found: Obj = sim.cluster.get("cronjobs", "team-a", "tick").get("status") or {}
    return found


async def test_a_job_starts_every_minute_named_after_it(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron())
    await sim.run(65)
    (job,) = jobs(sim)
    meta = job["metadata"]
    assert meta["name"].startswith("tick-")
    assert meta["labels"]["made"] == "by-cron"
    assert meta["ownerReferences"][0]["kind"] == "CronJob"
    scheduled = meta["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert scheduled == status(sim)["lastScheduleTime"]
    assert scheduled.endswith(":00Z")
    assert sim.reasons("tick")[0] == "SuccessfulCreate"


async def test_active_jobs_are_named_and_successes_dated(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(command="sleep 20"))
    await sim.until(lambda: status(sim).get("active"), within=70)
    (active,) = status(sim)["active"]
    assert active["name"] == jobs(sim)[0]["metadata"]["name"]
    await sim.until(lambda: status(sim).get("lastSuccessfulTime"), within=60)
    assert "active" not in status(sim)
    assert "SawCompletedJob" in sim.reasons("tick")


async def test_only_as_many_old_jobs_stay_as_the_history_allows(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(successfulJobsHistoryLimit=2))
    await sim.run(5 * 60 + 40)
    assert len(jobs(sim)) == 2
    assert "SuccessfulDelete" in sim.reasons("tick")


async def test_failed_jobs_have_a_history_of_their_own(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(command="exit 3", failedJobsHistoryLimit=1))
    await sim.run(4 * 60)
    failed = [job for job in jobs(sim) if job["status"].get("failed")]
    assert len(failed) == 1


async def test_forbid_waits_for_the_one_that_runs(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(command="sleep 1000", concurrencyPolicy="Forbid"))
    await sim.run(190)
    assert len(jobs(sim)) == 1
    assert "JobAlreadyActive" in sim.reasons("tick")


async def test_replace_ends_the_one_that_runs(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(command="sleep 1000", concurrencyPolicy="Replace"))
    await sim.run(65)
    (first,) = jobs(sim)
    await sim.run(60)
    (second,) = jobs(sim)
    assert second["metadata"]["name"] != first["metadata"]["name"]


async def test_nothing_starts_while_it_is_suspended(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(suspend=True))
    await sim.run(130)
    assert jobs(sim) == []
    sim.cluster.change("cronjobs", "team-a", "tick", lambda obj: obj["spec"].update(suspend=False))
    await sim.run(65)
    assert len(jobs(sim)) >= 1


async def test_jobs_go_with_their_cronjob(sim: Any) -> None:
    sim.cluster.create("cronjobs", cron(command="sleep 1000"))
    await sim.run(65)
    sim.cluster.delete("cronjobs", sim.cluster.get("cronjobs", "team-a", "tick"))
    await sim.until(lambda: not jobs(sim) and not sim.pods(), within=30)


async def test_what_was_due_long_ago_is_missed_beyond_the_deadline(sim: Any) -> None:
    made = cron("0 0 1 1 *", startingDeadlineSeconds=30)
    sim.cluster.create("cronjobs", made)
    await sim.run(120)
    assert jobs(sim) == []
