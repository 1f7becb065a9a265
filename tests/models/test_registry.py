"""A registry is asked by its protocol: what it answers becomes a card, what it cannot answer a typed error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import gguf_bytes
import pytest
from model_registry import FakeRegistry

from sealane.models import memory, registry, registry_auth
from sealane.models.errors import (
    BadGguf,
    RegistryBroken,
    RegistryRefused,
    RegistryUnreachable,
    UnknownModel,
    UnknownTag,
)
from sealane.models.registry import Credentials

MODEL = gguf_bytes.gguf(gguf_bytes.llama()) + b"\0" * 5_000


@pytest.fixture
async def shop() -> AsyncIterator[FakeRegistry]:
    fake = FakeRegistry()
    fake.publish(
        "team/tiny:v1",
        MODEL,
        template="{{ .Prompt }}{{ .Suffix }}{{ range .Tools }}",
        model_family="llama",
        model_type="8.0B",
        file_type="Q4_K_M",
    )
    async with fake.running():
        yield fake


async def test_a_name_becomes_a_card(shop: FakeRegistry) -> None:
    found = await registry.card_of(f"{shop.host}/team/tiny:v1", insecure=True)
    assert found.tag == f"{shop.host}/team/tiny:v1"
    assert found.weights_bytes == len(MODEL)
    assert (found.family, found.parameters, found.quantization) == ("llama", 8.03, "Q4_K_M")
    assert found.capabilities == ("chat", "fim", "tools")
    assert found.source == "registry"
    assert found.header is not None
    assert found.header.vocabulary == 3
    assert memory.fit(found, context=1024).basis == "header"


async def test_only_the_first_bytes_of_a_model_are_read(shop: FakeRegistry) -> None:
    shop.publish("team/big:v1", MODEL + b"\0" * (6 << 20))
    await registry.card_of(f"{shop.host}/team/big:v1", insecure=True)
    assert shop.sent <= 1 << 20
    assert any(range_ == "bytes=0-1048575" for _, range_ in shop.requests)


async def test_a_long_header_is_read_on(shop: FakeRegistry) -> None:
    pairs = {"general.notes": "x" * (2 << 20)} | gguf_bytes.llama()
    shop.publish("team/wordy:v1", gguf_bytes.gguf(pairs) + b"\0" * 100)
    found = await registry.card_of(f"{shop.host}/team/wordy:v1", insecure=True)
    assert found.header is not None
    assert len([1 for _, range_ in shop.requests if range_]) == 2


async def test_a_registry_that_ignores_ranges_is_cut_off(shop: FakeRegistry) -> None:
    shop.ignore_range = True
    shop.publish("team/big:v1", MODEL + b"\0" * (9 << 20))
    assert (await registry.card_of(f"{shop.host}/team/big:v1", insecure=True)).header is not None


async def test_a_projector_makes_it_see_and_counts_as_weights(shop: FakeRegistry) -> None:
    shop.publish("team/eyes:v1", MODEL, projector=b"p" * 1000)
    found = await registry.card_of(f"{shop.host}/team/eyes:v1", insecure=True)
    assert "vision" in found.capabilities
    assert found.weights_bytes == len(MODEL) + 1000


async def test_a_wrong_tag_names_the_tags_that_are_there(shop: FakeRegistry) -> None:
    with pytest.raises(UnknownTag, match=r"has no tag “v2”\. It has v1") as caught:
        await registry.card_of(f"{shop.host}/team/tiny:v2", insecure=True)
    assert caught.value.http_status == 404


async def test_a_wrong_name_is_an_unknown_model(shop: FakeRegistry) -> None:
    with pytest.raises(UnknownModel, match="has no model team/none"):
        await registry.card_of(f"{shop.host}/team/none:v1", insecure=True)


@pytest.mark.parametrize("basic", [False, True])
async def test_credentials_open_a_private_registry(basic: bool) -> None:
    fake = FakeRegistry(secret="s3cret", basic=basic)
    fake.publish("team/tiny:v1", MODEL)
    async with fake.running() as host:
        found = await registry.card_of(f"{host}/team/tiny:v1", insecure=True, credentials=Credentials("user", "s3cret"))
        assert found.header is not None
        with pytest.raises(RegistryRefused, match="does not let us read") as caught:
            await registry.card_of(f"{host}/team/tiny:v1", insecure=True)
        assert caught.value.exit_code == 4
        with pytest.raises(RegistryRefused):
            await registry.card_of(f"{host}/team/tiny:v1", insecure=True, credentials=Credentials("user", "wrong"))


def test_a_secret_is_never_shown() -> None:
    assert "s3cret" not in repr(Credentials("user", "s3cret"))


async def test_a_token_is_never_fetched_over_plain_http_for_a_registry_with_tls(shop: FakeRegistry) -> None:
    import aiohttp

    challenge = f'Bearer realm="http://{shop.host}/token",service="models"'
    async with aiohttp.ClientSession() as session:
        assert await registry_auth.token(session, challenge, "https://x/v2/a/b", Credentials("user", "p")) == ""
        assert await registry_auth.token(session, 'Bearer realm="file:///etc/passwd"', "https://x", None) == ""
        assert await registry_auth.token(session, "Basic realm=x", "https://x", None) == ""


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b"oops", "HTTP 500"),
        (200, b"<html>", "cannot be read"),
        (200, b"[]", "cannot be read"),
        (200, json.dumps({"layers": []}).encode(), "no model layer"),
        (
            200,
            json.dumps({"layers": [{"mediaType": "x", "digest": "sha256:../../etc", "size": 1}]}).encode(),
            "wrong digest",
        ),
        (200, json.dumps({"layers": "x"}).encode(), "cannot be read"),
        (200, b"x" * (5 << 20), "answers with more than"),
    ],
)
async def test_a_broken_answer_is_said_to_be_broken(shop: FakeRegistry, status: int, body: bytes, told: str) -> None:
    shop.answer_manifest = (status, body)
    with pytest.raises(RegistryBroken) as caught:
        await registry.card_of(f"{shop.host}/team/tiny:v1", insecure=True)
    assert told in caught.value.sentence


async def test_a_layer_that_is_not_gguf_is_said_so(shop: FakeRegistry) -> None:
    shop.publish("team/zip:v1", b"PK" + b"\0" * 100)
    with pytest.raises(BadGguf):
        await registry.card_of(f"{shop.host}/team/zip:v1", insecure=True)


async def test_a_dead_host_is_unreachable_with_its_cause() -> None:
    with pytest.raises(RegistryUnreachable, match="refuses the connection"):
        await registry.card_of("127.0.0.1:9/team/m:v1", insecure=True)


async def test_plain_http_spoken_to_as_tls_says_so(shop: FakeRegistry) -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        await registry.card_of(f"{shop.host}/team/tiny:v1")
    assert caught.value.next_steps[-1].command == "--insecure"


@pytest.mark.parametrize(("size", "billions"), [("7.6B", 7.6), ("137M", 0.137), ("128K", 0.000128), ("", 0), ("x", 0)])
def test_a_parameter_count_is_read(size: str, billions: float) -> None:
    assert registry.billions(size) == pytest.approx(billions)
