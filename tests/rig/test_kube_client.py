"""Our Kubernetes client against the real API server: what its words, watches and proxies really are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rig_manifests import Deployed

from rig.cluster import Cluster
from sealane.kube import config, errors
from sealane.kube.client import Client
from sealane.kube.resources import CONFIGMAPS, NAMESPACES, PODGROUPS, PODS, QUEUES, of
from sealane.kube.watch import LIVE, Change, Condition, Gone, Synced, Upsert, reflect

pytestmark = pytest.mark.rig

Deploy = Callable[..., Deployed]


def client_of(cluster: Cluster, user: str = "admin", **changes: Any) -> Client:
    context = config.load([cluster.plane.kubeconfig(user)]).context(cluster.name)
    return Client(msgspec.structs.replace(context, **changes))


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    async with client_of(cluster) as opened:
        yield opened


def config_map(name: str, **data: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "team-a"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@pytest.fixture
async def name(client: Client) -> AsyncIterator[str]:
    made = f"c-{secrets.token_hex(3)}"
    yield made
    with contextlib.suppress(errors.NotFound):
        await client.delete(CONFIGMAPS, made, namespace="team-a")


async def until(
    changes: AsyncIterator[Change], wanted: Callable[[Change], object], *, limit: float = 30
) -> list[Change]:
    seen: list[Change] = []
    async with asyncio.timeout(limit):
        while not seen or not wanted(seen[-1]):
            seen.append(await anext(changes))
    return seen


async def test_the_version_and_every_kind_are_discovered_kais_preferred_first(client: Client) -> None:
    assert (await client.version()).startswith("v1.")
    found = await client.discover()
    assert PODS in found
    assert PODGROUPS in found
    assert next(kind.version for kind in found if kind.kind == "Queue") == QUEUES.version


async def test_a_list_in_small_pages_is_the_list_in_one(client: Client) -> None:
    whole = await client.list(NAMESPACES)
    paged = await client.list(NAMESPACES, limit=2)
    assert [item["metadata"]["name"] for item in paged.items] == [item["metadata"]["name"] for item in whole.items]
    assert paged.items[0]["kind"] == "Namespace"


async def test_initial_events_are_real_for_built_in_and_custom_kinds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "list_raw", None)  # a fallback to lists would fail
    for resource, some in ((QUEUES, "team-a"), (NAMESPACES, "team-a")):
        async with contextlib.aclosing(reflect(client, resource)) as changes:
            (synced,) = await until(changes, lambda change: isinstance(change, Synced))
            assert some in {item.meta.name for item in synced.objects}  # type: ignore[union-attr]
            assert await anext(changes) == LIVE


async def test_changes_and_deletions_follow(client: Client, name: str) -> None:
    async with contextlib.aclosing(reflect(client, CONFIGMAPS, namespace="team-a")) as changes:
        await until(changes, lambda change: change is LIVE)
        await client.create(config_map(name, a="1"))
        await client.apply(config_map(name, a="2"), force=True)
        await client.delete(CONFIGMAPS, name, namespace="team-a")
        seen = await until(changes, lambda change: isinstance(change, Gone))
    mine = [change for change in seen if isinstance(change, Upsert | Gone) and change.meta.name == name]
    assert [type(change) for change in mine] == [Upsert, Upsert, Gone]
    assert b"managedFields" not in mine[0].raw  # type: ignore[union-attr]


async def test_a_conflict_of_two_appliers_names_the_other_and_the_field(client: Client, name: str) -> None:
    await client.apply(config_map(name, a="1"), manager="another-tool")
    with pytest.raises(errors.Conflict, match='conflict with "another-tool"') as caught:
        await client.apply(config_map(name, a="2"))
    assert caught.value.details.causes[0].field == ".data.a"
    assert (await client.apply(config_map(name, a="2"), force=True))["data"] == {"a": "2"}


async def test_a_dry_run_leaves_nothing_behind(client: Client, name: str) -> None:
    assert (await client.apply(config_map(name, a="1"), dry_run=True))["data"] == {"a": "1"}
    with pytest.raises(errors.NotFound, match=f'configmaps "{name}" not found'):
        await client.get(CONFIGMAPS, name, namespace="team-a")


async def test_a_taken_name_and_a_wrong_uid_are_told_apart(client: Client, name: str) -> None:
    await client.create(config_map(name))
    with pytest.raises(errors.AlreadyExists):
        await client.create(config_map(name))
    with pytest.raises(errors.Conflict, match="UID"):
        await client.delete(CONFIGMAPS, name, namespace="team-a", uid="00000000-0000-0000-0000-000000000000")


async def test_patches_of_each_type_are_taken(client: Client, name: str) -> None:
    await client.create(config_map(name, a="1"))
    await client.patch(CONFIGMAPS, name, {"data": {"b": "2"}}, namespace="team-a")
    await client.patch(CONFIGMAPS, name, {"data": {"c": "3"}}, namespace="team-a", type="strategic")
    operations = [{"op": "remove", "path": "/data/a"}]
    changed = await client.patch(CONFIGMAPS, name, operations, namespace="team-a", type="json")
    assert changed["data"] == {"b": "2", "c": "3"}


async def test_what_a_field_may_not_hold_is_evidence(client: Client) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name", "namespace": "team-a"}}
    with pytest.raises(errors.Invalid) as caught:
        await client.create({**pod, "spec": {"containers": [{"name": "a", "image": "a"}]}}, dry_run=True)
    assert "metadata.name" in {cause.field for cause in caught.value.details.causes}


async def test_someone_without_rights_is_told_what_is_missing(cluster: Cluster) -> None:
    async with client_of(cluster, "alice") as alice:
        with pytest.raises(errors.Forbidden, match='User "alice" cannot list resource "pods"'):
            await alice.list(PODS)
        assert isinstance((await alice.list(PODS, namespace="team-a")).items, list)
        assert (await alice.can_i("create", PODS, namespace="team-a", subresource="proxy")).allowed
        assert not (await alice.can_i("list", NAMESPACES)).allowed
        async with contextlib.aclosing(reflect(alice, PODS)) as changes:
            first = await anext(changes)
    assert isinstance(first, Condition)
    assert first.state == "forbidden"


async def test_a_field_that_does_not_exist_is_refused_not_dropped(client: Client, name: str) -> None:
    for call in (client.create, client.apply):
        with pytest.raises(errors.Invalid, match="dat"):
            await call({**config_map(name), "dat": {}}, dry_run=True)


async def test_a_credential_plugin_signs_in_and_impersonation_is_honoured(cluster: Cluster, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    granted = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": cluster.plane.token("alice")}}
    login = tmp_path / "login"
    login.write_text(f"#!/bin/sh\necho '{json.dumps(granted)}'\n")
    login.chmod(0o755)
    plugin = config.ExecSpec(api_version=version, command=str(login))
    async with client_of(cluster, credentials=config.Credentials(exec=plugin)) as alice:
        await alice.list(PODS, namespace="team-a")
        with pytest.raises(errors.Forbidden, match='User "alice"'):
            await alice.list(NAMESPACES)
    admin = config.load([cluster.plane.kubeconfig("admin")]).context(cluster.name).credentials
    as_bob = msgspec.structs.replace(admin, impersonate_user="bob", impersonate_groups=("team-b",))
    async with client_of(cluster, credentials=as_bob) as bob:
        with pytest.raises(errors.Forbidden, match='User "bob"'):
            await bob.list(PODS, namespace="team-a")


async def test_a_token_that_nobody_knows_is_unauthorized(cluster: Cluster) -> None:
    unknown = config.Credentials(token="nobody")
    async with client_of(cluster, credentials=unknown) as client:
        with pytest.raises(errors.Unauthorized, match="does not accept the credentials"):
            await client.list(PODS)


async def test_a_server_of_another_authority_is_not_trusted(cluster: Cluster) -> None:
    async with client_of(cluster, ca_data=b"", ca_file="") as client:
        with pytest.raises(errors.TlsFailed, match="certificate"):
            await client.version()


async def test_a_pods_port_answers_through_the_api_server_and_a_closed_one_is_told_apart(
    client: Client, deploy: Deploy
) -> None:
    model = deploy("tiny-chat", gpu="0")
    pod = await asyncio.to_thread(model.ready_pod)
    name = pod["metadata"]["name"]
    assert of(pod | {"apiVersion": "v1", "kind": "Pod"}) == PODS
    async with client.proxy(name, namespace="team-a", port=11434, method="GET", path="/api/version") as answer:
        assert answer.status == 200
        assert "version" in json.loads(await answer.read())
    body = {"model": "no-such-model", "prompt": "x"}
    async with client.proxy(
        name, namespace="team-a", port=11434, method="POST", path="/api/generate", body=json.dumps(body).encode()
    ) as answer:
        assert answer.status == 404
        assert b"not found" in await answer.read()
    with pytest.raises(errors.PodUnreachable):
        async with client.proxy(name, namespace="team-a", port=4, method="GET", path="/"):
            pass
    with pytest.raises(errors.NotFound):
        async with client.proxy("no-such-pod", namespace="team-a", port=11434, method="GET", path="/"):
            pass


async def test_a_stream_from_a_pod_arrives_piece_by_piece(client: Client, deploy: Deploy) -> None:
    model = deploy("tiny-chat", gpu="0")
    pod = await asyncio.to_thread(model.ready_pod)
    body = {"model": "tiny-chat", "prompt": "hello", "options": {"num_predict": 3000}}
    async with client.proxy(
        pod["metadata"]["name"],
        namespace="team-a",
        port=11434,
        method="POST",
        path="/api/generate",
        body=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    ) as answer:
        chunks = answer.chunks()
        first = await anext(chunks)
        rest = b"".join([chunk async for chunk in chunks])
    assert json.loads(first.splitlines()[0])["response"]
    assert b'"done":true' not in first
    assert json.loads(rest.splitlines()[-1])["done"]
    logs = [
        line
        async for line in client.logs(pod["metadata"]["name"], namespace="team-a", container="ollama", tail_lines=50)
    ]
    assert any(b"/api/generate" in line for line in logs)


async def test_a_watch_outlives_a_crash_of_the_api_server_and_misses_nothing(
    cluster: Cluster, client: Client, name: str
) -> None:
    async with contextlib.aclosing(reflect(client, CONFIGMAPS, namespace="team-a")) as changes:
        await until(changes, lambda change: change is LIVE)
        await client.create(config_map(name, a="1"))
        await until(changes, lambda change: isinstance(change, Upsert) and change.meta.name == name)
        cluster.plane.kill("kube-apiserver")
        (cut,) = await until(changes, lambda change: isinstance(change, Condition))
        assert isinstance(cut, Condition)
        assert cut.state == "reconnecting"
        cluster.plane.start_api_server()
        await asyncio.to_thread(cluster.plane.wait_ready)
        await client.delete(CONFIGMAPS, name, namespace="team-a")
        seen = await until(changes, lambda change: isinstance(change, Gone) and change.meta.name == name, limit=20)
    assert LIVE in seen
    async with asyncio.timeout(20), client.watch_raw(PODS, resource_version="1") as batches:
        (old,) = await anext(batches)  # the server's memory begins at its restart
    assert old.type == "ERROR"
    assert b'"code":410' in bytes(old.object)
