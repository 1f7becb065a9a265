"""ps, top's first screen, kill: a container here has one process of its own, number 1, and whoever looks."""

from __future__ import annotations

from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.shell.calls import Call, Program

_SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "TERM": 15}


async def ps(call: Call) -> int:
    """ps [aux|-ef]"""
    user = call.machine.user[1] or str(call.machine.user[0])
    rows = [(1, main(call)), (42, "ps " + " ".join(call.arguments))]
    if "aux" in call.arguments or "e" in call.options:
        await call.say(f"{'USER':<10} {'PID':>5} {'STAT':<5} COMMAND")
        for number, command in rows:
            await call.say(f"{user:<10} {number:>5} {'Ss' if number == 1 else 'R+':<5} {command}")
        return 0
    await call.say(f"{'PID':>5} {'TTY':<8} {'TIME':>8} CMD")
    for number, command in rows:
        await call.say(f"{number:>5} {'?' if number == 1 else 'pts/0':<8} 00:00:00 {command.split()[0]}")
    return 0


async def kill(call: Call) -> int:
    """kill [-SIGNAL] 1: ends the container, which its kubelet starts again"""
    signal = "TERM"
    numbers = []
    for word in call.arguments:
        if word.startswith("-"):
            name = word[1:].removeprefix("SIG").upper()
            signal = next((key for key, value in _SIGNALS.items() if name in {key, str(value)}), "")
        else:
            numbers.append(word)
    if not signal or not numbers:
        return await call.complain("kill: usage: kill [-s sigspec | -signum] pid")
    for word in numbers:
        if word != "1":
            return await call.complain(f"sh: 1: kill: No such process: ({word})")
        if signal == "KILL":
            return 0  # the kernel keeps process 1 of a namespace from its own SIGKILL
        call.machine.stop(0 if signal in {"TERM", "INT", "QUIT", "HUP"} else 128 + _SIGNALS[signal])
    return 0


def main(call: Call) -> str:
    """The command line of process 1."""
    container = call.machine.container
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    if words:
        return " ".join(words).replace("\n", " ")[:200]
    name = images.repository(str(container.get("image", "")))
    return "/bin/ollama serve" if name == images.OLLAMA else f"/{name.rsplit('/', 1)[-1]}"


PROGRAMS: dict[str, Program] = {"ps": ps, "kill": kill}
