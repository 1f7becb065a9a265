"""TLS in both directions, against a real TLS server on loopback with a throw-away authority."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from kube_certificates import Authority
from kube_server import Answer, ApiServer, status

from sealane.kube import certificates, errors
from sealane.kube.client import Client
from sealane.kube.config import Credentials
from sealane.lib.clock import ManualClock

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
        with pytest.raises(errors.ConfigError, match="do not fit, are not PEM"):
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


async def who(request: web.Request) -> web.StreamResponse:
    """The name in the client's certificate, as the version."""
    assert request.transport is not None
    shown = request.transport.get_extra_info("peercert")
    name = dict(pair for part in shown["subject"] for pair in part)["commonName"]
    return web.json_response({"gitVersion": name})


def store(folder: Path, pair: tuple[bytes, bytes]) -> Credentials:
    (folder / "c.crt").write_bytes(pair[0])
    (folder / "c.key").write_bytes(pair[1])
    return Credentials(cert_file=str(folder / "c.crt"), key_file=str(folder / "c.key"))


async def test_a_replaced_client_certificate_is_shown_on_a_new_connection(
    authority: Authority, tmp_path: Path, clock: ManualClock
) -> None:
    credentials = store(tmp_path, authority.issue("dana"))
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        server.on("GET", "/version", who)
        async with Client(server.context(ca_data=authority.pem, credentials=credentials), clock=clock) as client:
            assert await client.version() == "dana"
            store(tmp_path, authority.issue("dana, renewed"))
            clock.advance(61)
            assert await client.version() == "dana, renewed"


async def test_a_refused_client_certificate_is_read_again_at_once(
    authority: Authority, tmp_path: Path, clock: ManualClock
) -> None:
    credentials = store(tmp_path, Authority("another").issue("dana"))
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        server.on("GET", "/version", who)
        async with Client(server.context(ca_data=authority.pem, credentials=credentials), clock=clock) as client:
            with pytest.raises(errors.Unreachable):
                await client.version()
            store(tmp_path, authority.issue("dana"))
            assert await client.version() == "dana"


async def test_an_expired_client_certificate_is_named_with_its_date(authority: Authority, tmp_path: Path) -> None:
    credentials = store(tmp_path, authority.issue("dana", days=-2))
    date = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), ask=True)) as server:
        with pytest.raises(errors.Unreachable, match=rf"client certificate .*c\.crt expired on {date:%Y-%m-%d}"):
            await version(server, ca_data=authority.pem, credentials=credentials)


async def test_a_server_that_answers_401_to_an_expired_certificate_gets_the_date_into_the_sentence(
    authority: Authority, tmp_path: Path
) -> None:
    credentials = store(tmp_path, authority.issue("dana", days=-2))
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", status(401, "Unauthorized", "Unauthorized"))
        with pytest.raises(errors.Unauthorized, match=r"\(401 Unauthorized\); the client certificate .* expired on 20"):
            await version(server, ca_data=authority.pem, credentials=credentials)


async def test_a_servers_expired_certificate_is_named_with_its_date(authority: Authority, tmp_path: Path) -> None:
    date = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",), days=-3)) as server:
        with pytest.raises(errors.TlsFailed, match=rf"expired; the server's certificate expired on {date:%Y-%m-%d}"):
            await version(server, ca_data=authority.pem)


async def test_a_replaced_authority_is_trusted_at_once(tmp_path: Path, clock: ManualClock) -> None:
    old, new = Authority("old"), Authority("new")
    file = tmp_path / "ca.crt"
    file.write_bytes(old.pem)
    async with ApiServer(tls=new.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", VERSION)
        async with Client(server.context(ca_file=str(file)), clock=clock) as client:
            with pytest.raises(errors.TlsFailed):
                await client.version()
            file.write_bytes(new.pem)
            assert await client.version() == "v1.34.2"


async def test_an_authority_that_no_longer_stands_in_the_file_is_trusted_no_more(
    tmp_path: Path, clock: ManualClock
) -> None:
    old, new = Authority("old"), Authority("new")
    file = tmp_path / "ca.crt"
    file.write_bytes(old.pem)
    async with ApiServer(tls=old.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", VERSION)
        async with Client(server.context(ca_file=str(file)), clock=clock) as client:
            await client.version()
            file.write_bytes(new.pem)
            clock.advance(61)
            with pytest.raises(errors.TlsFailed):
                await client.version()


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nMII"])
async def test_an_authority_that_is_half_written_or_away_loses_nothing(
    authority: Authority, tmp_path: Path, clock: ManualClock, content: bytes | None
) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(authority.pem)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", VERSION)
        async with Client(server.context(ca_file=str(file)), clock=clock) as client:
            await client.version()
            file.unlink()
            if content is not None:
                file.write_bytes(content)
            clock.advance(61)
            assert await client.version() == "v1.34.2"


async def test_without_an_authority_the_systems_own_store_counts(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "system.pem").write_bytes(authority.pem)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        with pytest.raises(errors.TlsFailed):
            await version(server)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
        assert await version(server) == "v1.34.2"


async def test_a_key_with_a_password_is_said_and_asks_nobody(authority: Authority) -> None:
    certificate, key = authority.issue("dana")
    locked = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hush"),
    )
    async with ApiServer() as server:
        address = server.url.replace("http:", "https:")
        credentials = Credentials(cert_data=certificate, key_data=locked)
        with pytest.raises(errors.ConfigError, match="or the key has a password"):
            await version(server, server=address, ca_data=authority.pem, credentials=credentials)


@given(st.binary(max_size=200))
def test_no_bytes_can_break_the_reading_of_a_certificate(junk: bytes) -> None:
    assert certificates.expiry(junk) is None
    assert certificates.expiry_der(junk) is None
    assert certificates.subject(junk) == ""
