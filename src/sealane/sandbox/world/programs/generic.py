"""Programs that are not Ollama: they start, say so, answer a plain page where they have a port, and run on.

Commands are read for a few words only (`sleep 30`, `exit 3`, `false`, `true`, `echo …`), which is enough for Jobs,
crash loops and init containers. The annotation `sandbox.sealane.dev/runs-for` (seconds) ends a program by itself.
"""

from __future__ import annotations

import asyncio
import json
import re

from sealane.sandbox.world import objects
from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.base import Surroundings
from sealane.sandbox.world.programs.messages import ASGIApp, Message, Receive, Send

RUNS_FOR = "sandbox.sealane.dev/runs-for"
_SLEEP = re.compile(r"\bsleep\s+(infinity|[0-9.]+)")
_EXIT = re.compile(r"\bexit\s+(\d+)")
_ECHO = re.compile(r"\becho\s+(?:\"([^\"]*)\"|'([^']*)'|([^;&|]*))")
_FOREVER = 10.0 * 365 * 86_400


async def run(around: Surroundings) -> int:
    """Behave as an ordinary program would."""
    command = command_line(around.container)
    around.say(f"{images.repository(around.container.get('image', ''))} (simulated by the Sealane sandbox): started")
    for found in _ECHO.findall(command):
        around.say(next((part for part in found if part), "").strip())
    for port in around.container.get("ports") or ():
        around.listen(int(port["containerPort"]), page(around.container.get("image", "")))
    await around.pause(0.3)
    around.be_ready()
    await _work(around, command)
    return exit_code(command)


def command_line(container: Obj) -> str:
    """Command and arguments as one text."""
    return " ".join(str(part) for part in (*(container.get("command") or ()), *(container.get("args") or ())))


def exit_code(command: str) -> int:
    """The code that the command ends with."""
    found = _EXIT.search(command)
    if found:
        return int(found.group(1))
    return 1 if re.search(r"(^|[\s;])(/bin/)?false$", command.strip()) else 0


async def _work(around: Surroundings, command: str) -> None:
    """Wait as long as the program would run."""
    limit = objects.notes(around.pod).get(RUNS_FOR)
    if limit:
        await around.clock.sleep(float(limit))
        return
    if waits_for_input(around.container):
        await asyncio.Event().wait()  # until who is attached ends it
    sleep = _SLEEP.search(command)
    if sleep and sleep.group(1) != "infinity" and not re.search(r"while\b|--loop", command):
        await around.clock.sleep(float(sleep.group(1)))
        return
    if sleep is None and ends_at_once(around, command):
        await around.clock.sleep(1.0)
        return
    await asyncio.Event().wait()


def waits_for_input(container: Obj) -> bool:
    """Whether it is a shell with a terminal, as of `kubectl run -it`, which runs until it is left."""
    words = [str(part) for part in (*(container.get("command") or ()), *(container.get("args") or ()))]
    shell = words[0].rsplit("/", 1)[-1] in {"sh", "bash", "ash"} if words else _is_base(container)
    return bool(container.get("stdin")) and shell and len(words) <= 1


def _is_base(container: Obj) -> bool:
    """Whether the image's own program is a shell."""
    return images.repository(str(container.get("image", ""))) in {"busybox", "alpine", "ubuntu", "debian"}


def ends_at_once(around: Surroundings, command: str) -> bool:
    """Whether a command without a sleep ends by itself: batch work does, servers do not."""
    if _EXIT.search(command) or re.search(r"(^|[\s;])(/bin/)?(false|true)$", command.strip()):
        return True
    batch = around.pod["spec"].get("restartPolicy") != "Always"
    in_init = around.container in (around.pod["spec"].get("initContainers") or ())
    shell = images.repository(around.container.get("image", "")) in {"busybox", "alpine", "hello-world"}
    return batch or in_init or (shell and "ports" not in around.container)


def page(image: str) -> ASGIApp:
    """A page that says what answers here."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            return
        body = json.dumps({"simulated": True, "image": image, "path": scope["path"]}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
