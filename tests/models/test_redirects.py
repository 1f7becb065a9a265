"""A registry may send its readers to a store for bytes, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from kube_server import Answer, ApiServer
from yarl import URL

from sealane.models import redirects, registry
from sealane.models.errors import RegistryUnreachable


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def away(to: str) -> Answer:
    return Answer(status=307, headers={"Location": to})


async def test_a_store_gets_the_request_but_no_credentials(session: aiohttp.ClientSession) -> None:
    async with ApiServer() as shop, ApiServer() as store:
        shop.on("GET", "/blob", away(f"{store.url}/bytes"))
        store.on("GET", "/bytes", Answer("weights"))
        headers = {"Authorization": "Bearer hush", "Range": "bytes=0-9"}
        async with redirects.get(session, f"{shop.url}/blob", headers=headers) as answer:
            assert await answer.read() == b"weights"
        assert shop.requests[0].headers["Authorization"] == "Bearer hush"
        assert "Authorization" not in store.requests[0].headers
        assert store.requests[0].headers["Range"] == "bytes=0-9"


async def test_within_one_registry_the_credentials_stay(session: aiohttp.ClientSession) -> None:
    async with ApiServer() as shop:
        shop.on("GET", "/a", away("/b"))
        shop.on("GET", "/b", Answer("x"))
        async with redirects.get(session, f"{shop.url}/a", headers={"Authorization": "Bearer t"}) as answer:
            assert answer.status == 200
        assert shop.requests[1].headers["Authorization"] == "Bearer t"


async def test_a_circle_ends(session: aiohttp.ClientSession) -> None:
    async with ApiServer() as shop:
        shop.on("GET", "/a", away("/a"))
        with pytest.raises(redirects.RedirectRefused, match="more than 5 times"):
            async with redirects.get(session, f"{shop.url}/a", headers={}):
                pass
        assert len(shop.requests) == redirects.MOST + 1


@pytest.mark.parametrize(
    ("here", "onward", "why"),
    [
        ("https://models.example/x", "http://store.example/x", "TLS"),
        ("https://models.example/x", "https://169.254.169.254/latest", "not on the public network"),
        ("https://models.example/x", "https://127.0.0.1:8700/", "not on the public network"),
        ("https://models.example/x", "https://[::1]/", "not on the public network"),
        ("https://models.example/x", "https://[::ffff:127.0.0.1]/", "not on the public network"),
        ("https://models.example/x", "https://10.0.0.1/", "not on the public network"),
        ("https://models.example/x", "https://localhost/", "not on the public network"),
        ("https://models.example/x", "https://kubernetes/", "not on the public network"),
        ("https://models.example/x", "file:///etc/passwd", "another kind"),
    ],
)
def test_where_a_public_registry_may_not_lead(here: str, onward: str, why: str) -> None:
    with pytest.raises(redirects.RedirectRefused, match=why):
        redirects.check(URL(here), URL(onward))


@pytest.mark.parametrize(
    ("here", "onward"),
    [
        ("https://models.example/x", "https://store.example/x"),
        ("https://10.0.0.5:5000/x", "https://10.0.0.6/x"),
        ("http://localhost:5000/x", "http://127.0.0.1:9000/x"),
        ("http://10.0.0.5/x", "https://store.example/x"),
    ],
)
def test_where_a_registry_may_lead(here: str, onward: str) -> None:
    redirects.check(URL(here), URL(onward))


async def test_a_refused_redirect_is_one_sentence() -> None:
    async with ApiServer() as shop:
        host = shop.url.removeprefix("http://")
        shop.on("GET", "/v2/team/m/manifests/v1", away("file:///etc/passwd"))
        with pytest.raises(RegistryUnreachable, match="another kind") as caught:
            await registry.card_of(f"{host}/team/m:v1", insecure=True)
        assert "passwd" not in caught.value.sentence


async def test_a_token_is_not_fetched_from_where_a_registry_may_not_lead(session: aiohttp.ClientSession) -> None:
    async with ApiServer() as inside:
        challenge = f'Bearer realm="{inside.url}/token"'
        base = "http://models.example/v2/a/b"
        assert await registry.registry_auth.token(session, challenge, base, None) == ""
        assert not inside.requests
