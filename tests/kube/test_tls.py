"""TLS in both directions, against a real TLS server on loopback with a throw-away authority."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kube_certificates import Authority
from kube_server import Answer, ApiServer

from sealane.kube import errors
from sealane.kube.client import Client
from sealane.kube.config import Credentials

VERSION = Answer({"gitVersion": "v1.34.2"})


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def version(running: ApiServer, **given: Any) -> str:
    running.on("GET", "/version", VERSION)
    async with Client(running.context(**given)) as client:
        return await client.version()


async def test_a_server_of_the_contexts_authority_is_trusted(authority: Authority, tmp_path: Path) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        assert await version(server, ca_data=authority.pem) == "v1.34.2"


async def test_the_authority_may_stand_in_a_file(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        assert await version(server, ca_file=str(tmp_path / "ca.crt")) == "v1.34.2"


async def test_a_server_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        with pytest.raises(errors.TlsFailed, match=r"TLS with https://127\.0\.0\.1:\d+ failed: .*certificate"):
            await version(server, ca_data=Authority("another").pem)


async def test_a_certificate_for_another_name_is_refused_unless_the_context_expects_it(
    authority: Authority, tmp_path: Path
) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("kubernetes",))) as server:
        with pytest.raises(errors.TlsFailed, match=r"127\.0\.0\.1"):
            await version(server, ca_data=authority.pem)
        assert await version(server, ca_data=authority.pem, tls_server_name="kubernetes") == "v1.34.2"


async def test_an_expired_certificate_is_named_as_such(authority: Authority, tmp_path: Path) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), days=-1)) as server:
        with pytest.raises(errors.TlsFailed, match="expired"):
            await version(server, ca_data=authority.pem)


async def test_verification_can_be_switched_off(authority: Authority, tmp_path: Path) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("elsewhere",))) as server:
        assert await version(server, insecure=True) == "v1.34.2"


async def test_a_port_that_speaks_no_tls_is_told_apart(server: ApiServer, authority: Authority) -> None:
    address = server.url.replace("http:", "https:")
    with pytest.raises(errors.TlsFailed, match="does not speak TLS"):
        await version(server, server=address, ca_data=authority.pem)


async def test_a_client_certificate_is_shown(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("dana")
    credentials = Credentials(cert_data=certificate, key_data=key)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        assert await version(server, ca_data=authority.pem, credentials=credentials) == "v1.34.2"


async def test_certificate_and_key_may_stand_in_files(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("dana")
    (tmp_path / "c.crt").write_bytes(certificate)
    (tmp_path / "c.key").write_bytes(key)
    credentials = Credentials(cert_file=str(tmp_path / "c.crt"), key_file=str(tmp_path / "c.key"))
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        assert await version(server, ca_data=authority.pem, credentials=credentials) == "v1.34.2"


async def test_a_key_that_does_not_fit_is_said(authority: Authority) -> None:
    certificate, _ = authority.issue("dana")
    _, key = authority.issue("bob")
    credentials = Credentials(cert_data=certificate, key_data=key)
    async with ApiServer() as server:
        address = server.url.replace("http:", "https:")
        with pytest.raises(errors.ConfigError, match="do not fit or are not PEM"):
            await version(server, server=address, ca_data=authority.pem, credentials=credentials)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ca_data": b"no certificate"}, "no usable certificate"),
        ({"ca_file": "/nowhere/ca.crt"}, "does not exist"),
    ],
)
async def test_an_unusable_authority_is_named(given: dict[str, Any], words: str) -> None:
    async with ApiServer() as server:
        address = server.url.replace("http:", "https:")
        with pytest.raises(errors.ConfigError, match=words):
            await version(server, server=address, **given)


async def test_no_key_is_left_on_disk(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(left))
    certificate, key = authority.issue("dana")
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        credentials = Credentials(cert_data=certificate, key_data=key)
        await version(server, ca_data=authority.pem, credentials=credentials)
    assert list(left.iterdir()) == []
