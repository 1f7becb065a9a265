"""Credentials stay fresh by themselves: one renewal after a 401, files re-read, plugins run when their token ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from kube_server import Answer, ApiServer, status

from sealane.kube import auth
from sealane.kube.auth import Identity
from sealane.kube.client import Client
from sealane.kube.config import Context, Credentials, ExecSpec
from sealane.kube.errors import ConfigError, ExecPluginFailed, Unauthorized
from sealane.lib.clock import ManualClock

V1 = "client.authentication.k8s.io/v1"
VERSION = Answer({"gitVersion": "v1.34.2"})
DENIED = status(401, "Unauthorized", "Unauthorized")


def context(credentials: Credentials) -> Context:
    return Context(name="c", server="https://c", credentials=credentials)


def counting_plugin(folder: Path, *, lives: str = "", fail: bool = False) -> Credentials:
    """Each run gives the next token: t1, t2, …"""
    expiry = f',"expirationTimestamp":"{lives}"' if lives else ""
    path = folder / "login"
    path.write_text(
        "#!/bin/sh\n"
        f'echo x >> {folder}/runs; n=$(wc -l < {folder}/runs | tr -d " ")\n'
        + ("exit 1\n" if fail else "")
        + f'echo "{{\\"apiVersion\\":\\"{V1}\\",\\"kind\\":\\"ExecCredential\\",'
        f'\\"status\\":{{\\"token\\":\\"t$n\\"{expiry.replace(chr(34), chr(92) + chr(34))}}}}}"\n'
    )
    path.chmod(0o755)
    return Credentials(exec=ExecSpec(api_version=V1, command=str(path)))


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


async def test_a_token_is_sent_as_bearer(server: ApiServer) -> None:
    server.on("GET", "/version", VERSION)
    async with Client(server.context(credentials=Credentials(token="abc"))) as client:
        await client.version()
    assert server.requests[0].headers["Authorization"] == "Bearer abc"


async def test_a_password_is_sent_as_basic(clock: ManualClock) -> None:
    provider = auth.provider(context(Credentials(username="u", password="p")), clock=clock)
    assert (await provider.current()).authorization == "Basic dTpw"


async def test_no_credentials_send_nothing(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", VERSION)
    await client.version()
    assert "Authorization" not in server.requests[0].headers


async def test_a_fixed_token_that_is_refused_is_not_tried_twice(server: ApiServer) -> None:
    server.on("GET", "/version", DENIED)
    async with Client(server.context(credentials=Credentials(token="old"))) as client:
        with pytest.raises(Unauthorized, match="does not accept the credentials"):
            await client.version()
    assert len(server.requests) == 1


async def test_a_replaced_token_file_is_read_within_a_minute(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    provider = auth.provider(context(Credentials(token_file=str(file), token="stale")), clock=clock)
    assert (await provider.current()).authorization == "Bearer one"
    file.write_text("two\n")
    clock.advance(59)
    assert (await provider.current()).authorization == "Bearer one"
    clock.advance(1)
    assert (await provider.current()).authorization == "Bearer two"


async def test_a_refused_token_file_is_read_again_at_once(server: ApiServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    server.on("GET", "/version", VERSION, DENIED, VERSION)
    async with Client(server.context(credentials=Credentials(token_file=str(file)))) as client:
        await client.version()
        file.write_text("two")
        assert await client.version() == "v1.34.2"
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer one", "Bearer one", "Bearer two"]


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("  \n", "is empty")])
async def test_an_unusable_token_file_is_named(
    tmp_path: Path, clock: ManualClock, content: str | None, words: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    provider = auth.provider(context(Credentials(token_file=str(file))), clock=clock)
    with pytest.raises(ConfigError, match=words) as caught:
        await provider.current()
    assert caught.value.file == file


async def test_a_plugins_token_is_kept_until_it_expires(tmp_path: Path, clock: ManualClock) -> None:
    provider = auth.provider(context(counting_plugin(tmp_path, lives="2026-01-01T00:10:00Z")), clock=clock)
    assert (await provider.current()).authorization == "Bearer t1"
    clock.advance(500)
    assert (await provider.current()).authorization == "Bearer t1"
    clock.advance(96)
    assert (await provider.current()).authorization == "Bearer t2"


async def test_a_refused_plugin_token_is_fetched_anew_once(server: ApiServer, tmp_path: Path) -> None:
    server.on("GET", "/version", DENIED, VERSION)
    async with Client(server.context(credentials=counting_plugin(tmp_path))) as client:
        assert await client.version() == "v1.34.2"
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer t1", "Bearer t2"]
    assert runs(tmp_path) == 2


async def test_many_refusals_at_once_share_one_run(tmp_path: Path, clock: ManualClock) -> None:
    provider = auth.provider(context(counting_plugin(tmp_path)), clock=clock)
    first = await provider.current()
    assert await asyncio.gather(*(provider.renew(first) for _ in range(5))) == [True] * 5
    assert runs(tmp_path) == 2


async def test_a_failing_plugin_is_not_run_for_every_watch(tmp_path: Path, clock: ManualClock) -> None:
    provider = auth.provider(context(counting_plugin(tmp_path, fail=True)), clock=clock)
    for _ in range(3):
        with pytest.raises(ExecPluginFailed):
            await provider.current()
    assert runs(tmp_path) == 1
    clock.advance(5)
    with pytest.raises(ExecPluginFailed):
        await provider.current()
    assert runs(tmp_path) == 2


async def test_a_plugin_whose_tokens_have_always_ended_already_is_not_run_for_every_request(
    tmp_path: Path, clock: ManualClock
) -> None:
    provider = auth.provider(context(counting_plugin(tmp_path, lives="2025-01-01T00:00:00Z")), clock=clock)
    assert [(await provider.current()).authorization for _ in range(3)] == ["Bearer t1"] * 3
    clock.advance(5)
    assert (await provider.current()).authorization == "Bearer t2"


async def test_a_replaced_client_certificate_is_noticed(tmp_path: Path, clock: ManualClock) -> None:
    file, key = tmp_path / "c.crt", tmp_path / "c.key"
    file.write_bytes(b"one")
    key.write_bytes(b"key")
    provider = auth.provider(context(Credentials(cert_file=str(file), key_file=str(key))), clock=clock)
    assert await provider.current() == Identity(certificate=b"one", key=b"key")
    file.write_bytes(b"two")
    clock.advance(60)
    assert (await provider.current()).certificate == b"two"


async def test_a_plugin_may_give_a_certificate(tmp_path: Path, clock: ManualClock) -> None:
    body = {"clientCertificateData": "C", "clientKeyData": "K"}
    path = tmp_path / "login"
    path.write_text(f"#!/bin/sh\necho '{json.dumps({'apiVersion': V1, 'kind': 'ExecCredential', 'status': body})}'\n")
    path.chmod(0o755)
    credentials = Credentials(exec=ExecSpec(api_version=V1, command=str(path)))
    assert await auth.provider(context(credentials), clock=clock).current() == Identity(certificate=b"C", key=b"K")


async def test_impersonation_is_sent_with_every_group(server: ApiServer) -> None:
    server.on("GET", "/version", VERSION)
    credentials = Credentials(token="t", impersonate_user="bob", impersonate_groups=("a", "b"))
    async with Client(server.context(credentials=credentials)) as client:
        await client.version()
    headers = server.requests[0].headers
    assert headers["Impersonate-User"] == "bob"
    assert headers.getall("Impersonate-Group") == ["a", "b"]  # type: ignore[attr-defined]


def test_an_identity_hides_what_it_holds() -> None:
    assert "secret" not in repr(Identity(authorization="Bearer secret"))
