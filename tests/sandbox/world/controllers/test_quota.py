"""A quota's status counts what is there, in the spelling that people know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]
Make = Callable[..., Obj]


def quota(**hard: str) -> Obj:
    meta = {"name": "few", "namespace": "team-a"}
    named = {name.replace("__", "."): value for name, value in hard.items()}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": named}}


async def test_what_is_used_is_counted_and_given_back(sim: Any, a_deployment: Make) -> None:
    hard = {"pods": "10", "requests__memory": "4Gi", "requests__cpu": "2", "limits__nvidia.com/gpu": "4"}
    sim.cluster.create("resourcequotas", quota(**hard))
    sim.cluster.create("deployments", a_deployment("web", replicas=3, gpus=1, cpu="300m", memory="512Mi"))
    await sim.run(2)
    status = sim.cluster.get("resourcequotas", "team-a", "few")["status"]
    assert status["hard"] == {name.replace("__", "."): value for name, value in hard.items()}
    assert status["used"] == {
        "pods": "3",
        "requests.memory": "1536Mi",
        "requests.cpu": "900m",
        "limits.nvidia.com/gpu": "3",
    }
    sim.cluster.change("deployments", "team-a", "web", lambda obj: obj["spec"].update(replicas=0))
    await sim.until(
        lambda: sim.cluster.get("resourcequotas", "team-a", "few")["status"]["used"]["pods"] == "0", within=20
    )


async def test_a_deployment_stops_at_the_quota_and_goes_on_when_it_is_raised(sim: Any, a_deployment: Make) -> None:
    sim.cluster.create("resourcequotas", quota(pods="2"))
    await sim.run(1)
    sim.cluster.create("deployments", a_deployment("web", replicas=4))
    await sim.run(15)
    assert len(sim.pods()) <= 3
    sim.cluster.change("resourcequotas", "team-a", "few", lambda obj: obj["spec"]["hard"].update(pods="8"))
    await sim.until(lambda: len(sim.pods()) == 4, within=30)
