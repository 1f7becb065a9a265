"""Exec and attach seen from the container: only one that runs, what its shell sees, and what ends with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sealane.sandbox.streams.console import Console, Process, Wanted
from sealane.sandbox.streams.outcome import CannotStart, NoContainer
from sealane.sandbox.world.kubelet import inside

Obj = dict[str, Any]
Make = Callable[..., Obj]
Begin = Callable[..., tuple["asyncio.Task[int]", Console, bytearray]]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Run a process: its task, its console, and what it wrote to its output."""
    tasks: list[asyncio.Task[int]] = []

    def start(process: Process, *, stdin: bool = False, tty: bool = False) -> Any:
        shown = bytearray()

        async def send(stream: str, data: bytes) -> None:
            shown.extend(data)

        console = Console(Wanted(stdin=stdin, stdout=True, stderr=not tty, tty=tty), send)

        async def run() -> int:
            return await process(console)

        tasks.append(asyncio.create_task(run()))
        return tasks[-1], console, shown

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def running(sim: Any, pod: Obj) -> Obj:
    """The pod, once it runs."""
    sim.cluster.create("pods", pod)
    await sim.until(lambda: sim.pod().get("status", {}).get("phase") == "Running", within=40)
    return dict(sim.pod())


async def test_a_command_sees_the_pod_and_what_it_wrote_lives_with_the_container(
    sim: Any, a_pod: Make, begin: Begin
) -> None:
    pod = await running(sim, a_pod("web", env=[{"name": "GREETING", "value": "hello"}]))
    script = "hostname; echo $GREETING; echo kept > /tmp/note"
    task, _, shown = begin(inside.execute(sim.world.kubelet, pod, name="main", command=["sh", "-c", script]))
    assert await asyncio.wait_for(task, 5) == 0
    assert shown == b"web\nhello\n"
    again, _, shown = begin(inside.execute(sim.world.kubelet, pod, name="main", command=["cat", "/tmp/note"]))
    assert await asyncio.wait_for(again, 5) == 0
    assert shown == b"kept\n"


async def test_a_program_that_is_not_in_the_image_cannot_be_started(sim: Any, a_pod: Make, begin: Begin) -> None:
    pod = await running(sim, a_pod("web"))
    task, _, _ = begin(inside.execute(sim.world.kubelet, pod, name="main", command=["nothing"]))
    with pytest.raises(CannotStart, match="executable file not found"):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("enter", ["exec", "attach"])
async def test_nobody_gets_into_a_container_that_is_not_there_or_does_not_run(
    sim: Any, a_pod: Make, enter: str
) -> None:
    def get_in(pod: Obj, name: str) -> Process:
        if enter == "attach":
            return inside.attach(sim.world.kubelet, pod, name=name)
        return inside.execute(sim.world.kubelet, pod, name=name, command=["true"])

    pod = await running(sim, a_pod("web"))
    with pytest.raises(NoContainer, match='container not found \\("side"\\)'):
        get_in(pod, "side")
    with pytest.raises(NoContainer):
        get_in({"metadata": {"uid": "another", "name": "web", "namespace": "team-a"}}, "main")
    sim.cluster.delete("pods", sim.pod())
    await sim.until(lambda: not sim.pods(), within=60)
    with pytest.raises(NoContainer):
        get_in(pod, "main")


async def test_who_is_inside_is_killed_with_the_container(sim: Any, a_pod: Make, begin: Begin) -> None:
    pod = await running(sim, a_pod("web"))
    inner, _, _ = begin(inside.execute(sim.world.kubelet, pod, name="main", command=["sleep", "100000"]))
    outer, _, _ = begin(inside.attach(sim.world.kubelet, pod, name="main"))
    await sim.run(1)
    assert not inner.done()
    assert not outer.done()
    killer, _, _ = begin(inside.execute(sim.world.kubelet, pod, name="main", command=["kill", "1"]))
    await sim.until(lambda: inner.done() and outer.done() and killer.done(), within=20)
    assert inner.result() == 137


async def test_a_shell_that_is_attached_to_ends_its_container_with_its_own_code(
    sim: Any, a_pod: Make, begin: Begin
) -> None:
    made = a_pod("visitor", image="busybox:1", restartPolicy="Never")
    made["spec"]["containers"][0] |= {"stdin": True, "tty": True}
    pod = await running(sim, made)
    task, console, shown = begin(inside.attach(sim.world.kubelet, pod, name="main"), stdin=True, tty=True)
    await console.feed(b"hostname\rexit 5\r")
    assert await asyncio.wait_for(task, 5) == 5
    assert b"\r\nvisitor\r\n" in shown
    await sim.until(lambda: sim.pod()["status"]["phase"] == "Failed", within=20)
    (status,) = sim.pod()["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 5
