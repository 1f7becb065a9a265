"""What the programs of a simulated container can see: its pod, its files, its ports, its part of a GPU.

Built by the kubelet for each exec; what outlives one (written files) belongs to the container.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.messages import ASGIApp
from sealane.sandbox.world.shell.files import FileSystem


@dataclasses.dataclass(frozen=True)
class Machine:
    """`dial(port)` is what answers on localhost, None where nothing does. Memory is bytes; None: no GPU, no limit.

    `capacities` are bytes of the volumes by name. `stop(code)` ends the container's own process, as a signal does.
    """

    clock: SandboxClock
    pod: Obj
    container: Obj
    environment: dict[str, str]
    files: FileSystem
    models: ModelStore | None
    dial: Callable[[int], ASGIApp | None]
    stop: Callable[[int], None]
    gpu_memory: int | None
    gpu_name: str
    memory_limit: int | None
    capacities: Mapping[str, int]

    @property
    def hostname(self) -> str:
        """The pod's name, as containers see it."""
        return str(self.pod["spec"].get("hostname") or self.pod["metadata"]["name"])[:63]

    @property
    def user(self) -> tuple[int, str]:
        """The user's number and name."""
        wanted = (self.container.get("securityContext") or {}).get("runAsUser")
        if wanted is None:
            wanted = (self.pod["spec"].get("securityContext") or {}).get("runAsUser", 0)
        number = int(wanted or 0)
        return number, "root" if number == 0 else {1000: "ubuntu", 65534: "nobody"}.get(number, "")
