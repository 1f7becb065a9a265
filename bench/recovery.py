"""How soon a watch is right again: after a cut, a restart, a dead connection; and whether it ever lies.

`python -m bench.recovery [--schedules 1000] [--steps 40] [--patient]`. Thousands of random schedules of faults are
played in virtual time (tests/support/watch_world.py); divergences are counted. Then a sandbox process is watched over
HTTPS through a proxy that can swallow: a cut, a restart of the API server, a sleep and, with `--patient` (75 s more), a
connection that is open and dead. lightkube's and the official client's watches run beside ours against the same server
and the same faults. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from sealane.kube import config
from sealane.kube.client import Client
from sealane.kube.resources import CONFIGMAPS
from sealane.kube.watch import Condition, Upsert, reflect

NAMESPACE = "default"
DOWN = 3.0
PEER_LIMIT = 20.0


class Proxy:
    """A TCP proxy on loopback; `swallow` leaves what is open open, and lets nothing through it any more."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._dead: set[asyncio.Event] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def swallow(self) -> None:
        for dead in self._dead:
            dead.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dead = asyncio.Event()
        self._dead.add(dead)
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            await asyncio.gather(_pump(reader, back, dead), _pump(there, writer, dead), return_exceptions=True)
        writer.close()
        self._dead.discard(dead)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, dead: asyncio.Event) -> None:
    while data := await source.read(65_536):
        if dead.is_set():
            continue
        sink.write(data)
        await sink.drain()
    if not dead.is_set():
        sink.close()


class Seen:
    """What a watch has told, with the time of it."""

    def __init__(self) -> None:
        self.names: dict[str, float] = {}
        self.states: list[tuple[float, str]] = []
        self.changed = asyncio.Event()

    def note(self, name: str = "", state: str = "") -> None:
        if name:
            self.names.setdefault(name, time.monotonic())
        if state:
            self.states.append((time.monotonic(), state))
        self.changed.set()

    async def wait(self, name: str, *, limit: float) -> float | None:
        """When `name` was seen; None when it was not within `limit` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while name not in self.names:
                    self.changed.clear()
                    await self.changed.wait()
        return self.names.get(name)


async def _ours(client: Client, seen: Seen) -> None:
    async with contextlib.aclosing(reflect(client, CONFIGMAPS, namespace=NAMESPACE)) as changes:
        async for change in changes:
            if isinstance(change, Upsert):
                seen.note(change.meta.name)
            elif isinstance(change, Condition):
                seen.note(state=change.state)


async def _peer(name: str, kubeconfig: str, context: str, seen: Seen) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench._recovery_peers", name, kubeconfig, context, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        while line := (await process.stdout.readline()).decode().strip():
            seen.note(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def _sandbox(folder: str) -> AsyncIterator[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sealane.sandbox", "--dir", folder, "--bare", "--fresh"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def _make(client: Client, name: str) -> None:
    meta = {"name": name, "namespace": NAMESPACE}
    await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})


async def _fault(client: Client, name: str, **what: object) -> None:
    body, headers = json.dumps(what).encode(), {"Content-Type": "application/json"}
    await client.http.request("POST", f"/sealane-sandbox/faults/{name}", body=body, headers=headers)


async def _outages(*, patient: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with _sandbox(folder) as ready:
            book = config.load([Path(ready["kubeconfig"])])
            straight = next(iter(book.contexts.values()))
            proxy = Proxy(int(straight.server.rsplit(":", 1)[1]))
            async with await proxy.start():
                through = msgspec.structs.replace(straight, server=f"https://127.0.0.1:{proxy.port}")
                async with Client(straight) as hands, Client(through) as eyes:
                    return await _measure(hands, eyes, proxy, ready["kubeconfig"], straight.name, patient=patient)


async def _measure(
    hands: Client, eyes: Client, proxy: Proxy, kubeconfig: str, name: str, *, patient: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    seen = {"sealane": Seen(), "lightkube": Seen(), "official": Seen()}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ours(eyes, seen["sealane"]))]
        tasks += [group.create_task(_peer(one, kubeconfig, name, seen[one])) for one in ("lightkube", "official")]
        for attempt in range(20):  # until all of them watch
            await _make(hands, f"begin-{attempt}")
            await asyncio.sleep(0.5)
            if all(one.names for one in seen.values()):
                break
        await _fault(hands, name, cut=True)
        began = time.monotonic()
        await _make(hands, "after-the-cut")
        found["cut"] = await _times(seen, "after-the-cut", began)
        await _fault(hands, name, down=DOWN)
        await asyncio.sleep(DOWN / 2)
        began = await _ready(hands)
        await _make(hands, "after-the-restart")
        found["restart"] = await _times(seen, "after-the-restart", began)
        proxy.swallow()
        began = time.monotonic()
        await eyes.hang_up()  # what is done when this computer wakes: connections of before are dead without a word
        await _make(hands, "after-a-sleep")
        found["sleep"] = {"sealane": _since(await seen["sealane"].wait("after-a-sleep", limit=120), began)}
        if patient:
            proxy.swallow()
            began = time.monotonic()
            await _make(hands, "while-it-was-dead")
            when = await seen["sealane"].wait("while-it-was-dead", limit=120)
            said = next((at for at, state in seen["sealane"].states if at > began and state != "live"), None)
            found["half-open"] = {"noticed_s": _since(said, began), "fresh_s": _since(when, began)}
        for task in tasks:
            task.cancel()
    return found


async def _ready(client: Client) -> float:
    while True:
        try:
            await client.http.request("GET", "/readyz", limit=1.0)
            return time.monotonic()
        except Exception:  # noqa: BLE001 - it is down
            await asyncio.sleep(0.02)


async def _times(seen: dict[str, Seen], name: str, began: float) -> dict[str, Any]:
    """Seconds until each saw `name`; how its watch ended, or "never" where it did not."""
    when = await asyncio.gather(*(one.wait(name, limit=PEER_LIMIT) for one in seen.values()))
    return {
        who: _since(at, began) if at else next((line for line in one.names if line.startswith("ended")), "never")
        for (who, one), at in zip(seen.items(), when, strict=True)
    }


def _since(at: float | None, began: float) -> float | None:
    return None if at is None else round(at - began, 2)


def _schedules(count: int, *, steps: int) -> dict[str, Any]:
    from watch_reader import play
    from watch_world import schedule

    began, worked, bad = time.monotonic(), time.process_time(), []
    for seed in range(count):
        wrong = play(schedule(seed, steps=steps))
        if wrong:
            bad.append({"seed": seed, "wrong": wrong[0]})
    return {
        "schedules": count,
        "steps": steps,
        "divergences": len(bad),
        "first": bad[:3],
        "seconds": round(time.monotonic() - began, 1),
        "core_s": round(time.process_time() - worked, 1),
    }


def main() -> None:
    """Measure, print, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=40, help="of a schedule, at most")
    parser.add_argument("--patient", action="store_true")
    chosen = parser.parse_args()
    played = _schedules(chosen.schedules, steps=chosen.steps)
    print(
        f"{played['schedules']:,} random schedules: {played['divergences']} divergences, {played['core_s']} s of a core"
    )
    sys.stdout.flush()
    outages = asyncio.run(_outages(patient=chosen.patient))
    for what, times in outages.items():
        print(f"{what:12}{times}")
    print(json.dumps({"bench": "recovery", "model": played, "outages": outages}))


if __name__ == "__main__":
    main()
