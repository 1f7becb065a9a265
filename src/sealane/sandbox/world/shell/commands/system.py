"""Programs about the machine: env, whoami, hostname, uname, date, df, free, nproc, which, sleep, exit."""

from __future__ import annotations

import re

from sealane.kube import quantities
from sealane.sandbox.world.shell.calls import Call, Program
from sealane.sandbox.world.shell.commands.files import human

_GIB = 1024**3


async def env(call: Call) -> int:
    """env, printenv [NAME], export NAME=VALUE"""
    names = call.plain
    if names:
        value = call.variables.get(names[0])
        if value is None:
            return 1
        await call.say(value)
        return 0
    shown = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": call.machine.hostname}
    for name, value in (shown | call.variables | {"HOME": "/root", "PWD": call.state.cwd}).items():
        await call.say(f"{name}={value}")
    return 0


async def export(call: Call) -> int:
    """export NAME=VALUE"""
    for word in call.plain:
        name, _, value = word.partition("=")
        call.variables[name] = value
    return 0


async def whoami(call: Call) -> int:
    """whoami"""
    number, name = call.machine.user
    if not name:
        return await call.complain(f"whoami: cannot find name for user ID {number}")
    await call.say(name)
    return 0


async def identity(call: Call) -> int:
    """id [-u]"""
    number, name = call.machine.user
    shown = f"{number}({name})" if name else str(number)
    await call.say(str(number) if "u" in call.options else f"uid={shown} gid=0(root) groups=0(root)")
    return 0


async def hostname(call: Call) -> int:
    """hostname"""
    await call.say(call.machine.hostname)
    return 0


async def uname(call: Call) -> int:
    """uname [-a]"""
    whole = f"Linux {call.machine.hostname} 0.0.0-sealane-sandbox #1 simulated x86_64 GNU/Linux"
    await call.say(whole if "a" in call.options else "0.0.0-sealane-sandbox" if "r" in call.options else "Linux")
    return 0


async def date(call: Call) -> int:
    """date [+FORMAT]"""
    form = next((word[1:] for word in call.arguments if word.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    await call.say(call.machine.clock.now().strftime(form))
    return 0


async def sleep(call: Call) -> int:
    """sleep SECONDS (of the sandbox's time)"""
    word = call.plain[0] if call.plain else ""
    if not re.fullmatch(r"\d+(\.\d+)?", word):
        return await call.complain(f"sleep: invalid time interval '{word}'")
    await call.machine.clock.sleep(float(word))
    return 0


async def df(call: Call) -> int:
    """df [-h]: the root and what is mounted from volumes"""
    rows = [("overlay", 100 * _GIB, 22 * _GIB, "/")]
    volumes = {item["name"]: item for item in call.machine.pod["spec"].get("volumes") or ()}
    models = call.machine.models
    used = sum(item.model.size for item in models.models.values()) if models is not None else 0
    for mount in call.machine.container.get("volumeMounts") or ():
        name = mount["name"]
        if volumes.get(name, {}).keys() & {"persistentVolumeClaim", "ephemeral", "emptyDir"}:
            rows.append((f"/dev/sim-{name}", call.machine.capacities.get(name, 100 * _GIB), used, mount["mountPath"]))
    short = "h" in call.options
    unit = "Size" if short else "1K-blocks"
    await call.say(f"{'Filesystem':<24} {unit:>12} {'Used':>12} {'Avail':>12} Use% Mounted on")
    for name, size, taken, place in rows:
        shown = [human(value) if short else str(value // 1024) for value in (size, taken, max(0, size - taken))]
        await call.say(f"{name:<24} {shown[0]:>12} {shown[1]:>12} {shown[2]:>12} {taken * 100 // size:>3}% {place}")
    return 0


async def free(call: Call) -> int:
    """free [-h] [-m]"""
    total = call.machine.memory_limit or 64 * _GIB
    used = min(total // 3, 600 * 1024**2)
    divisor = 1024**2 if "m" in call.options else 1024
    shown = [human(v) if "h" in call.options else str(v // divisor) for v in (total, used, total - used)]
    await call.say(f"{'':<8}{'total':>12}{'used':>12}{'free':>12}")
    await call.say(f"{'Mem:':<8}{shown[0]:>12}{shown[1]:>12}{shown[2]:>12}")
    return 0


async def nproc(call: Call) -> int:
    """nproc"""
    limit = ((call.machine.container.get("resources") or {}).get("limits") or {}).get("cpu")
    await call.say(str(max(1, int(quantities.parse(str(limit)))) if limit else 16))
    return 0


async def which(call: Call) -> int:
    """which PROGRAMS"""
    from sealane.sandbox.world.shell import commands  # the table of all programs names this one

    code = 0
    for name in call.plain:
        if commands.find(call.machine, name) is None and name not in {"sh", "bash"}:
            code = 1
        else:
            await call.say(f"/usr/bin/{name}")
    return code


async def true(_call: Call) -> int:
    """true"""
    return 0


async def false(_call: Call) -> int:
    """false"""
    return 1


async def leave(call: Call) -> int:
    """exit [CODE]"""
    call.state.ended = True
    word = call.plain[0] if call.plain else str(call.state.code)
    return int(word) % 256 if word.isdigit() else 2


PROGRAMS: dict[str, Program] = {
    "env": env, "printenv": env, "export": export, "whoami": whoami, "id": identity, "hostname": hostname,
    "uname": uname, "date": date, "sleep": sleep, "df": df, "free": free, "nproc": nproc, "which": which,
    "true": true, ":": true, "false": false, "exit": leave, "clear": true,
}  # fmt: skip
