"""A watch outlives everything on the real thing: crashes of the API server and of etcd, compaction, other tokens.

Limits are those that people are promised: fresh within 5 s of readiness after a restart, within 2 s after a cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rig.cluster import Cluster
from sealane.kube import config, errors
from sealane.kube.client import Client
from sealane.kube.resources import CONFIGMAPS
from sealane.kube.watch import LIVE, Change, Condition, Gone, Patience, Synced, Upsert, reflect

pytestmark = pytest.mark.rig


Note = Callable[[str], None]


class Mirror:
    """What a reader of config maps in team-a believes, kept by a task."""

    def __init__(self, client: Client, *, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience
        self.objects: dict[str, str] = {}
        self.states: list[Condition] = []
        self.least = 10**9  # how few objects were ever shown after the first answer
        self._changed = asyncio.Event()

    async def run(self) -> None:
        told = reflect(self._client, CONFIGMAPS, namespace="team-a", patience=self._patience)
        async with contextlib.aclosing(told) as changes:
            async for change in changes:
                self._take(change)
                self.least = min(self.least, len(self.objects))
                self._changed.set()

    def _take(self, change: Change) -> None:
        if isinstance(change, Synced):
            self.objects = {item.meta.name: item.meta.resource_version for item in change.objects}
        elif isinstance(change, Upsert):
            self.objects[change.meta.name] = change.meta.resource_version
        elif isinstance(change, Gone):
            self.objects.pop(change.meta.name, None)
        else:
            self.states.append(change)

    async def until(self, wanted: Callable[[Mirror], object], *, limit: float = 30.0) -> float:
        """Seconds until it holds."""
        began = time.monotonic()
        async with asyncio.timeout(limit):
            while not wanted(self):
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic() - began

    def is_live(self) -> bool:
        return bool(self.states) and self.states[-1] == LIVE


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Note:
    """Says a measured time, past pytest's capture: it is what people want to know of this file."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    return lambda what: reporter.write_line(what) if reporter else None


def context_of(cluster: Cluster, **changes: Any) -> config.Context:
    return msgspec.structs.replace(config.load([cluster.plane.kubeconfig("admin")]).context(cluster.name), **changes)


@contextlib.asynccontextmanager
async def mirrored(context: config.Context, **more: Any) -> AsyncIterator[tuple[Client, Mirror]]:
    async with Client(context) as client:
        mirror = Mirror(client, **more)
        task = asyncio.create_task(mirror.run())
        try:
            await mirror.until(Mirror.is_live)
            yield client, mirror
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def make(client: Client) -> str:
    name = f"r-{secrets.token_hex(3)}"
    meta = {"name": name, "namespace": "team-a"}
    await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    return name


async def listed(client: Client) -> dict[str, str]:
    found = await client.list(CONFIGMAPS, namespace="team-a")
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found.items}


async def test_after_a_killed_api_server_it_is_right_within_five_seconds_of_readiness(
    note: Note, cluster: Cluster
) -> None:
    async with mirrored(context_of(cluster)) as (client, mirror):
        kept, lost = await make(client), await make(client)
        await mirror.until(lambda it: {kept, lost} <= it.objects.keys())
        mirror.least = len(mirror.objects)
        before = mirror.least
        cluster.plane.kill("kube-apiserver")
        await mirror.until(lambda it: not it.is_live())
        assert kept in mirror.objects  # the last data stay while it is away
        await asyncio.sleep(2)
        cluster.plane.start_api_server()
        await asyncio.to_thread(cluster.plane.wait_ready)
        await client.delete(CONFIGMAPS, lost, namespace="team-a")
        took = await mirror.until(lambda it: it.is_live() and lost not in it.objects, limit=20)
        note(f"fresh {took:.2f} s after readiness")
        assert took < 5
        assert mirror.least >= before - 1  # a retake never shows an emptied list
        assert mirror.objects == await listed(client)
        assert "forbidden" not in {each.state for each in mirror.states}


async def test_a_killed_etcd_hangs_reads_and_is_outlived(note: Note, cluster: Cluster) -> None:
    async with mirrored(context_of(cluster)) as (client, mirror):
        name = await make(client)
        await mirror.until(lambda it: name in it.objects)
        cluster.plane.kill("etcd")
        began = time.monotonic()
        with pytest.raises((errors.TimedOut, errors.ApiError)):
            await client.http.request("GET", CONFIGMAPS.path(name, namespace="team-a"), limit=4.0)
        assert time.monotonic() - began < 10
        assert name in mirror.objects
        cluster.plane.start_etcd()
        await asyncio.to_thread(cluster.plane.wait_ready)
        later = await make(client)
        took = await mirror.until(lambda it: it.is_live() and later in it.objects, limit=40)
        note(f"fresh {took:.2f} s after etcd was ready")
        assert mirror.objects == await listed(client)


async def test_a_compaction_while_it_was_away_loses_no_deletion(note: Note, cluster: Cluster) -> None:
    async with mirrored(context_of(cluster)) as (client, mirror):
        lost = await make(client)
        await mirror.until(lambda it: lost in it.objects)
        async with Client(context_of(cluster)) as other:
            await client.hang_up()
            await other.delete(CONFIGMAPS, lost, namespace="team-a")
            version = (await other.list(CONFIGMAPS, namespace="team-a")).resource_version
            await asyncio.to_thread(compact, cluster, int(version))
        took = await mirror.until(lambda it: it.is_live() and lost not in it.objects)
        note(f"fresh {took:.2f} s after a cut and a compaction")
        assert took < 2
        assert mirror.objects == await listed(client)


def compact(cluster: Cluster, revision: int) -> None:
    """Through etcd's own JSON gateway, as an operator's compaction would."""
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-X",
            "POST",
            "-d",
            json.dumps({"revision": str(revision)}),
            f"{etcd_url(cluster)}/v3/kv/compaction",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "error" not in done.stdout, done.stdout


def etcd_url(cluster: Cluster) -> str:
    return f"http://127.0.0.1:{21001 + 100 * cluster.plane.index}"


async def test_a_token_that_is_exchanged_is_taken_up_between_watches(
    note: Note, cluster: Cluster, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(cluster.plane.token("admin"))
    signed = context_of(cluster, credentials=config.Credentials(token_file=str(token)))
    async with mirrored(signed) as (client, mirror), Client(context_of(cluster)) as other:
        token.write_text("nobody")
        await client.http.renew()
        await client.hang_up()
        await mirror.until(lambda it: it.states[-1].state == "unauthorized")
        token.write_text(cluster.plane.token("admin"))
        name = await make(other)
        took = await mirror.until(lambda it: it.is_live() and name in it.objects)
        note(f"fresh {took:.2f} s after the right token came")
        assert mirror.objects == await listed(other)
