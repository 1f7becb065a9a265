"""One scenario at a time in a cluster; each is told, ends by itself or is healed, and its undo always runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealane.sandbox.api.app import SCENARIOS_PATH
from sealane.sandbox.api.faults import Setting
from sealane.sandbox.scenarios import book, faults
from sealane.sandbox.scenarios.endpoint import Scenarios
from sealane.sandbox.scenarios.runner import CannotStart, Runner
from tests.sandbox.api.conftest import Api

from .conftest import MODEL


async def test_a_run_says_what_happens_when_and_what_is_broken(theatre: Any) -> None:
    begun = theatre.start("image-missing")
    assert (begun.cluster, begun.namespace, begun.model, begun.left) == ("test", "team-a", MODEL, 120)
    await theatre.run(1)
    assert [item.fault for item in theatre.now.faults] == ["image-missing"]
    assert theatre.now.faults[0].since == begun.started
    assert theatre.now.ends == theatre.now.faults[0].ends > begun.started
    assert len(theatre.now.said) == 1
    await theatre.run(1.5)
    assert theatre.now.said[1].say == f"The pods of {MODEL} are deleted; new ones need the image."
    assert [item.fault for item in theatre.now.faults] == ["image-missing", "pods-deleted"]
    await theatre.heal()
    assert (theatre.now.faults, theatre.now.left, theatre.now.ends) == ((), 0, "")
    assert theatre.now.said[-1].say == theatre.now.heals


async def test_it_lasts_as_long_as_it_is_told_to(theatre: Any) -> None:
    theatre.start("api-busy", seconds=5)
    await theatre.run(4)
    assert not theatre.now.ended
    await theatre.run(2)
    assert theatre.now.ended


async def test_a_second_one_waits_until_the_first_is_healed(theatre: Any) -> None:
    theatre.start("api-slow")
    with pytest.raises(CannotStart, match="“The API server is slow” runs in test; heal it first"):
        theatre.start("node-lost")
    await theatre.heal()
    assert theatre.start("node-lost").name == "node-lost"


async def test_what_cannot_be_started_says_why(theatre: Any) -> None:
    with pytest.raises(CannotStart, match="There is no scenario flood; there are: api-restart") as caught:
        theatre.start("flood")
    assert not caught.value.known
    with pytest.raises(CannotStart, match="There is no cluster mars; there are: test"):
        theatre.runner.start("api-slow", cluster="mars")
    with pytest.raises(CannotStart, match=f"no hosted model phi in test; hosted there: {MODEL}"):
        theatre.start("node-lost", model="phi")
    (deployment,) = theatre.cluster.list("deployments", "team-a")
    theatre.cluster.delete("deployments", deployment)
    await theatre.run(10)
    with pytest.raises(CannotStart, match=r"needs a hosted model that has a node in test; host one first"):
        theatre.start("node-lost")


async def test_nothing_can_be_started_before_the_sandbox_runs(theatre: Any) -> None:
    idle = Runner({"test": theatre.place}, clock=theatre.sim.clock)
    with pytest.raises(CannotStart, match="has not started yet"):
        idle.start("api-slow", cluster="test")


async def test_a_model_may_be_named_with_its_namespace(theatre: Any) -> None:
    assert theatre.start("engine-crash", model=f"team-a/{MODEL}").model == MODEL


async def test_only_what_is_named_is_healed(theatre: Any) -> None:
    theatre.start("api-slow")
    await theatre.run(1)
    assert await theatre.runner.heal("node-lost") == []
    assert await theatre.runner.heal(cluster="elsewhere") == []
    assert [run.name for run in await theatre.runner.heal("api-slow", cluster="test")] == ["api-slow"]


async def test_the_last_runs_are_remembered_and_no_more(theatre: Any) -> None:
    for _ in range(9):
        theatre.start("history-gone")
        await theatre.heal()
    assert [run.id for run in theatre.runner.runs()] == [9, 8, 7, 6, 5, 4]


async def test_a_step_that_fails_is_told_and_everything_is_undone(
    theatre: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(_fault: Any, _place: Any) -> Any:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(faults.PodsDeleted, "begin", explode)
    theatre.start("image-missing")
    await theatre.run(5)
    assert theatre.now.ended
    assert "failed here" in theatre.now.said[1].say
    assert theatre.cluster.troubles.now == []


async def test_a_sandbox_that_stops_heals_what_is_broken(theatre: Any) -> None:
    runner = Runner({"test": theatre.place}, clock=theatre.sim.clock)
    task = asyncio.create_task(runner.run())
    await theatre.run(0)
    runner.start("queue-deleted", cluster="test")
    await theatre.run(1)
    assert theatre.cluster.get("queues", "", "a") is None
    task.cancel()
    await asyncio.wait((task,))
    assert theatre.cluster.get("queues", "", "a") is not None


async def test_what_a_killed_sandbox_left_on_its_nodes_is_mended(theatre: Any) -> None:
    from sealane.sandbox.scenarios import nodes

    nodes.offer(theatre.cluster, "gpu-a", less=1)
    nodes.disk_pressure(theatre.cluster, "gpu-a", on="True")
    nodes.mend(theatre.cluster)
    node = theatre.cluster.get("nodes", "", "gpu-a")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "2"
    assert "taints" not in node["spec"]


@pytest.fixture
def served(theatre: Any) -> Api:
    """An API server that offers the theatre's scenarios."""
    api = Api()
    api.app.scenarios = Scenarios(theatre.runner, speed=1.0)
    return api


async def test_the_endpoint_lists_starts_and_heals(theatre: Any, served: Api) -> None:
    shown = (await served.call("GET", SCENARIOS_PATH)).json
    assert [item["name"] for item in shown["scenarios"]] == list(book.shipped())
    assert shown["clusters"] == ["test"]
    assert shown["runs"] == []
    answer = await served.call("POST", SCENARIOS_PATH, {"start": "api-slow", "cluster": "test", "seconds": 30})
    assert answer.status == 200
    assert answer.json["runs"][0]["left"] == 30
    assert (await served.call("POST", SCENARIOS_PATH, {"start": "api-slow", "cluster": "test"})).status == 409
    healed = await served.call("POST", SCENARIOS_PATH, {"heal": ""})
    assert healed.json["runs"][0]["ended"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"start": "api-slow", "heal": ""}, 400),
        ({"start": "flood"}, 404),
        ({"start": "api-slow", "cluster": "mars"}, 404),
        ({"start": "api-slow", "seconds": 0}, 400),
        ({"begin": "api-slow"}, 400),
        (b"{", 400),
    ],
)
async def test_the_endpoint_refuses_what_it_cannot_do(served: Api, body: Any, status: int) -> None:
    assert (await served.call("POST", SCENARIOS_PATH, body)).status == status


async def test_only_who_may_do_everything_may_break_things(served: Api) -> None:
    assert (await served.call("GET", SCENARIOS_PATH, user="dana")).status == 403
    assert (await served.call("POST", SCENARIOS_PATH, {"heal": ""}, user="")).status == 403
    assert (await served.call("DELETE", SCENARIOS_PATH)).status == 405


async def test_a_bare_api_server_has_no_scenarios() -> None:
    assert (await Api().call("GET", SCENARIOS_PATH)).status == 404


async def test_the_endpoint_is_reached_whatever_is_broken(theatre: Any, served: Api) -> None:
    served.faults.lay(Setting(unauthorized=True, too_many_requests=1))
    assert (await served.call("GET", "/api/v1/pods")).status == 401
    assert (await served.call("GET", SCENARIOS_PATH)).status == 200
