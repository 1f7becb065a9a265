"""The Ollama image: `serve` as the main container, and the `pull` init container that fetches a model first.

Both run the same simulated server on port 11434, so that a client may follow the init container's pull through the
server's own API, as with the real one. A pull that fails ends the init container with exit code 1 and Ollama's text.
"""

from __future__ import annotations

import asyncio

from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.kubelet.containers import Killed
from sealane.sandbox.world.ollama import app, engine, pulls, settings
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs import generic
from sealane.sandbox.world.programs.base import Program, Surroundings, Use

PORT = 11434
_SERVER_MEMORY = 96 * 1024**2
_RUNNER_MEMORY = 380 * 1024**2
_IDLE_CORES = 0.003
_CORES_WITH_GPU = 1.0
_CORES_WITHOUT = 6.0


def of(container: Obj, *, init: bool) -> Program:
    """The program that stands in for this container."""
    if images.repository(str(container.get("image", ""))) != images.OLLAMA:
        return generic.run
    return pull if init else serve


async def serve(around: Surroundings) -> int:
    """The server, until it is told to stop or the kernel kills it."""
    machine = await _start(around)
    around.be_ready()
    wanted = around.environment.get("SEALANE_MODEL", "")
    if around.warm and wanted:
        await _preload(machine, wanted)
    await machine.killed.wait()
    raise Killed("OOMKilled", 137)


async def pull(around: Surroundings) -> int:
    """A throw-away server and `ollama pull`; 0 when the model is there."""
    machine = await _start(around)
    model = around.environment.get("SEALANE_MODEL", "")
    if not model:
        return await generic.run(around)
    job = machine.pulls.of(model)
    shown = -1
    try:
        async for progress in job.follow():
            percent = progress.completed * 100 // progress.total if progress.total else -1
            if percent // 10 != shown // 10 or not progress.total:
                shown = percent
                around.say(progress.line())
    except pulls.PullFailed as error:
        around.say(f"sealane: {model} could not be pulled")
        around.say(f"Error: {error}")
        return 1
    around.say(f"sealane: {model} is on the volume")
    await around.pause(0.3)
    return 0


async def _start(around: Surroundings) -> engine.Engine:
    hidden = around.environment.get("NVIDIA_VISIBLE_DEVICES") in {"void", "none"}
    gpu_memory = None if hidden else around.gpu_memory
    wanted = settings.of(around.environment, gpu_memory=gpu_memory, memory_limit=around.memory_limit)
    store = around.store_at(wanted.models)
    machine = engine.Engine(
        clock=around.clock, store=store, settings=wanted, instant=around.warm, registry=around.registry
    )
    around.measured_by(lambda: _use(machine))
    around.say(f'level=INFO source=routes.go msg="server config" env="{wanted.text()}"')
    around.say('level=INFO msg="this is the Sealane sandbox\'s simulated Ollama: answers are made up"')
    await around.pause(0.8)
    around.say(f'level=INFO source=routes.go msg="Listening on [::]:{PORT} (version {app.VERSION})"')
    if gpu_memory:
        gib = gpu_memory / 1024**3
        around.say(
            f'level=INFO source=types.go msg="inference compute" library=CUDA name="{around.gpu_name}" '
            f'total="{gib:.1f} GiB" available="{gib:.1f} GiB"'
        )
    around.listen(PORT, app.build(machine, say=around.say))
    return machine


def _use(machine: engine.Engine) -> Use:
    """What the loaded models take beside GPU memory, and a core for each request (all of them without a GPU)."""
    loaded = machine.running()
    working = sum(item.users for item in loaded)
    on_gpu = machine.settings.gpu_memory is not None
    cores = working * (_CORES_WITH_GPU if on_gpu else _CORES_WITHOUT)
    memory = sum(_RUNNER_MEMORY + (item.size // 20 if on_gpu else item.size) for item in loaded)
    return Use(_IDLE_CORES * (1 + len(loaded)) + cores, _SERVER_MEMORY + memory)


async def _preload(machine: engine.Engine, model: str) -> None:
    """While the sandbox warms up, seeded models are there and loaded from the start."""
    job = machine.pulls.of(model)
    async for _ in job.follow():
        await asyncio.sleep(0)
    await machine.preload(model, keep_alive=-1)
