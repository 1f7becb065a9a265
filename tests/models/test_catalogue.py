"""The catalogue holds what it promises, and its numbers agree with one another."""

from __future__ import annotations

import pytest
from model_samples import card

from sealane.models import catalogue, reference
from sealane.models.errors import UnknownModel, UnknownTag
from sealane.models.types import ModelCard

CARDS = catalogue.load().cards
BITS = {"Q4_0": 4.5, "Q4_K_M": 4.8, "MXFP4": 4.3, "Q8_0": 8.5, "F16": 16.0, "BF16": 16.0}
DECODERS = [
    each
    for each in CARDS
    if each.header and not {"vision", "embedding"} & set(each.capabilities)
    if each.family != "gemma3n" and not each.header.ssm_inner  # more than attention and feed-forward
]


def test_there_are_at_least_forty_models_with_exact_tags() -> None:
    tags = [each.tag for each in CARDS]
    assert len(tags) >= 60
    assert len(set(tags)) == len(tags)
    assert all(reference.canonical(tag) == tag for tag in tags)


def test_every_kind_of_capability_is_there() -> None:
    offered = {capability for each in CARDS for capability in each.capabilities}
    assert offered == {"chat", "fim", "embedding", "tools", "vision", "thinking"}


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.tag)
def test_a_card_is_complete(each: ModelCard) -> None:
    assert each.weights_bytes > 1e7
    assert each.context_max >= 512
    assert each.parameters > 0
    assert each.licence
    assert each.summary.endswith(".")
    assert each.source == "catalogue"
    assert "size: " in each.provenance


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.tag)
def test_size_parameters_and_quantization_agree(each: ModelCard) -> None:
    """Bits a weight lie at the format's own, or above it where embeddings or projectors are kept finer."""
    bits = each.weights_bytes * 8 / (each.parameters * 1e9)
    assert BITS[each.quantization] * 0.97 <= bits <= BITS[each.quantization] * 2.4


@pytest.mark.parametrize("each", DECODERS, ids=lambda each: each.tag)
def test_the_header_numbers_add_up_to_the_published_parameters(each: ModelCard) -> None:
    """Attention, feed-forward and embeddings counted from the header: with tied or with separate output weights."""
    header = each.header
    assert header is not None
    kv = max(header.kv_heads)
    q = header.heads[0] * header.key_length
    attention = header.embedding * (q + kv * (header.key_length + header.value_length))
    attention += header.heads[0] * header.value_length * header.embedding
    gates = 2 if header.architecture in {"starcoder2", "phi2"} else 3
    feed = gates * header.embedding * header.feed_forward * max(header.experts, 1)
    tied = header.layers * (attention + feed) + header.embedding * header.vocabulary
    separate = tied + header.embedding * header.vocabulary
    near = min(abs(count / 1e9 / each.parameters - 1) for count in (tied, separate))
    assert near < 0.035


ENCODERS = [each for each in CARDS if each.header and each.header.architecture in {"bert", "nomic-bert"}]


@pytest.mark.parametrize("each", ENCODERS, ids=lambda each: each.tag)
def test_an_encoders_numbers_add_up_too(each: ModelCard) -> None:
    """Four square attention matrices, a feed-forward (gated for nomic), words and positions."""
    header = each.header
    assert header is not None
    gates = 3 if header.architecture == "nomic-bert" else 2
    layer = 4 * header.embedding**2 + gates * header.embedding * header.feed_forward
    positions = 0 if header.architecture == "nomic-bert" else header.context_max
    count = header.layers * layer + header.embedding * (header.vocabulary + positions)
    assert count / 1e9 == pytest.approx(each.parameters, rel=0.02)


def test_a_model_is_found_by_its_tag_and_by_its_other_tag() -> None:
    assert card("qwen2.5-coder:7b").tag == "qwen2.5-coder:7b"
    latest = catalogue.load().find("qwen2.5-coder")
    assert latest.tag == "qwen2.5-coder:latest"
    assert latest.weights_bytes == card("qwen2.5-coder:7b").weights_bytes
    assert catalogue.load().find("nomic-embed-text").tag == "nomic-embed-text:latest"


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModel) as caught:
        catalogue.load().find("qwen2.5-codr:7b")
    assert "qwen2.5-coder:7b" in caught.value.sentence
    assert caught.value.evidence[0].value == "qwen2.5-coder:7b"
    assert caught.value.http_status == 404


def test_an_unknown_tag_names_the_tags_that_are_known() -> None:
    with pytest.raises(UnknownTag, match=r"qwen2\.5-coder has no tag “9b”") as caught:
        catalogue.load().find("qwen2.5-coder:9b")
    assert "qwen2.5-coder:7b" in caught.value.sentence


def test_a_name_without_neighbours_offers_none() -> None:
    with pytest.raises(UnknownModel) as caught:
        catalogue.load().find("zzzzqqqq")
    assert "Did you mean" not in caught.value.sentence


def test_a_private_name_is_not_ours() -> None:
    with pytest.raises(UnknownModel):
        catalogue.load().find("localhost:5000/library/llama3.2:1b")


def test_search_needs_every_word() -> None:
    found = catalogue.load().search("coder FIM")
    assert {each.family for each in found} >= {"qwen2.5-coder", "deepseek-coder-v2"}
    assert all("fim" in each.capabilities for each in found)
    assert len(catalogue.load().search("")) == len(CARDS)
    assert catalogue.load().search("nothing like this") == ()


def test_the_family_is_offered_smallest_first() -> None:
    sizes = [each.weights_bytes for each in catalogue.load().family(card("gemma3:12b"))]
    assert sizes == sorted(sizes)
    assert len(sizes) == 3


def test_in_its_place_come_the_family_and_then_what_can_do_the_same() -> None:
    wanted = card("qwen2.5-coder:7b")
    offered = catalogue.load().instead_of(wanted)
    assert [each.family for each in offered[:5]] == ["qwen2.5-coder"] * 5
    assert all(set(wanted.capabilities) <= set(each.capabilities) for each in offered)
    assert wanted.tag not in {each.tag for each in offered}
