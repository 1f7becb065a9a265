"""nvidia-smi: the simulated card, with the part of its memory that this pod has and what is loaded into it."""

from __future__ import annotations

import json

from sealane.sandbox.world.shell import client
from sealane.sandbox.world.shell.calls import Call, Program

_MIB = 1024**2
_PORT = 11434
_QUERY = "--query-gpu="


async def smi(call: Call) -> int:
    """nvidia-smi [-L] [--query-gpu=FIELDS --format=csv]"""
    name = call.machine.gpu_name or "NVIDIA GPU"
    total = (call.machine.gpu_memory or 0) // _MIB
    used = await _used(call) // _MIB
    identity = f"GPU-{call.machine.pod['metadata'].get('uid', 'simulated')}"
    if "-L" in call.arguments:
        await call.say(f"GPU 0: {name} (simulated) (UUID: {identity})")
        return 0
    fields = next((word.removeprefix(_QUERY) for word in call.arguments if word.startswith(_QUERY)), "")
    if fields:
        known = {
            "name": name, "uuid": identity, "index": "0", "driver_version": "simulated",
            "memory.total": f"{total} MiB", "memory.used": f"{used} MiB", "memory.free": f"{total - used} MiB",
            "utilization.gpu": "0 %", "temperature.gpu": "40", "count": "1",
        }  # fmt: skip
        asked = [field.strip() for field in fields.split(",")]
        wrong = next((field for field in asked if field not in known), "")
        if wrong:
            await call.say(f'Field "{wrong}" is not a valid field to query.')
            return 2
        form = next((word.partition("=")[2] for word in call.arguments if word.startswith("--format=")), "")
        if "noheader" not in form:
            await call.say(", ".join(f"{field} [MiB]" if field.startswith("memory.") else field for field in asked))
        values = [known[field] for field in asked]
        await call.say(
            ", ".join(value.partition(" ")[0] for value in values) if "nounits" in form else ", ".join(values)
        )
        return 0
    await _table(call, name, used, total)
    return 0


async def _table(call: Call, name: str, used: int, total: int) -> None:
    width = 77
    line = "+" + "-" * width + "+"
    memory = f"{used}MiB / {total}MiB"
    rows = [
        "NVIDIA-SMI   simulated by the Sealane sandbox: this pod's part of the card",
        f"GPU 0  {name[:30]:<30} {memory:>24}   0%",
    ]
    await call.say(call.machine.clock.now().strftime("%a %b %e %H:%M:%S %Y"))
    await call.say(line)
    await call.say(f"| {rows[0][: width - 2]:<{width - 2}} |")
    await call.say(line)
    await call.say(f"| {rows[1][: width - 2]:<{width - 2}} |")
    await call.say(line)
    process = f"Processes:  {'1  C  ollama  ' + str(used) + 'MiB' if used else 'No running processes found'}"
    await call.say(f"| {process:<{width - 2}} |")
    await call.say(line)


async def _used(call: Call) -> int:
    """Bytes that the pod's simulated Ollama says it holds on the card."""
    app = call.machine.dial(_PORT)
    if app is None:
        return 0
    async with client.request(app, "GET", "/api/ps") as answer:
        if answer.status != 200:
            return 0
        return sum(int(model["size_vram"]) for model in json.loads(await answer.all()).get("models", ()))


PROGRAMS: dict[str, Program] = {"nvidia-smi": smi}
