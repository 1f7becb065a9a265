"""Which models exist, and what is known of them."""

from __future__ import annotations

import pytest

from sealane.models import catalogue
from sealane.sandbox.world.ollama import library, storage


def test_every_model_of_the_catalogue_can_be_pulled_here() -> None:
    unknown = [card.tag for card in catalogue.load().cards if library.find(storage.with_tag(card.tag)) is None]
    assert unknown == []


def test_sizes_agree_with_the_catalogue_within_a_tenth() -> None:
    off = {}
    for card in catalogue.load().cards:
        found = library.find(storage.with_tag(card.tag))
        if found is not None and card.weights_bytes and not 0.9 < found.size / card.weights_bytes < 1.1:
            off[card.tag] = (found.size, card.weights_bytes)
    assert off == {}


def test_what_a_model_can_do_agrees_with_the_catalogue() -> None:
    words = {"chat": "completion", "fim": "insert", "embedding": "embedding", "tools": "tools", "vision": "vision"}
    lacking = {}
    for card in catalogue.load().cards:
        found = library.find(storage.with_tag(card.tag))
        wanted = {words[name] for name in card.capabilities if name in words}
        if found is not None and wanted - set(found.capabilities):
            lacking[card.tag] = wanted - set(found.capabilities)
    assert lacking == {}


@pytest.mark.parametrize(
    "name",
    [
        "nosuch:7b",
        "qwen2.5-coder:9b",
        "someone/model:7b",
        "registry.example:5000/team/m:1",
        "hf.co/org/model",
        "llama3.1:",
    ],
)
def test_what_nobody_published_does_not_exist(name: str) -> None:
    assert library.find(name) is None


def test_a_quantised_variant_is_derived_from_its_base() -> None:
    base, variant = library.find("qwen2.5-coder:7b"), library.find("qwen2.5-coder:7b-instruct-q8_0")
    assert base is not None
    assert variant is not None
    assert variant.quantization == "Q8_0"
    assert 1.5 < variant.size / base.size < 1.9
    assert library.find("qwen2.5-coder:7b-nonsense") is None


def test_a_model_of_hugging_face_is_estimated_from_its_name() -> None:
    found = library.find("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M")
    assert found is not None
    assert found.parameters == 1
    assert 0.5e9 < found.size < 0.8e9


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("llama3.1", "llama3.1:latest"),
        ("library/llama3.1:8b", "llama3.1:8b"),
        ("registry.ollama.ai/library/llama3.1", "llama3.1:latest"),
        ("localhost:5000/team/m", "localhost:5000/team/m:latest"),
        ("localhost:5000/team/m:1", "localhost:5000/team/m:1"),
    ],
)
def test_names_without_a_tag_mean_latest(given: str, full: str) -> None:
    assert storage.with_tag(given) == full


def test_every_row_of_the_table_is_sound() -> None:
    for name in library.known():
        model = library.find(name)
        assert model is not None
        assert model.size > 10_000_000
        assert model.parameters > 0.01
        assert model.context >= 512
        assert model.is_embedding or "completion" in model.capabilities
        assert len(model.digest) == 64


def test_parameter_counts_are_printed_as_ollama_does() -> None:
    seven, small = library.find("qwen2.5-coder:7b"), library.find("nomic-embed-text:latest")
    assert seven is not None
    assert small is not None
    assert (seven.parameter_size, small.parameter_size) == ("7.6B", "137M")
