"""The kubelet's answers to the API server: logs and ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.api.backends import NoLogs, NotListening

Obj = dict[str, Any]
Make = Callable[..., Obj]
PLAIN: Obj = {
    "container": "", "follow": False, "tail_lines": None, "previous": False, "timestamps": False, "since_seconds": None
}  # fmt: skip


async def lines(sim: Any, pod: Obj, **options: Any) -> list[bytes]:
    return [line async for line in sim.world.backend.logs(pod, **(PLAIN | options))]


async def test_the_log_says_that_the_program_is_simulated(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x"))
    await sim.run(10)
    assert b"simulated by the Sealane sandbox" in (await lines(sim, sim.pod()))[0]
    assert await lines(sim, sim.pod(), tail_lines=0) == []
    assert await lines(sim, sim.pod(), since_seconds=1) == []


async def test_there_is_no_log_before_a_container_has_started(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", image="big/image:1"))
    await sim.run(0.5)
    with pytest.raises(NoLogs, match=r'container "main" in pod "x" is waiting to start: ContainerCreating'):
        await lines(sim, sim.pod())
    with pytest.raises(NoLogs, match="previous terminated container"):
        await lines(sim, sim.pod(), previous=True)
    with pytest.raises(NoLogs):
        await lines(sim, sim.pod(), container="ghost")


async def test_a_port_that_nobody_listens_on_refuses(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("x", ports=[{"containerPort": 80}]))
    await sim.run(10)
    status, body = await sim.ask(sim.world.backend.proxy(sim.pod(), 80), "GET", "/page")
    assert status == 200
    assert b'"simulated": true' in body
    with pytest.raises(NotListening, match=r"dial tcp 10\.9\.3\.\d+:81: connect: connection refused"):
        sim.world.backend.proxy(sim.pod(), 81)
