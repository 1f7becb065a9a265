"""Credentials stay fresh by themselves: one renewal after a 401, files re-read, plugins run when their token ends."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from kube_certificates import Authority
from kube_server import Answer, ApiServer, Stream, bookmark, event, pod, status

from sealane.kube import auth
from sealane.kube.auth import Identity
from sealane.kube.client import Client
from sealane.kube.config import Context, Credentials, ExecSpec
from sealane.kube.errors import ConfigError, ExecPluginFailed, Unauthorized
from sealane.kube.resources import PODS
from sealane.kube.watch import Change, Condition, Gone, Synced, Upsert, reflect
from sealane.kube.way import Way
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


async def test_a_plugin_whose_tokens_are_refused_is_run_ever_more_slowly(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    server.on("GET", "/version", DENIED)
    counts = []
    async with Client(server.context(credentials=counting_plugin(tmp_path)), clock=clock) as client:
        for wait in (0, 1, 1, 3, 5, 5, 0):
            clock.advance(wait)
            with pytest.raises(Unauthorized):
                await client.version()
            counts.append(runs(tmp_path))
    assert counts == [2, 2, 2, 3, 3, 4, 4]


async def test_a_plugin_that_helps_no_more_is_named_with_the_time_of_the_next_try(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    server.on("GET", "/version", DENIED)
    async with Client(server.context(credentials=counting_plugin(tmp_path)), clock=clock) as client:
        words = (
            r"\(401 Unauthorized\); the credential plugin .*login was asked anew in vain, and .* before 00:00:05 UTC"
        )
        with pytest.raises(Unauthorized, match=words):
            await client.version()


async def test_once_a_token_is_accepted_earlier_refusals_count_no_more(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    server.on("GET", "/version", DENIED, VERSION, DENIED, VERSION, DENIED, VERSION)
    async with Client(server.context(credentials=counting_plugin(tmp_path)), clock=clock) as client:
        for _ in range(3):
            assert await client.version() == "v1.34.2"
            clock.advance(5)
    assert runs(tmp_path) == 4


async def test_a_plugin_that_gives_the_same_token_again_is_not_believed_to_have_helped(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "login"
    said = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "same"}})
    path.write_text(f"#!/bin/sh\necho x >> {tmp_path}/runs\necho '{said}'\n")
    path.chmod(0o755)
    server.on("GET", "/version", DENIED)
    context = server.context(credentials=Credentials(exec=ExecSpec(api_version=V1, command=str(path))))
    async with Client(context, clock=clock) as client:
        with pytest.raises(Unauthorized):
            await client.version()
    assert len(server.requests) == 1
    assert runs(tmp_path) == 2


async def test_a_certificate_of_a_plugin_is_had_anew_when_it_ends_though_nobody_said_when(
    tmp_path: Path, clock: ManualClock
) -> None:
    certificate, key = Authority().issue("dana", days=1)
    body = {"clientCertificateData": certificate.decode(), "clientKeyData": key.decode()}
    path = tmp_path / "login"
    (tmp_path / "said").write_text(json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": body}))
    path.write_text(f"#!/bin/sh\necho x >> {tmp_path}/runs\ncat {tmp_path}/said\n")
    path.chmod(0o755)
    clock = ManualClock(datetime.datetime.now(datetime.UTC))
    credentials = Credentials(exec=ExecSpec(api_version=V1, command=str(path)))
    provider = auth.provider(context(credentials), clock=clock)
    await provider.current()
    await provider.current()
    assert runs(tmp_path) == 1
    clock.advance(86400)
    await provider.current()
    assert runs(tmp_path) == 2


async def test_a_token_file_that_is_empty_or_away_for_a_moment_loses_nothing(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    provider = auth.provider(context(Credentials(token_file=str(file))), clock=clock)
    await provider.current()
    clock.advance(61)
    file.write_text("")
    assert (await provider.current()).authorization == "Bearer one"
    file.unlink()
    assert (await provider.current()).authorization == "Bearer one"
    file.write_text("two")
    assert (await provider.current()).authorization == "Bearer two"


async def test_a_token_file_that_still_holds_the_refused_token_is_named(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    server.on("GET", "/version", DENIED)
    async with Client(server.context(credentials=Credentials(token_file=str(tmp_path / "token")))) as client:
        with pytest.raises(Unauthorized, match="token still holds the token that is refused"):
            await client.version()
    assert len(server.requests) == 1


async def test_a_replaced_client_certificate_is_noticed_once_both_files_fit(tmp_path: Path, clock: ManualClock) -> None:
    authority = Authority()
    one, two = authority.issue("one"), authority.issue("two")
    file, key = tmp_path / "c.crt", tmp_path / "c.key"
    file.write_bytes(one[0])
    key.write_bytes(one[1])
    provider = auth.provider(context(Credentials(cert_file=str(file), key_file=str(key))), clock=clock)
    assert await provider.current() == Identity(certificate=one[0], key=one[1])
    file.write_bytes(two[0])
    clock.advance(60)
    assert (await provider.current()).certificate == one[0], "the new certificate and the old key are no pair"
    key.write_bytes(two[1])
    clock.advance(5)
    assert await provider.current() == Identity(certificate=two[0], key=two[1])
    file.unlink()
    clock.advance(60)
    assert (await provider.current()).certificate == two[0]


async def watched(client: Client, *, until: type[Upsert]) -> list[Change]:
    seen: list[Change] = []
    async with contextlib.aclosing(reflect(client, PODS, clock=client.clock)) as stream:
        while not seen or not isinstance(seen[-1], until):
            seen.append(await anext(stream))
    return seen


PATH = "/api/v1/pods"


async def test_a_token_that_ends_while_a_watch_runs_is_renewed_when_it_reconnects_and_nothing_is_lost(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "token"
    file.write_text("one")

    async def ends(request: web.Request) -> web.StreamResponse:
        file.write_text("two")
        initial = [event("ADDED", pod("a", version="1")), bookmark("2", initial_end=True)]
        return await Stream(*initial, then="end")(request)

    server.on("GET", PATH, ends, DENIED, Stream(event("MODIFIED", pod("a", version="3"))))
    async with Client(server.context(credentials=Credentials(token_file=str(file))), clock=clock) as client:
        changes = await watched(client, until=Upsert)
    assert isinstance(changes[0], Synced)
    assert {change.state for change in changes if isinstance(change, Condition)} == {"live"}
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer one", "Bearer one", "Bearer two"]
    assert server.requests[2].query["resourceVersion"] == "2", "resumed, not read anew"


async def test_a_refusal_inside_a_running_watch_is_mended_without_losing_what_is_known(
    server: ApiServer, tmp_path: Path, clock: ManualClock
) -> None:
    refusal = {"kind": "Status", "status": "Failure", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"}
    first = Stream(event("ADDED", pod("a", version="1")), bookmark("2", initial_end=True), event("ERROR", refusal))
    server.on("GET", PATH, first, Stream(event("MODIFIED", pod("a", version="3"))))
    async with Client(server.context(credentials=counting_plugin(tmp_path)), clock=clock) as client:
        changes = await watched(client, until=Upsert)
    states = [change.state for change in changes if isinstance(change, Condition)]
    assert (states[0], states[-1]) == ("live", "live")
    assert {"unauthorized", "reconnecting"} & set(states), "a refusal is not passed over in silence"
    assert not [change for change in changes if isinstance(change, Gone)]
    assert server.requests[1].query["resourceVersion"] == "2"


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


async def test_uid_and_extra_are_sent_with_names_that_a_header_can_hold(server: ApiServer) -> None:
    server.on("GET", "/version", VERSION)
    extra = (("scopes", "view"), ("scopes", "edit"), ("acme.com/team ü", "a"))
    credentials = Credentials(impersonate_user="bob", impersonate_uid="u-1", impersonate_extra=extra)
    async with Client(server.context(credentials=credentials)) as client:
        await client.version()
    headers = server.requests[0].headers
    assert headers["Impersonate-Uid"] == "u-1"
    assert headers.getall("Impersonate-Extra-scopes") == ["view", "edit"]  # type: ignore[attr-defined]
    assert headers["Impersonate-Extra-acme.com%2Fteam%20%C3%BC"] == "a"


async def test_what_a_plugin_gave_is_kept_when_its_entry_only_moved(server: ApiServer, tmp_path: Path) -> None:
    server.on("GET", "/version", VERSION)
    given = counting_plugin(tmp_path)
    assert given.exec is not None
    moved = Credentials(exec=msgspec.structs.replace(given.exec, line=40))
    other = Credentials(exec=msgspec.structs.replace(given.exec, args=("--profile=b",)))
    async with Client(server.context(credentials=given)) as client:
        for credentials in (given, moved, other):
            client.adopt(server.context(credentials=credentials, namespace="team-b"))
            await client.version()
        assert client.http.context.namespace == "team-b"
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_adopted_credentials_are_used_from_the_next_request_on(server: ApiServer) -> None:
    server.on("GET", "/version", VERSION)
    async with Client(server.context(credentials=Credentials(token="one"))) as client:
        await client.version()
        client.adopt(server.context(credentials=Credentials(token="two")))
        await client.version()
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX-Remote-User: admin", "a\x00"])
async def test_a_token_with_a_line_break_is_said_and_not_sent(clock: ManualClock, token: str) -> None:
    way = Way(Context(name="c", server="http://127.0.0.1:1", credentials=Credentials(token=token)), clock=clock)
    with pytest.raises(ConfigError, match="has a line break") as caught:
        await way.arguments({}, await way.identity())
    assert token not in str(caught.value)
