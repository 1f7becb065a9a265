"""Jobs: suspended, late, numbered, retried and forgotten, in the words that describe shows."""

from __future__ import annotations

from typing import Any

import pytest

Obj = dict[str, Any]


def a_job(command: str = "sleep 5", *, restart: str = "Never", **spec: Any) -> Obj:
    container = {"name": "main", "image": "busybox:1", "command": ["sh", "-c", command]}
    pod = {"restartPolicy": restart, "terminationGracePeriodSeconds": 1, "containers": [container]}
    meta = {"name": "work", "namespace": "team-a"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": {"spec": pod}} | spec}


def status(sim: Any) -> Obj:
    found: Obj = sim.cluster.get("jobs", "team-a", "work").get("status") or {}
    return found


def conditions(sim: Any) -> dict[str, Obj]:
    return {item["type"]: item for item in status(sim).get("conditions") or ()}


async def test_it_completes_with_two_conditions_and_an_event(sim: Any) -> None:
    sim.cluster.create("jobs", a_job())
    await sim.until(lambda: "Complete" in conditions(sim), within=40)
    assert conditions(sim)["SuccessCriteriaMet"]["reason"] == "CompletionsReached"
    assert (status(sim)["succeeded"], status(sim)["ready"]) == (1, 0)
    assert status(sim)["completionTime"]
    assert sim.reasons("work") == ["SuccessfulCreate", "Completed"]


async def test_a_suspended_job_waits_and_goes_on(sim: Any) -> None:
    sim.cluster.create("jobs", a_job(suspend=True))
    await sim.run(5)
    assert sim.pods() == []
    assert conditions(sim)["Suspended"]["message"] == "Job suspended"
    assert "startTime" not in status(sim)
    sim.cluster.change("jobs", "team-a", "work", lambda obj: obj["spec"].update(suspend=False))
    await sim.until(lambda: "Complete" in conditions(sim), within=40)
    assert (conditions(sim)["Suspended"]["status"], conditions(sim)["Suspended"]["reason"]) == ("False", "JobResumed")
    assert sim.reasons("work")[:2] == ["Suspended", "Resumed"]


async def test_suspending_ends_the_pods_that_run(sim: Any) -> None:
    sim.cluster.create("jobs", a_job("sleep 1000", parallelism=2, completions=2))
    await sim.until(lambda: status(sim).get("active") == 2, within=20)
    sim.cluster.change("jobs", "team-a", "work", lambda obj: obj["spec"].update(suspend=True))
    await sim.until(lambda: not sim.pods(), within=20)
    assert "SuccessfulDelete" in sim.reasons("work")


async def test_a_deadline_fails_it(sim: Any) -> None:
    sim.cluster.create("jobs", a_job("sleep 1000", activeDeadlineSeconds=30))
    await sim.until(lambda: "Failed" in conditions(sim), within=60)
    assert conditions(sim)["Failed"]["reason"] == "DeadlineExceeded"
    assert conditions(sim)["FailureTarget"]["status"] == "True"
    await sim.until(lambda: not sim.pods(), within=20)


async def test_it_is_tried_again_after_a_pause_that_doubles_and_then_fails(sim: Any) -> None:
    sim.cluster.create("jobs", a_job("exit 3", backoffLimit=2))
    taken = await sim.until(lambda: "Failed" in conditions(sim), within=120)
    assert taken > 25
    assert conditions(sim)["Failed"]["message"] == "Job has reached the specified backoff limit"
    assert status(sim)["failed"] == 3
    assert sim.reasons("work")[-1] == "BackoffLimitExceeded"


async def test_restarts_in_place_count_too(sim: Any) -> None:
    sim.cluster.create("jobs", a_job("exit 3", restart="OnFailure", backoffLimit=1))
    await sim.until(lambda: "Failed" in conditions(sim), within=120)


async def test_numbered_jobs_do_each_number_once(sim: Any) -> None:
    sim.cluster.create("jobs", a_job(completionMode="Indexed", completions=3, parallelism=2))
    await sim.until(lambda: status(sim).get("active") == 2, within=20)
    names = sorted(pod["metadata"]["name"] for pod in sim.pods())
    assert [name[:7] for name in names] == ["work-0-", "work-1-"]
    container = sim.pods()[0]["spec"]["containers"][0]
    assert container["env"][-1]["name"] == "JOB_COMPLETION_INDEX"
    await sim.until(lambda: "Complete" in conditions(sim), within=60)
    assert status(sim)["completedIndexes"] == "0-2"


async def test_work_without_a_number_of_completions_ends_with_the_first_success(sim: Any) -> None:
    made = a_job("sleep 5", parallelism=2)
    sim.cluster.create("jobs", made)
    await sim.until(lambda: "Complete" in conditions(sim), within=60)
    assert status(sim)["succeeded"] == 2


@pytest.mark.parametrize(("seconds", "left"), [(0, False), (30, True)])
async def test_a_finished_job_goes_after_its_time_to_live(sim: Any, seconds: int, left: bool) -> None:
    sim.cluster.create("jobs", a_job(ttlSecondsAfterFinished=seconds))
    await sim.run(25)
    assert (sim.cluster.get("jobs", "team-a", "work") is not None) is left
    await sim.until(lambda: sim.cluster.get("jobs", "team-a", "work") is None and not sim.pods(), within=60)
