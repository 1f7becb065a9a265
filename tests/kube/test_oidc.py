"""An OIDC sign-in renewed against a stub issuer over TLS: what it is asked, what is kept, and each way of failing."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kube_certificates import Authority
from kube_server import Answer, ApiServer, status

from sealane.kube import auth, credentials
from sealane.kube.client import Client
from sealane.kube.config import Context, Credentials, OidcSpec
from sealane.kube.errors import ConfigError, IssuerFailed, SignInEnded, Unauthorized
from sealane.lib.clock import ManualClock

VERSION = Answer({"gitVersion": "v1.34.2"})
DENIED = status(401, "Unauthorized", "Unauthorized")
DISCOVERY, TOKEN = "/dex/.well-known/openid-configuration", "/dex/token"
MINUTE = 60


def jwt(clock: ManualClock, *, lives: float, sub: str = "dana", **more: Any) -> str:
    said = {"iss": "i", "sub": sub, "exp": clock.now().timestamp() + lives, **more}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.sig"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("the issuer's CA")


@pytest.fixture
async def issuer(authority: Authority, tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as running:
        running.on("GET", DISCOVERY, described(running))
        yield running


def described(issuer: ApiServer, **more: Any) -> Answer:
    found = {"issuer": f"{issuer.url}/dex", "token_endpoint": f"{issuer.url}{TOKEN}", **more}
    return Answer(found)


def spec(issuer: ApiServer, authority: Authority, **more: Any) -> OidcSpec:
    given = {"issuer": f"{issuer.url}/dex", "client_id": "kubernetes", "refresh_token": "r1", "user": "dana"}
    return OidcSpec(**{**given, "ca_data": authority.pem, **more})


def provider(of: OidcSpec, clock: ManualClock) -> auth.Provider:
    return auth.provider(Context(name="c", server="https://c", credentials=Credentials(oidc=of)), clock=clock)


def forms(issuer: ApiServer) -> list[dict[str, str]]:
    return [{key: value[0] for key, value in parse_qs(seen.body.decode()).items()} for seen in issuer.asked(TOKEN)]


async def test_a_token_that_lasts_is_sent_and_nobody_is_asked(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    token = jwt(clock, lives=10 * MINUTE)
    signed = provider(spec(issuer, authority, id_token=token), clock)
    assert (await signed.current()).authorization == f"Bearer {token}"
    assert issuer.requests == []


async def test_a_token_that_ends_is_renewed_with_the_refresh_token(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    fresh = jwt(clock, lives=20 * MINUTE)
    issuer.on("POST", TOKEN, Answer({"id_token": fresh, "refresh_token": "r2"}))
    signed = provider(spec(issuer, authority, id_token=jwt(clock, lives=10 * MINUTE)), clock)
    clock.advance(10 * MINUTE - 8)
    assert (await signed.current()).authorization == f"Bearer {fresh}"
    assert forms(issuer) == [{"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "kubernetes"}]


async def test_a_refresh_token_that_is_given_anew_is_the_next_one_used(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    for number, lives in ((2, 60), (3, 120), (4, 180)):
        issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=lives), "refresh_token": f"r{number}"}))
    signed = provider(spec(issuer, authority), clock)
    for _ in range(3):
        await signed.current()
        clock.advance(60)
    assert [form["refresh_token"] for form in forms(issuer)] == ["r1", "r2", "r3"]


async def test_all_contexts_of_one_user_share_one_renewal(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=600), "refresh_token": "r2"}))
    contexts = [provider(spec(issuer, authority), clock) for _ in range(5)]
    found = await asyncio.gather(*(each.current() for each in contexts))
    assert len({identity.authorization for identity in found}) == 1
    assert len(forms(issuer)) == 1


async def test_a_token_that_the_server_refuses_is_renewed_once_for_the_request(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    old, fresh = jwt(clock, lives=600), jwt(clock, lives=900)
    issuer.on("POST", TOKEN, Answer({"id_token": fresh}))
    async with ApiServer() as server:
        server.on("GET", "/version", DENIED, VERSION)
        oidc = spec(issuer, authority, id_token=old)
        async with Client(server.context(credentials=Credentials(oidc=oidc)), clock=clock) as client:
            assert await client.version() == "v1.34.2"
        sent = [seen.headers["Authorization"] for seen in server.requests]
    assert sent == [f"Bearer {old}", f"Bearer {fresh}"]


async def test_an_issuer_whose_tokens_are_refused_is_not_asked_for_every_request(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=900)}))
    async with ApiServer() as server:
        server.on("GET", "/version", DENIED)
        oidc = spec(issuer, authority, id_token=jwt(clock, lives=600))
        async with Client(server.context(credentials=Credentials(oidc=oidc)), clock=clock) as client:
            for _ in range(4):
                with pytest.raises(Unauthorized, match=r"the issuer .* was asked anew in vain"):
                    await client.version()
    assert len(forms(issuer)) == 1


async def test_the_clients_secret_travels_as_the_issuer_says(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=600)}))
    await provider(spec(issuer, authority, client_secret="h u&sh"), clock).current()
    pair = base64.b64encode(b"kubernetes:h+u%26sh").decode()
    assert issuer.asked(TOKEN)[0].headers["Authorization"] == f"Basic {pair}"
    assert "client_secret" not in forms(issuer)[0]


async def test_the_clients_secret_may_travel_in_the_form(authority: Authority, tmp_path: Path) -> None:
    clock = ManualClock()
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as issuer:
        issuer.on("GET", DISCOVERY, described(issuer, token_endpoint_auth_methods_supported=["client_secret_post"]))
        issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=600)}))
        await provider(spec(issuer, authority, client_secret="hush"), clock).current()
        assert forms(issuer)[0]["client_secret"] == "hush"
        assert "Authorization" not in issuer.asked(TOKEN)[0].headers


async def test_a_refused_refresh_token_ends_the_sign_in_with_a_sentence_and_a_next_step(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Refresh token\n is invalid or was used"}
    issuer.on("POST", TOKEN, Answer(refusal, status=400))
    file = Path("/home/dana/.kube/config")
    signed = provider(spec(issuer, authority, file=file, line=12), clock)
    with pytest.raises(SignInEnded, match=r"the sign-in of user dana is over: .* refuses the refresh token") as caught:
        await signed.current()
    assert "(invalid_grant: Refresh token is invalid or was used)" in caught.value.sentence
    assert caught.value.next_steps[0].command == (
        "kubectl config set-credentials dana --auth-provider=oidc --auth-provider-arg=refresh-token=TOKEN"
    )
    assert "r1" not in str(caught.value.to_json())
    for _ in range(3):
        with pytest.raises(SignInEnded):
            await signed.current()
    assert len(forms(issuer)) == 1


async def test_an_expired_token_without_a_refresh_token_is_never_sent(authority: Authority, clock: ManualClock) -> None:
    async with ApiServer() as server:
        oidc = OidcSpec(issuer="https://id", client_id="k", id_token=jwt(clock, lives=-5), user="dana")
        async with Client(server.context(credentials=Credentials(oidc=oidc)), clock=clock) as client:
            with pytest.raises(SignInEnded, match="the kubeconfig has no refresh-token"):
                await client.version()
        assert server.requests == []


async def test_an_issuer_that_is_away_does_no_harm_until_the_token_ends(
    authority: Authority, clock: ManualClock, tmp_path: Path
) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as gone:
        url = gone.url
    token = jwt(clock, lives=600)
    oidc = OidcSpec(issuer=url, client_id="k", id_token=token, refresh_token="r", ca_data=authority.pem, user="dana")
    signed = provider(oidc, clock)
    clock.advance(595)
    assert (await signed.current()).authorization == f"Bearer {token}"
    clock.advance(6)
    with pytest.raises(IssuerFailed, match=r"cannot be renewed at https://127.* does not accept the connection"):
        await signed.current()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>login</html>"), "answers 200 with something that is no JSON"),
        (Answer({"access_token": "x"}), "gave no id-token"),
        (Answer({"error": "invalid_client"}, status=401), r"refuses the client kubernetes \(invalid_client\)"),
        (Answer({"message": "down"}, status=503), r"refuses the client kubernetes \(503\)"),
        (Answer(b"x" * 1_200_000), "larger than 1,048,576 bytes"),
    ],
)
async def test_a_token_endpoint_that_answers_otherwise_is_said(
    issuer: ApiServer, authority: Authority, clock: ManualClock, answer: Answer, words: str
) -> None:
    issuer.on("POST", TOKEN, answer)
    with pytest.raises(IssuerFailed, match=words) as caught:
        await provider(spec(issuer, authority), clock).current()
    assert caught.value.next_steps[0].command == f"curl -sS {issuer.url}{DISCOVERY}"


async def test_a_token_for_somebody_else_is_not_taken(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=600, sub="bob")}))
    signed = provider(spec(issuer, authority, id_token=jwt(clock, lives=-1)), clock)
    with pytest.raises(IssuerFailed, match="an id-token for somebody else"):
        await signed.current()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Answer({"issuer": "https://evil", "token_endpoint": "https://evil/t"}), "it calls itself https://evil"),
        (Answer(b"no"), "is no description of an issuer"),
        (Answer(b"", status=302, headers={"Location": "/elsewhere"}), "it answers 302"),
    ],
)
async def test_a_description_that_does_not_fit_is_said(
    authority: Authority, tmp_path: Path, clock: ManualClock, found: Answer, words: str
) -> None:
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as issuer:
        issuer.on("GET", DISCOVERY, found)
        with pytest.raises(IssuerFailed, match=words):
            await provider(spec(issuer, authority), clock).current()


async def test_a_refresh_token_is_never_sent_to_an_endpoint_in_the_clear(
    authority: Authority, tmp_path: Path, clock: ManualClock
) -> None:
    async with ApiServer() as plain, ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as issuer:
        issuer.on("GET", DISCOVERY, described(issuer, token_endpoint=f"{plain.url}/t"))
        with pytest.raises(IssuerFailed, match="token endpoint is not encrypted"):
            await provider(spec(issuer, authority), clock).current()
        assert plain.requests == []


async def test_a_redirect_does_not_carry_the_refresh_token_away(
    issuer: ApiServer, authority: Authority, clock: ManualClock
) -> None:
    async with ApiServer() as elsewhere:

        async def away(request: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": f"{elsewhere.url}/t"})

        issuer.on("POST", TOKEN, away)
        with pytest.raises(IssuerFailed):
            await provider(spec(issuer, authority), clock).current()
        assert elsewhere.requests == []


async def test_an_issuer_of_another_authority_is_not_trusted(issuer: ApiServer, clock: ManualClock) -> None:
    with pytest.raises(IssuerFailed, match=r"TLS with .* failed"):
        await provider(spec(issuer, Authority("another")), clock).current()


@pytest.mark.parametrize(
    ("given_ca", "words"),
    [({"ca_file": "/nowhere/idp.crt"}, "does not exist"), ({"ca_data": b"junk"}, "no usable certificate")],
)
async def test_an_unusable_authority_of_the_issuer_is_named(
    issuer: ApiServer, authority: Authority, clock: ManualClock, given_ca: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await provider(spec(issuer, authority, **{"ca_data": b"", **given_ca}), clock).current()


async def test_the_issuers_authority_may_stand_in_a_file(
    issuer: ApiServer, authority: Authority, clock: ManualClock, tmp_path: Path
) -> None:
    (tmp_path / "idp.crt").write_bytes(authority.pem)
    issuer.on("POST", TOKEN, Answer({"id_token": jwt(clock, lives=600)}))
    signed = provider(spec(issuer, authority, ca_data=b"", ca_file=str(tmp_path / "idp.crt")), clock)
    assert (await signed.current()).authorization.startswith("Bearer ")


async def test_a_token_that_does_not_say_when_it_ends_is_used_until_it_is_refused(clock: ManualClock) -> None:
    signed = provider(OidcSpec(issuer="", client_id="", id_token="opaque"), clock)
    clock.advance(10_000)
    assert (await signed.current()).authorization == "Bearer opaque"
    with pytest.raises(SignInEnded, match="no idp-issuer-url"):
        await signed.renew(await signed.current())


def test_nothing_secret_is_in_a_repr(clock: ManualClock) -> None:
    text = repr(OidcSpec(issuer="https://id", client_id="k", client_secret="hush", refresh_token="hush"))
    assert "hush" not in text


@given(said=st.dictionaries(st.text(), st.integers() | st.text(), max_size=4))
def test_what_a_token_says_of_itself_is_read_back(said: dict[str, Any]) -> None:
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    assert credentials.claims(f"h.{body}.s") == said


@given(token=st.text())
def test_no_token_can_break_the_reading(token: str) -> None:
    assert isinstance(credentials.claims(token), dict)


@given(ends=st.floats(allow_nan=True, allow_infinity=True) | st.integers())
def test_no_end_can_break_the_reading(ends: float) -> None:
    clock = ManualClock(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    body = base64.urlsafe_b64encode(json.dumps({"exp": ends}).encode()).decode()
    provider(OidcSpec(issuer="https://id", client_id="k", id_token=f"h.{body}.s"), clock)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("https://id.example/token", True),
        ("http://127.0.0.1:5556/token", True),
        ("http://id.example/token", False),
        ("http://127.0.0.1.id.example/token", False),
        ("file:///etc/passwd", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_secrets_go_encrypted_or_stay_on_this_computer(address: str, private: bool) -> None:
    assert credentials.is_private(address) is private
