"""The programs that a simulated container has, by name; which ones, its image and its pod decide."""

from __future__ import annotations

from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.commands import archive, files, http, nvidia, ollama, processes, system, text
from sealane.sandbox.world.shell.machine import Machine

_EVERYWHERE = {
    **files.PROGRAMS,
    **text.PROGRAMS,
    **system.PROGRAMS,
    **processes.PROGRAMS,
    **http.PROGRAMS,
    **archive.PROGRAMS,
}


def find(machine: Machine, name: str) -> Program | None:
    """The program of that name in this container."""
    return programs(machine).get(name)


def programs(machine: Machine) -> dict[str, Program]:
    """All that this container has."""
    found = dict(_EVERYWHERE)
    if machine.gpu_memory is not None:
        found |= nvidia.PROGRAMS
    if images.repository(str(machine.container.get("image", ""))) == images.OLLAMA:
        found |= ollama.PROGRAMS

    async def help_(call: Call) -> int:
        await call.say("This shell and its programs are simulated by the Sealane sandbox. It knows:")
        await call.say(" ".join(sorted([*found, "sh", "bash"])))
        return 0

    return found | {"help": help_}
