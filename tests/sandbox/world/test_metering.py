"""Use: a steady part of what was asked for, what annotations say, and what loaded models take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world import metering

Obj = dict[str, Any]
Make = Callable[..., Obj]


async def running(sim: Any, obj: Obj, plural: str = "pods", pods: int = 1) -> list[Obj]:
    """Create it and wait for its pods to be ready."""
    sim.cluster.create(plural, obj)

    def up() -> bool:
        return sum(pod.get("status", {}).get("phase") == "Running" for pod in sim.pods()) == pods

    await sim.until(up, within=60)
    await sim.run(2)
    found: list[Obj] = sim.pods()
    return found


async def test_a_program_uses_a_part_of_what_it_asked_for(sim: Any, a_pod: Make) -> None:
    (pod,) = await running(sim, a_pod("one", cpu="1", memory="1Gi"))
    use = sim.world.meter.pod(pod)["main"]
    assert 0.05 <= use.cpu <= 0.2
    assert 2**28 <= use.memory <= 2**29
    assert sim.world.meter.pod(pod)["main"] == use


async def test_what_does_not_run_has_no_figure(sim: Any, a_pod: Make) -> None:
    sim.cluster.create("pods", a_pod("one"))
    assert sim.world.meter.pod(sim.pod()) is None


@pytest.mark.parametrize(("notes", "cpu", "memory"), [
    ({metering.USES_CPU: "750m"}, 0.75, None),
    ({metering.USES_MEMORY: "300Mi"}, None, 300 * 2**20),
])  # fmt: skip
async def test_annotations_say_what_is_used(sim: Any, a_pod: Make, notes: Obj, cpu: float, memory: int) -> None:
    (pod,) = await running(sim, a_pod("one", notes=notes))
    use = sim.world.meter.pod(pod)["main"]
    assert cpu is None or use.cpu == pytest.approx(cpu)
    assert memory is None or use.memory == memory


async def test_nobody_uses_more_than_the_limits(sim: Any, a_pod: Make) -> None:
    made = a_pod("one", notes={metering.USES_CPU: "4", metering.USES_MEMORY: "9Gi"})
    made["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1", "memory": "1Gi"}
    (pod,) = await running(sim, made)
    use = sim.world.meter.pod(pod)["main"]
    assert (use.cpu, use.memory) == (1.0, 2**30)


async def test_load_on_a_workload_is_shared_by_its_ready_pods(sim: Any, a_deployment: Make) -> None:
    made = a_deployment("web", replicas=2)
    made["metadata"]["annotations"] = {metering.LOAD: "3"}
    pods = await running(sim, made, "deployments", pods=2)
    uses = [sim.world.meter.pod(pod)["main"].cpu for pod in pods]
    assert all(1.5 <= use < 1.6 for use in uses)


async def test_a_node_uses_what_its_pods_use_and_something_itself(sim: Any, a_pod: Make) -> None:
    (pod,) = await running(sim, a_pod("one", notes={metering.USES_CPU: "2"}))
    nodes = {node["metadata"]["name"]: node for node in sim.cluster.list("nodes")}
    here, *others = (pod["spec"]["nodeName"], *(name for name in nodes if name != pod["spec"]["nodeName"]))
    assert sim.world.meter.node(nodes[here]).cpu > 2
    assert all(sim.world.meter.node(nodes[name]).cpu < 1 for name in others)
    sim.world.nodes.down(here)
    assert sim.world.meter.node(nodes[here]) is None
    assert sim.world.meter.pod(pod) is None


async def test_loaded_models_take_memory(sim: Any, a_pod: Make) -> None:
    made = a_pod("llm", image="ollama/ollama:0.23.0", ports=[{"containerPort": 11434}], memory="8Gi")
    (pod,) = await running(sim, made)
    before = sim.world.meter.pod(pod)["main"]
    app = sim.world.backend.proxy(pod, 11434)
    await sim.ask(app, "POST", "/api/pull", {"model": "smollm2:135m", "stream": False})
    await sim.ask(app, "POST", "/api/generate", {"model": "smollm2:135m", "keep_alive": -1})
    after = sim.world.meter.pod(pod)["main"]
    assert after.memory > before.memory + 300 * 2**20
