"""The process: its one line, its files, its end, its memory; and the listener's TLS and faults on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from sealane.sandbox.server import Sandbox, Settings


async def get(sandbox: Sandbox, cluster: str, path: str, *, token: str = "", **options: Any) -> tuple[int, Any]:
    """One request over TLS."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    folder = sandbox.settings.folder / "clusters" / cluster
    server = next(item["cluster"]["server"] for item in config["clusters"] if item["name"] == cluster)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    headers = {"authorization": f"Bearer {token or sandbox.tokens['admin']}"}
    method = options.pop("method", "GET")
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.request(method, server + path, headers=headers, **options) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """API servers alone, in this process."""
    sandbox = Sandbox(Settings(folder=tmp_path / "sandbox", world=False))
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_each_cluster_has_a_port_a_ca_and_a_context_of_its_own(bare: Sandbox) -> None:
    config = yaml.safe_load(bare.kubeconfig.read_text())
    assert [item["name"] for item in config["contexts"]] == ["harbor-eu", "atlas-us", "bench"]
    assert len({item["cluster"]["server"] for item in config["clusters"]}) == 3
    assert len({item["cluster"]["certificate-authority-data"] for item in config["clusters"]}) == 3
    for name in ("harbor-eu", "atlas-us", "bench"):
        assert (await get(bare, name, "/readyz")) == (200, "ok")


async def test_secrets_are_readable_by_their_owner_alone(bare: Sandbox) -> None:
    for path in (bare.kubeconfig, bare.settings.folder / "tokens.json"):
        assert path.stat().st_mode & 0o077 == 0


async def test_only_clusters_with_kai_serve_queues(bare: Sandbox) -> None:
    assert (await get(bare, "harbor-eu", "/apis/scheduling.run.ai/v2/queues"))[0] == 200
    assert (await get(bare, "bench", "/apis/scheduling.run.ai/v2/queues"))[0] == 404


async def test_a_client_certificate_of_the_ca_is_a_user(bare: Sandbox, tmp_path: Path) -> None:
    folder = bare.settings.folder / "clusters" / "bench"
    certificate, key = make_client_certificate(folder, tmp_path, "carol", "system:masters")
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(certificate, key)
    url = f"https://127.0.0.1:{bare.listeners['bench'].port}/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.post(url, json={}) as answer,
    ):
        info = (await answer.json())["status"]["userInfo"]
    assert info == {"username": "carol", "groups": ["system:masters", "system:authenticated"]}


def make_client_certificate(ca_folder: Path, into: Path, name: str, group: str) -> tuple[Path, Path]:
    """A certificate for a person, signed by a cluster's CA."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    authority = x509.load_pem_x509_certificate((ca_folder / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((ca_folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(signer, hashes.SHA256())
    )
    certificate, private = into / "client.crt", into / "client.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


async def test_a_cluster_that_is_down_refuses_connections_and_comes_back(bare: Sandbox) -> None:
    path = "/sealane-sandbox/faults/bench"
    assert (await get(bare, "atlas-us", path, method="POST", json={"down": 0.3}))[0] == 200
    async with asyncio.timeout(5):
        while True:
            try:
                await get(bare, "bench", "/readyz")
            except aiohttp.ClientConnectionError:
                break
            await asyncio.sleep(0.02)
        assert (await get(bare, "atlas-us", "/readyz"))[0] == 200
        while True:
            try:
                assert (await get(bare, "bench", "/readyz"))[0] == 200
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


async def test_a_cut_breaks_open_watches_in_the_middle(bare: Sandbox) -> None:
    folder = bare.settings.folder / "clusters" / "bench"
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    url = f"https://127.0.0.1:{bare.listeners['bench'].port}/api/v1/namespaces?watch=1"
    headers = {"authorization": f"Bearer {bare.tokens['admin']}"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(url, headers=headers) as answer,
        asyncio.timeout(5),
    ):
        assert json.loads(await answer.content.readline())["type"] == "ADDED"
        await get(bare, "bench", "/sealane-sandbox/faults", method="POST", json={"cut": True})
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


async def test_what_was_made_is_there_after_a_restart_and_the_ports_stay(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "sandbox", world=False)
    first = Sandbox(settings)
    await first.start()
    path = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "kept"}, "data": {"a": "b"}}
    _, made = await get(first, "bench", path, method="POST", json=body)
    await first.stop()
    second = Sandbox(settings)
    await second.start()
    status, found = await get(second, "bench", f"{path}/kept")
    assert (status, found["data"], found["metadata"]["uid"]) == (200, {"a": "b"}, made["metadata"]["uid"])
    assert second.listeners["bench"].port == first.listeners["bench"].port
    _, watched = await get(
        second, "bench", f"{path}?watch=1&timeoutSeconds=1&resourceVersion={made['metadata']['resourceVersion']}"
    )
    assert watched["object"]["reason"] == "Expired"
    await second.stop()
    third = Sandbox(Settings(folder=tmp_path / "sandbox", world=False, fresh=True))
    await third.start()
    assert (await get(third, "bench", f"{path}/kept"))[0] == 404
    await third.stop()


async def test_a_broken_snapshot_is_put_aside(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, world=False)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "bench.json").write_text("{broken")
    sandbox = Sandbox(settings)
    await sandbox.start()
    await sandbox.stop()
    assert (tmp_path / "snapshots" / "bench.broken").read_text() == "{broken"


def test_sigterm_ends_the_process_at_once(start_sandbox: Any) -> None:
    running = start_sandbox("--bare")
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 2


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(["sleep", "60"])
    command = [sys.executable, "-m", "sealane.sandbox", "--dir", str(tmp_path), "--bare", "--parent", str(parent.pid)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert json.loads(child.stdout.readline())["kubeconfig"] == str(tmp_path / "kubeconfig")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert child.wait(timeout=5) == 0
    child.stdout.close()


def test_a_second_sandbox_in_the_same_folder_is_refused(start_sandbox: Any) -> None:
    running = start_sandbox("--bare")
    command = [sys.executable, "-m", "sealane.sandbox", "--dir", str(running.folder), "--bare"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert second.returncode == 1
    assert "Another sandbox runs in" in second.stderr
    assert "Traceback" not in second.stderr


async def test_heads_without_end_are_cut_off_and_large_bodies_are_not(bare: Sandbox) -> None:
    context = ssl.create_default_context(cafile=str(bare.settings.folder / "clusters" / "bench" / "ca.crt"))
    reader, writer = await asyncio.open_connection("127.0.0.1", bare.listeners["bench"].port, ssl=context)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nA: ")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # noqa: PT012 - whichever notices first
        for _ in range(100):
            writer.write(b"b" * 100_000)
            await writer.drain()
        await reader.readexactly(1)
    writer.close()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b" * 900_000}}
    path = "/api/v1/namespaces/default/configmaps"
    assert (await get(bare, "bench", path, method="POST", json=body))[0] == 201
