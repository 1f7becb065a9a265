"""The way into a container for exec and attach: what its shell sees, and its own process seen from outside.

A container must run, else the kubelet knows none of that name. When its process ends, whoever is inside is ended too,
with 137 as the kernel does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction

from sealane.sandbox.streams.console import Console, Process
from sealane.sandbox.streams.outcome import NoContainer
from sealane.sandbox.world import objects
from sealane.sandbox.world.kubelet import connections, inputs
from sealane.sandbox.world.kubelet.containers import Container
from sealane.sandbox.world.kubelet.kubelet import Kubelet
from sealane.sandbox.world.kubelet.pod import PodRun
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs import generic
from sealane.sandbox.world.programs.messages import ASGIApp
from sealane.sandbox.world.shell import mounts
from sealane.sandbox.world.shell.machine import Machine
from sealane.sandbox.world.shell.shell import Shell

_KILLED = 137


def execute(kubelet: Kubelet, pod: Obj, *, name: str, command: Sequence[str]) -> Process:
    """What a command does. Raises NoContainer; the process may raise CannotStart."""
    run, container = _running(kubelet, pod, name)
    machine = _machine(kubelet, run, container)

    async def process(console: Console) -> int:
        return await _while_it_runs(container, Shell(machine, console), command)

    return process


def attach(kubelet: Kubelet, pod: Obj, *, name: str) -> Process:
    """The container's own process: what it writes from now on, or its shell. Raises NoContainer."""
    run, container = _running(kubelet, pod, name)
    log = container.log
    if log is None:
        raise NoContainer(f'container not found ("{name}")')
    machine = _machine(kubelet, run, container)

    async def process(console: Console) -> int:
        if generic.waits_for_input(container.spec) and console.has_input:
            code = await _while_it_runs(container, Shell(machine, console), ["sh"])
            container.stop(code)
            return code
        end = b"\r\n" if console.tty else b"\n"
        async for line in log.read(follow=True, tail_lines=0, timestamps=False, since=None):
            await console.out(line.rstrip(b"\n") + end)
        return int((container.ended or {}).get("exitCode", 0))

    return process


def _running(kubelet: Kubelet, pod: Obj, name: str) -> tuple[PodRun, Container]:
    run = kubelet.runs.get(objects.uid(pod))
    found = None if run is None else run.container(name)
    if run is None or found is None or not found.running:
        raise NoContainer(f'container not found ("{name}")')
    return run, found


async def _while_it_runs(container: Container, shell: Shell, command: Sequence[str]) -> int:
    working = asyncio.create_task(shell.run(command), name=f"exec in {container.name}")
    ending = asyncio.create_task(container.over.wait(), name=f"end of {container.name}")
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else _KILLED
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


def _machine(kubelet: Kubelet, run: PodRun, container: Container) -> Machine:
    cluster, pod = kubelet.cluster, run.pod
    if container.files is None:
        container.files = mounts.file_system(
            cluster, pod, container.spec, store=lambda path: kubelet.volumes.store(pod, container.spec, path)
        )
    environment = inputs.environment(cluster, pod, container.spec)
    models = environment.get("OLLAMA_MODELS") or "/root/.ollama/models"

    def dial(port: int) -> ASGIApp | None:
        listening = run.listeners.get(port)
        return None if listening is None or listening.over.is_set() else connections.cut_with(listening)

    return Machine(
        clock=cluster.clock,
        pod=pod,
        container=container.spec,
        environment=environment,
        files=container.files,
        models=kubelet.volumes.store(pod, container.spec, models),
        dial=dial,
        stop=container.stop,
        gpu_memory=inputs.gpu_memory(cluster, pod),
        gpu_name=inputs.gpu_name(cluster, pod),
        memory_limit=inputs.memory_limit(container.spec),
        capacities=_capacities(kubelet, pod),
    )


def _capacities(kubelet: Kubelet, pod: Obj) -> dict[str, int]:
    """Bytes of each volume of the pod that is a claim, by the volume's name."""
    namespace, name = objects.key(pod)
    found: dict[str, int] = {}
    for volume in pod["spec"].get("volumes") or ():
        claim_name = (volume.get("persistentVolumeClaim") or {}).get("claimName") or f"{name}-{volume['name']}"
        claim = kubelet.cluster.get("persistentvolumeclaims", namespace, claim_name) or {}
        amount: Fraction = objects.number(((claim.get("status") or {}).get("capacity") or {}).get("storage", 0))
        if amount:
            found[volume["name"]] = int(amount)
    return found
