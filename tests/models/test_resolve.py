"""The nearest source wins: the laptop's, the catalogue's, the registry's; and none is an error with a way out."""

from __future__ import annotations

import gguf_bytes
import msgspec
import pytest
from model_registry import FakeRegistry
from model_samples import card

from sealane.models import memory, registry
from sealane.models.errors import RegistryUnreachable, UnknownModel, UnknownTag
from sealane.models.reference import BadReference, Reference
from sealane.models.resolve import resolve
from sealane.models.types import ModelCard


async def test_the_laptops_own_comes_first() -> None:
    own = card("qwen2.5-coder:7b", weights_bytes=1, source="laptop")
    assert await resolve("qwen2.5-coder:7b", laptop=[own]) is own
    assert (await resolve("llama3.2:1b", laptop=[own])).source == "catalogue"


async def test_the_catalogue_answers_without_any_network() -> None:
    assert (await resolve("library/llama3.2:1b")).tag == "llama3.2:1b"


async def test_a_name_with_a_host_is_asked_there() -> None:
    fake = FakeRegistry()
    fake.publish("team/tiny:v1", gguf_bytes.gguf(gguf_bytes.llama()))
    async with fake.running() as host:
        found = await resolve(f"{host}/team/tiny:v1", insecure=True)
    assert found.source == "registry"


async def test_a_host_out_of_reach_is_an_error_or_a_blind_card() -> None:
    with pytest.raises(RegistryUnreachable):
        await resolve("127.0.0.1:9/team/tiny:v1", insecure=True)
    blind = await resolve("127.0.0.1:9/team/tiny:v1", insecure=True, blind=True)
    assert blind.tag == "127.0.0.1:9/team/tiny:v1"
    assert memory.fit(blind, context=4096).basis == "nothing but its name"


async def test_an_unknown_name_gets_the_nearest_when_the_library_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(wanted: Reference, **_: object) -> ModelCard:
        raise RegistryUnreachable("no network here.")

    monkeypatch.setattr(registry, "card_of", silent)
    with pytest.raises(UnknownModel, match="Did you mean"):
        await resolve("qwen2.5-codr:7b")


async def test_a_tag_that_only_the_library_knows_is_found_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Reference] = []

    async def there(wanted: Reference, **_: object) -> ModelCard:
        asked.append(wanted)
        return msgspec.structs.replace(card(), tag=wanted.text, source="registry")

    monkeypatch.setattr(registry, "card_of", there)
    found = await resolve("qwen2.5-coder:7b-instruct-q8_0")
    assert found.source == "registry"
    assert asked[0].tag == "7b-instruct-q8_0"


async def test_the_library_is_not_asked_when_it_must_not_be() -> None:
    with pytest.raises(UnknownTag):
        await resolve("qwen2.5-coder:9b", ask_library=False)


async def test_what_is_no_name_is_refused_at_once() -> None:
    with pytest.raises(BadReference):
        await resolve("not a name")
